package page

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
)

// credentials are what a browser is handed in the part of the address that it sends to nobody. Nil for none.
type credentials struct{ user, password, token string }

func (c *credentials) fragment() string {
	if c == nil {
		return ""
	}
	q := url.Values{}
	if c.token != "" {
		q.Set("token", c.token)
	} else {
		q.Set("user", c.user)
		q.Set("password", c.password)
	}
	return "#" + q.Encode()
}

// connection is the server to propose, without credentials, and the credentials to hand out if they are wanted.
func connection(ctx context.Context, e *env.Env, o pageOptions) (string, *credentials, error) {
	if o.websocket != "" && !o.withCredentials {
		return o.websocket, nil, nil
	}
	r, err := e.Settings(ctx)
	if err != nil {
		return "", nil, err
	}
	socket, owner := o.websocket, (*url.Userinfo)(nil)
	if own, user := websockets(r.URL); socket == "" {
		socket, owner = own, user
	}
	if !o.withCredentials {
		return socket, nil, nil
	}
	if socket == "" {
		return "", nil, fail.Usagef("--with-credentials needs the server that they are for: pass --websocket URL")
	}
	given, err := handedOut(ctx, e, r, owner)
	return socket, given, err
}

// websockets are the URLs among servers that a browser can use, without credentials, and the credentials in the first.
func websockets(servers string) (string, *url.Userinfo) {
	var urls []string
	var owner *url.Userinfo
	for one := range strings.SplitSeq(servers, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
			continue
		}
		if owner == nil {
			owner = u.User
		}
		u.User = nil
		urls = append(urls, u.String())
	}
	return strings.Join(urls, ","), owner
}

// handedOut looks the credentials of the context up. Only those can be handed out that fit into an address.
func handedOut(ctx context.Context, e *env.Env, r contexts.Resolved, owner *url.Userinfo) (*credentials, error) {
	if _, embedded := r.Embedded(); embedded {
		return nil, fail.Usagef("--with-credentials: an embedded server has none")
	}
	opts, err := e.Nats.Options(ctx)
	if err != nil {
		return nil, err
	}
	c := &credentials{user: opts.User, password: opts.Password, token: opts.Token}
	if owner != nil && c.user == "" && c.token == "" {
		if password, both := owner.Password(); both {
			c.user, c.password = owner.Username(), password
		} else {
			c.token = owner.Username()
		}
	}
	if c.token == "" && (c.user == "" || c.password == "") {
		return nil, fail.Usagef("--with-credentials hands out a token, or a user and password, and %s is neither", r.Who()).
			WithHint("leave it out: the page takes a credentials file too")
	}
	return c, nil
}

// addresses are the URLs of the page, those that other machines reach first when it is served on all addresses.
func addresses(addr net.Addr, listen string) []string {
	_, port, _ := net.SplitHostPort(addr.String())
	host, _, _ := net.SplitHostPort(listen)
	page := func(host string) string { return "http://" + net.JoinHostPort(host, port) + "/" }
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return []string{page(host)}
	}
	var urls []string
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			urls = append(urls, page(n.IP.String()))
		}
	}
	slices.Sort(urls)
	return append(urls, page("127.0.0.1"))
}
