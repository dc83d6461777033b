package wire

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

// server is one place to connect to.
type server struct {
	url        *url.URL
	discovered bool   // known from a server's INFO, not from the options
	tlsName    string // host name to verify when the URL of a discovered server is an address
	attempts   int    // failures to connect since the last success
	auth       error  // the authentication error of the last attempt
}

// name is the URL without what may be a secret.
func (s *server) name() string {
	return s.url.Scheme + "://" + s.url.Host
}

// pool is the list of servers in the order in which they are tried.
type pool struct {
	list   []*server
	ws     bool // all of them are websocket URLs
	secure bool // the options or one URL ask for TLS
	o      *nats.Options
}

// newPool reads Url, which is tried first, and Servers. Both may be comma-separated lists; none is nats.DefaultURL.
func newPool(o *nats.Options) (*pool, error) {
	p := &pool{o: o, secure: o.Secure || o.TLSHandshakeFirst}
	var first, rest []string
	first = appendURLs(first, o.Url)
	for _, s := range o.Servers {
		rest = appendURLs(rest, s)
	}
	if !o.NoRandomize {
		rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	urls := append(first, rest...)
	if len(urls) == 0 {
		urls = []string{nats.DefaultURL}
	}
	for _, u := range urls {
		s, err := p.parse(u)
		if err != nil {
			return nil, err
		}
		ws := s.url.Scheme == "ws" || s.url.Scheme == "wss"
		if len(p.list) == 0 {
			p.ws = ws
		} else if ws != p.ws {
			return nil, nats.ErrMixingWebsocketSchemes
		}
		if s.url.Scheme == "tls" || s.url.Scheme == "wss" {
			p.secure = true
		}
		p.list = append(p.list, s)
	}
	return p, nil
}

func appendURLs(dst []string, list string) []string {
	for u := range strings.SplitSeq(list, ",") {
		if u = strings.TrimSpace(u); u != "" {
			dst = append(dst, u)
		}
	}
	return dst
}

func (p *pool) parse(s string) (*server, error) {
	if !strings.Contains(s, "://") {
		s = p.scheme() + "://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		// The text of a url.Error quotes the URL, password and all.
		return nil, fmt.Errorf("server URL is malformed: %w", err.(*url.Error).Err)
	}
	if u.Port() == "" {
		port := "4222"
		switch u.Scheme {
		case "ws":
			port = "80"
		case "wss":
			port = "443"
		}
		u.Host = strings.TrimSuffix(u.Host, ":") + ":" + port
	}
	return &server{url: u}, nil
}

func (p *pool) scheme() string {
	switch {
	case p.ws && p.secure:
		return "wss"
	case p.ws:
		return "ws"
	case p.secure:
		return "tls"
	}
	return "nats"
}

// failed counts an attempt that failed and moves s to the end of the list, or out of it after MaxReconnect of them.
func (p *pool) failed(s *server) {
	s.attempts++
	p.rotate(s, p.o.MaxReconnect < 0 || s.attempts < p.o.MaxReconnect)
}

// rotate takes s out of its place; keep puts it at the end.
func (p *pool) rotate(s *server, keep bool) {
	list := p.list[:0]
	for _, x := range p.list {
		if x != s {
			list = append(list, x)
		}
	}
	if keep {
		list = append(list, s)
	}
	p.list = list
}

// learn takes the cluster members of an INFO into the pool and drops discovered ones that are no longer members.
func (p *pool) learn(info *nats.ServerInfo, current *server) {
	if len(info.ConnectURLs) == 0 || p.o.IgnoreDiscoveredServers || p.o.InProcessServer != nil {
		return
	}
	members := make(map[string]bool, len(info.ConnectURLs))
	for _, u := range info.ConnectURLs {
		members[u] = true
	}
	list := p.list[:0]
	for _, s := range p.list {
		if !s.discovered || s == current || members[s.url.Host] {
			list = append(list, s)
			delete(members, s.url.Host)
		}
	}
	p.list = list
	for u := range members { // the order of a map is as random as the pool wants to be
		s, err := p.parse(u)
		if err != nil {
			continue
		}
		s.discovered = true
		s.url.User = current.url.User
		if isIP(s.url.Hostname()) && !isIP(current.url.Hostname()) {
			s.tlsName = current.url.Hostname()
		} else if isIP(s.url.Hostname()) {
			s.tlsName = current.tlsName
		}
		p.list = append(p.list, s)
	}
}

func isIP(host string) bool { return net.ParseIP(host) != nil }
