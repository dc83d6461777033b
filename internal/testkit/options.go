package testkit

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const loopback = "127.0.0.1"

// The limits of JetStream on a test server: fixed, so that no test depends on the machine.
const (
	maxMemory = 1 << 30
	maxStore  = 10 << 30
)

// Option changes a server fixture.
type Option func(*setup)

// setup is what a fixture is made of. The configuration text is kept, since a restart parses it again.
type setup struct {
	name      string
	noJS      bool
	domain    string
	token     string
	user      string
	password  string
	websocket bool
	monitor   bool
	text      []string          // configuration sections
	users     map[string]string // user → password
	jwt       bool
	tls       bool
	verify    bool
	creds     string // files
	sysCreds  string
	hasSys    bool   // there is a system user that we know
	account   string // of clients, for leaf nodes; empty for the default one
	ca        *certificates

	cluster     string
	clusterPort int
	routes      []int
	gateways    []gateway
	gatewayPort int
	remotes     []remote
}

type gateway struct {
	name  string
	ports []int
}

type remote struct {
	url     *url.URL
	creds   string
	account string
}

func newSetup(t testing.TB, opts []Option) *setup {
	t.Helper()
	s := &setup{users: map[string]string{}}
	for _, o := range opts {
		o(s)
	}
	if s.jwt {
		s.makeOperator(t)
	}
	if s.tls {
		s.ca = makeCertificates(t)
		s.text = append(s.text, s.ca.config(s.verify))
	}
	return s
}

// WithName names the server; default "test", in clusters the name of the cluster and a number.
func WithName(name string) Option { return func(s *setup) { s.name = name } }

// WithoutJetStream is a server of core NATS alone.
func WithoutJetStream() Option { return func(s *setup) { s.noJS = true } }

// WithDomain sets the JetStream domain.
func WithDomain(name string) Option { return func(s *setup) { s.domain = name } }

// WithToken demands a token of clients; the system user is sys with password sys.
func WithToken(token string) Option { return func(s *setup) { s.token = token } }

// WithUser demands a user and password of clients; the system user is sys with password sys.
func WithUser(user, password string) Option {
	return func(s *setup) { s.user, s.password, s.users[user] = user, password, password }
}

// WithConfig adds text in the language of nats-server's configuration files.
func WithConfig(text string) Option { return func(s *setup) { s.text = append(s.text, text) } }

// WithWebsocket opens a websocket port without TLS.
func WithWebsocket() Option { return func(s *setup) { s.websocket = true } }

// WithMonitor opens the HTTP monitoring port.
func WithMonitor() Option { return func(s *setup) { s.monitor = true } }

// WithTLS makes clients use TLS, with certificates of a CA made for the test.
func WithTLS() Option { return func(s *setup) { s.tls = true } }

// WithTLSVerify is WithTLS and demands a certificate of clients; the server's own will do.
func WithTLSVerify() Option { return func(s *setup) { s.tls, s.verify = true, true } }

// WithJWT runs the server in operator mode with a memory resolver: a system account and the account APP with JetStream,
// and a credentials file for a user of each.
func WithJWT() Option { return func(s *setup) { s.jwt = true } }

const limitedUser = `{ user: limited, password: limited, permissions: { publish: ["ok.>", "_INBOX.>"], subscribe: ["ok.>", "_INBOX.>"] } }`

// WithAccounts is account APP with JetStream and user app, who anybody without credentials is; user limited in it, who may
// publish and subscribe to ok.> and _INBOX.> alone; and account SYS, the system account, with user sys.
// Each password is the name of its user.
func WithAccounts() Option {
	return func(s *setup) {
		s.account = "APP"
		s.knows("app", "limited", "sys")
		s.text = append(s.text, fmt.Sprintf(accountsText, "", ""))
	}
}

// WithAccountsLimited is WithAccounts with, in APP, user nostream who may neither create nor delete streams; account B
// with user b, whose streams need max_bytes and which has limits (memory 1 MiB, store 10 MiB, 5 streams, 10 consumers);
// and account NOJS without JetStream, with user nojs.
func WithAccountsLimited() Option {
	return func(s *setup) {
		s.account = "APP"
		s.knows("app", "limited", "sys", "nostream", "b", "nojs")
		s.text = append(s.text, fmt.Sprintf(accountsText, nostreamUser, moreAccounts))
	}
}

const accountsText = `
accounts {
  APP {
    jetstream: enabled
    users: [
      { user: app, password: app }
      ` + limitedUser + `
      %s
    ]
  }
  SYS { users: [ { user: sys, password: sys } ] }
  %s
}
system_account: SYS
no_auth_user: app
`

