package device

import (
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet/device/edge"
)

const (
	leafPort   = "7422"
	defaultHub = "cloud"
)

// leafOptions are about the server beside the agent.
type leafOptions struct {
	dir    string
	domain string
	url    string
	creds  string
	listen string
}

func (l *leafOptions) bind(c *fisk.CmdClause) {
	c.Flag("leaf", "Run a leaf node of the hub beside the agent, its store in this directory: the device works while the hub is away").PlaceHolder("DIR").StringVar(&l.dir)
	c.Flag("leaf-domain", "JetStream domain of the leaf node; leaf-ID unless given").PlaceHolder("NAME").StringVar(&l.domain)
	c.Flag("leaf-url", "Where the hub takes leaf nodes; port 7422 of the server unless given").PlaceHolder("URL").StringVar(&l.url)
	c.Flag("leaf-creds", "Credentials file of the leaf node; the credentials for the server unless given").PlaceHolder("FILE").StringVar(&l.creds)
	c.Flag("leaf-listen", "Where the leaf node takes other clients; it takes none unless given").PlaceHolder("HOST:PORT").StringVar(&l.listen)
}

func (l *leafOptions) check() error {
	if l.dir == "" && (l.domain != "" || l.url != "" || l.creds != "" || l.listen != "") {
		return fail.Usagef("--leaf-domain, --leaf-url, --leaf-creds and --leaf-listen are for a leaf node: pass --leaf DIR")
	}
	if strings.ContainsAny(l.domain, " .*>\t") {
		return fail.Usagef("--leaf-domain %q: a domain has no spaces, dots, * or >", l.domain)
	}
	if l.listen != "" {
		if _, _, err := net.SplitHostPort(l.listen); err != nil {
			return fail.Usagef("--leaf-listen %q: not HOST:PORT", l.listen)
		}
	}
	return nil
}

// start runs the leaf node of device id. conn is how the agent would reach the hub as a client.
func (l *leafOptions) start(ctx context.Context, e *env.Env, id string, conn nats.Options) (*edge.Server, error) {
	settings := e.Nats.Effective()
	o := edge.Options{
		Dir: e.Files.Path(l.dir), Name: id, Domain: l.domain, Hub: settings.JSDomain, Creds: l.creds, Listen: l.listen,
		Token: conn.Token, User: conn.User, Password: conn.Password, Log: e.Log,
	}
	if o.Domain == "" {
		o.Domain = "leaf-" + id
	}
	if o.Hub == "" {
		o.Hub = defaultHub
	}
	if o.Hub == o.Domain {
		return nil, fail.Usagef("the leaf node and the hub cannot both be JetStream domain %s", o.Hub)
	}
	if o.Creds != "" {
		o.Creds = e.Files.Path(o.Creds)
	}
	u, err := l.hub(conn)
	if err != nil {
		return nil, err
	}
	if conn.UserInfo != nil {
		o.User, o.Password = conn.UserInfo()
	}
	if conn.TokenHandler != nil {
		o.Token = conn.TokenHandler()
	}
	switch given := u.User != nil; {
	case o.Creds != "":
		u.User = nil
	case given:
		// What is in the URL is presented to the hub, and demanded of those who come to us.
		o.Token, o.User, o.Password = "", "", ""
		if password, ok := u.User.Password(); ok {
			o.User, o.Password = u.User.Username(), password
		} else {
			o.Token = u.User.Username()
		}
	case o.Token != "":
		u.User = url.User(o.Token)
	case o.User != "":
		u.User = url.UserPassword(o.User, o.Password)
	case conn.UserJWT != nil || conn.Nkey != "":
		if settings.Creds == "" || contexts.SourceOf("creds", settings.Creds) != contexts.SourceFile {
			return nil, fail.Usagef("a leaf node takes a token, user and password, or a credentials file").WithHint("--leaf-creds FILE")
		}
		o.Creds = strings.TrimPrefix(settings.Creds, "file://")
	}
	o.URL = u.String()
	return edge.Start(ctx, o)
}

// hub is where the hub takes leaf nodes.
func (l *leafOptions) hub(conn nats.Options) (*url.URL, error) {
	text := l.url
	derived := text == ""
	if derived && len(conn.Servers) > 0 {
		text = conn.Servers[0]
	}
	if !strings.Contains(text, "://") {
		text = "nats-leaf://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil, fail.Usagef("--leaf-url: %q is no URL of a hub", contexts.RedactURL(text))
	}
	if derived {
		u.Host = net.JoinHostPort(u.Hostname(), leafPort)
		if u.Scheme == "nats" {
			u.Scheme = "nats-leaf"
		}
	}
	if u.User == nil && !derived && len(conn.Servers) > 0 {
		if server, err := url.Parse(conn.Servers[0]); err == nil {
			u.User = server.User
		}
	}
	return u, nil
}
