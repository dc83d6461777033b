package embedded

import (
	"log/slog"
	"math"
	"os"
	"strings"

	"github.com/natskit/natskit/internal/fail"
)

// defaultHost is where a server without a configuration file listens: this machine alone.
const defaultHost = "127.0.0.1"

// Options says what server to run. The zero value is a core server on 127.0.0.1:4222 that lets everybody in.
//
// With Config the file decides, and only options that are not their zero value override it, as each field says.
type Options struct {
	// Name is the name of the server, without spaces. Empty means the file's, else one derived from Store
	// (the same at each start), else the random id of the server.
	Name string
	// Host is the address to listen on for clients; the listeners below share it when Config does not set theirs.
	// Empty means the file's, else 127.0.0.1.
	Host string
	// Port is the client port; -1 picks a free one, 0 means the file's, else 4222.
	Port int
	// DontListen opens no client port: connections come from InProcessConn alone. A cluster needs the port.
	DontListen bool

	// JetStream turns JetStream on; with Config false leaves what the file says.
	JetStream bool
	// NoJetStream turns JetStream off although Config turns it on.
	NoJetStream bool
	// Store is the directory of JetStream, made with mode 0700 and locked while the server runs.
	// Required by JetStream unless Config is given; overrides the file's store_dir.
	Store string
	// Clean removes what an earlier run left in Store, once the lock is held.
	Clean bool
	// Domain is the JetStream domain; overrides the file's.
	Domain string

	// Websocket is the port for websocket connections without TLS (with the file's TLS when it has a websocket section):
	// 0 is off or the file's, -1 picks a free one.
	Websocket int
	// Monitor is the port of the HTTP monitoring pages: 0 is off or the file's, -1 picks a free one.
	Monitor int

	// Config is a nats-server configuration file, honoured whole: logging, TLS, accounts, operators, resolvers and all.
	// It is read once: the server refuses a reload that is asked for over the system account.
	Config string

	// Leafs are hubs to connect to as a leaf node, in addition to the file's remotes.
	Leafs []Leaf
	// LeafListen is the host:port on which to accept leaf nodes, port -1 picks a free one; overrides the file's.
	LeafListen string
	// Cluster is the name of the cluster to be part of; overrides the file's.
	Cluster string
	// ClusterListen is the address for routes, [user:password@]host:port, port -1 picks a free one;
	// empty with Cluster or Routes means a free port on Host. Overrides the file's.
	ClusterListen string
	// Routes are the cluster addresses of other servers, [nats://][user:password@]host:port, in addition to the file's.
	// JetStream in a cluster needs those of all its servers: from their number it knows what a majority is.
	Routes []string

	// Token is the token that clients must present. Excludes User, and a Config that has its own authorization.
	Token string
	// User and Password are what clients must present. They exclude a Config that has its own authorization.
	User, Password string
	// SystemUser and SystemPassword belong to the user of the system account. Without Token or User, clients that
	// present nothing are let into the default account. They exclude a Config that has its own authorization.
	SystemUser, SystemPassword string

	// MaxPayload is the largest message in bytes; 0 means the file's, else 1 MiB.
	MaxPayload int64
	// Log takes the server's log lines; nil discards them. Debug and trace lines come at level Debug.
	Log *slog.Logger
	// Debug and Trace make the server produce those lines; false leaves what Config says.
	Debug, Trace bool
}

// Leaf is a hub to connect to as a leaf node of the default account.
type Leaf struct {
	// URL is the leaf node address of the hub: nats-leaf, nats, tls, ws or wss scheme or none, port 7422 unless given.
	// A user and password in it are presented to the hub.
	URL string
	// Creds is the file of a JWT and its seed to present; empty for none.
	Creds string
}

// check finds what can be said to be wrong without reading a file.
func (o *Options) check() error {
	for _, p := range []struct {
		what string
		port int
	}{{"port", o.Port}, {"websocket port", o.Websocket}, {"monitor port", o.Monitor}} {
		if p.port < -1 || p.port > math.MaxUint16 {
			return fail.Usagef("%s %d: not between 0 and 65535, or -1 to pick one", p.what, p.port)
		}
	}
	switch {
	case strings.ContainsAny(o.Name, " \t\r\n"):
		return fail.Usagef("server name %q: contains spaces", o.Name)
	case o.JetStream && o.NoJetStream:
		return fail.Usagef("JetStream is both asked for and refused")
	case o.JetStream && o.Store == "" && o.Config == "":
		return fail.Usagef("JetStream has no store directory")
	case o.MaxPayload < 0 || o.MaxPayload > math.MaxInt32:
		return fail.Usagef("largest payload %d: not between 1 and %d bytes", o.MaxPayload, math.MaxInt32)
	case o.Config == "" && o.Cluster == "" && (o.ClusterListen != "" || len(o.Routes) > 0):
		return fail.Usagef("a server with routes has no cluster name").WithHint("--cluster NAME")
	}
	if err := o.checkCredentials(); err != nil {
		return err
	}
	for _, l := range o.Leafs {
		if l.Creds == "" {
			continue
		}
		if _, err := os.Stat(l.Creds); err != nil {
			return fail.Newf(fail.CodeOf(err), "credentials of leaf %s: %w", redacted(l.URL), err)
		}
	}
	return nil
}

func (o *Options) checkCredentials() error {
	switch {
	case o.Token != "" && o.User != "":
		return fail.Usagef("both a token and user %q are demanded of clients: it can be only one", o.User)
	case o.User != "" && o.Password == "":
		return fail.Usagef("user %q has no password", o.User)
	case o.User == "" && o.Password != "":
		return fail.Usagef("the password has no user")
	case o.SystemUser != "" && o.SystemPassword == "":
		return fail.Usagef("system user %q has no password", o.SystemUser)
	case o.SystemUser == "" && o.SystemPassword != "":
		return fail.Usagef("the system password has no system user")
	case o.SystemUser != "" && o.SystemUser == o.User:
		return fail.Usagef("user %q is the system user too", o.User)
	}
	return nil
}

// demandsCredentials tells whether any of the credentials above is set.
func (o *Options) demandsCredentials() bool {
	return o.Token != "" || o.User != "" || o.SystemUser != ""
}