const nostreamUser = `{ user: nostream, password: nostream, permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>", "$JS.API.STREAM.DELETE.>"] } } }`

const moreAccounts = `
  B {
    jetstream { max_memory: 1MiB, max_store: 10MiB, max_streams: 5, max_consumers: 10, max_bytes_required: true }
    users: [ { user: b, password: b } ]
  }
  NOJS { users: [ { user: nojs, password: nojs } ] }
`

func (s *setup) knows(users ...string) {
	for _, u := range users {
		s.users[u] = u
	}
}

// hasAccounts tells whether the configuration text brings the system account.
func (s *setup) hasAccounts() bool {
	_, ok := s.users["sys"]
	return ok || s.jwt
}

// options builds what the server is started with.
func (s *setup) options(store string, p ports) (*server.Options, error) {
	o := &server.Options{}
	if len(s.text) > 0 {
		if err := o.ProcessConfigString(strings.Join(s.text, "\n")); err != nil {
			return nil, err
		}
	}
	o.ServerName = s.name
	o.Host, o.Port = loopback, p.client
	o.NoSigs, o.DisableJetStreamBanner = true, true
	if !s.noJS {
		o.JetStream = true
		o.JetStreamDomain = or(s.domain, o.JetStreamDomain)
		o.StoreDir = or(o.StoreDir, store)
		if o.JetStreamMaxMemory <= 0 {
			o.JetStreamMaxMemory = maxMemory
		}
		if o.JetStreamMaxStore <= 0 {
			o.JetStreamMaxStore = maxStore
		}
	}
	if s.websocket {
		o.Websocket.Host, o.Websocket.Port, o.Websocket.NoTLS = loopback, p.websocket, true
	}
	if s.monitor {
		o.HTTPHost, o.HTTPPort = loopback, p.monitor
	}
	if o.LeafNode.Port == 0 {
		o.LeafNode.Host, o.LeafNode.Port = loopback, p.leaf
	}
	o.LeafNode.ReconnectInterval = reconnectWait
	if err := s.authorize(o); err != nil {
		return nil, err
	}
	s.topology(o)
	return o, nil
}

// authorize adds the system user, and what WithToken and WithUser demand.
func (s *setup) authorize(o *server.Options) error {
	if s.hasAccounts() {
		s.hasSys = true
		return nil
	}
	isSystem := func(a *server.Account) bool { return a.Name == server.DEFAULT_SYSTEM_ACCOUNT }
	if o.SystemAccount != "" || slices.ContainsFunc(o.Accounts, isSystem) {
		return nil
	}
	s.hasSys = true
	if s.token != "" || s.user != "" {
		// Without an authorization section nats-server would let in whoever presents nothing.
		if err := o.ProcessConfigString("authorization { timeout: 5 }"); err != nil {
			return err
		}
	}
	o.Authorization = s.token
	if s.user != "" {
		o.Users = append(o.Users, &server.User{Username: s.user, Password: s.password})
	}
	if s.token != "" {
		// A leaf node presents its token as its user too, which is looked up first.
		leafs := map[string]struct{}{jwt.ConnectionTypeLeafnode: {}}
		o.Users = append(o.Users, &server.User{Username: s.token, AllowedConnectionTypes: leafs})
	}
	system := server.NewAccount(server.DEFAULT_SYSTEM_ACCOUNT)
	o.Accounts = append(o.Accounts, system)
	o.SystemAccount = system.Name
	o.Users = append(o.Users, &server.User{Username: "sys", Password: "sys", Account: system})
	return nil
}

// userinfo is what clients present in the URL; nil for nothing.
func (s *setup) userinfo() *url.Userinfo {
	switch {
	case s.token != "":
		return url.User(s.token)
	case s.user != "":
		return url.UserPassword(s.user, s.password)
	}
	return nil
}

// clientOptions are the options that the fixture's own connections need besides the URL.
func (s *setup) clientOptions(creds string) []nats.Option {
	opts := []nats.Option{nats.IgnoreDiscoveredServers(), nats.MaxReconnects(-1), nats.ErrorHandler(ignoreErrors), nats.ReconnectWait(reconnectWait), nats.Timeout(startWait)}
	if creds != "" {
		opts = append(opts, nats.UserCredentials(creds))
	}
	if s.ca != nil {
		opts = append(opts, nats.RootCAs(s.ca.caFile))
		if s.verify {
			opts = append(opts, nats.ClientCert(s.ca.certFile, s.ca.keyFile))
		}
	}
	return opts
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// ignoreErrors keeps nats.go from printing; a test that awaits an asynchronous error sets its own handler.
func ignoreErrors(*nats.Conn, *nats.Subscription, error) {}
