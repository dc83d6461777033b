package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/fail"
)

// build makes the options of nats-server from the file and what overrides it. The warnings are the file's.
func (o *Options) build() (so *server.Options, warnings []error, err error) {
	so = &server.Options{}
	if o.Config != "" {
		if warnings, err = readConfig(so, o.Config); err != nil {
			return nil, nil, err
		}
	}
	// A reload asked for over the system account would undo what overrides the file, the demanded credentials among it,
	// and could replace our logger by one that writes to stderr and exits. Without the file's name the server refuses it.
	so.ConfigFile = ""
	o.applyListeners(so)
	if err := o.applyJetStream(so); err != nil {
		return nil, nil, err
	}
	if err := o.applyTopology(so); err != nil {
		return nil, nil, err
	}
	if err := o.applyCredentials(so); err != nil {
		return nil, nil, err
	}
	if o.Name != "" {
		so.ServerName = o.Name
	}
	if o.MaxPayload > 0 {
		so.MaxPayload = int32(o.MaxPayload)
		if so.MaxPending == 0 {
			so.MaxPending = server.MAX_PENDING_SIZE
		}
		so.MaxPending = max(so.MaxPending, o.MaxPayload)
	}
	so.Debug = so.Debug || o.Debug
	so.Trace = so.Trace || o.Trace
	so.NoSigs = true // signals are the caller's
	so.DisableJetStreamBanner = true
	return so, warnings, nil
}

// readConfig parses the file into so. Its errors name file and line; misspelt keys are errors.
func readConfig(so *server.Options, file string) (warnings []error, err error) {
	err = so.ProcessConfigFile(file)
	var parsed interface {
		Errors() []error
		Warnings() []error
	}
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &parsed):
		found := parsed.Errors()
		if len(found) == 0 {
			return parsed.Warnings(), nil
		}
		lines := make([]string, len(found))
		for i, e := range found {
			lines[i] = e.Error() // file:line:column: reason
		}
		return nil, fail.Usagef("config %s", strings.Join(lines, "; "))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, fail.Usagef("config %s: %w", file, errors.Unwrap(err))
	default:
		return nil, fail.Usagef("config %s: %w", file, err)
	}
}

func (o *Options) applyListeners(so *server.Options) {
	if o.Host != "" {
		so.Host = o.Host
	} else if o.Config == "" {
		so.Host = defaultHost
	}
	if o.Port != 0 {
		so.Port = o.Port
	}
	so.DontListen = so.DontListen || o.DontListen
	if o.Websocket != 0 {
		so.Websocket.Port = o.Websocket
		so.Websocket.NoTLS = so.Websocket.TLSConfig == nil
		if so.Websocket.Host == "" {
			so.Websocket.Host = so.Host
		}
	}
	if o.Monitor != 0 {
		so.HTTPPort, so.HTTPSPort = o.Monitor, 0
	}
}

func (o *Options) applyJetStream(so *server.Options) error {
	so.JetStream = (so.JetStream || o.JetStream) && !o.NoJetStream
	if o.Domain != "" {
		so.JetStreamDomain = o.Domain
	}
	if o.Store != "" {
		so.StoreDir = o.Store
	}
	if !so.JetStream {
		return nil
	}
	if so.StoreDir == "" {
		so.StoreDir = os.TempDir() // where nats-server would put it
	}
	dir, err := filepath.Abs(so.StoreDir)
	if err != nil {
		return fail.Newf(fail.Failure, "store %s: %w", so.StoreDir, err)
	}
	so.StoreDir = dir
	return nil
}

func (o *Options) applyTopology(so *server.Options) error {
	for _, l := range o.Leafs {
		u, err := peerURL("nats-leaf", l.URL)
		if err != nil || !slices.Contains([]string{"nats-leaf", "nats", "tls", "ws", "wss"}, u.Scheme) {
			return fail.Usagef("leaf %q: not the URL of a hub", redacted(l.URL))
		}
		so.LeafNode.Remotes = append(so.LeafNode.Remotes, &server.RemoteLeafOpts{
			URLs: []*url.URL{u}, Credentials: l.Creds, TLS: u.Scheme == "tls" || u.Scheme == "wss",
		})
	}
	if o.LeafListen != "" {
		_, host, port, err := listenAddress(o.LeafListen)
		if err != nil {
			return fail.Usagef("leaf node address %q: %w", redacted(o.LeafListen), err)
		}
		so.LeafNode.Host, so.LeafNode.Port = host, port
	}
	if o.Cluster != "" {
		so.Cluster.Name = o.Cluster
	}
	switch {
	case o.ClusterListen != "":
		user, host, port, err := listenAddress(o.ClusterListen)
		if err != nil {
			return fail.Usagef("cluster address %q: %w", redacted(o.ClusterListen), err)
		}
		so.Cluster.Host, so.Cluster.Port = host, port
		if user != nil {
			so.Cluster.Username = user.Username()
			so.Cluster.Password, _ = user.Password()
		}
	case (o.Cluster != "" || len(o.Routes) > 0) && so.Cluster.Port == 0:
		so.Cluster.Host, so.Cluster.Port = so.Host, -1
	}
	for _, r := range o.Routes {
		u, err := peerURL("nats", r)
		if err != nil || u.Port() == "" {
			return fail.Usagef("route %q: not the host:port of a server's cluster address", redacted(r))
		}
		so.Routes = append(so.Routes, u)
	}
	return o.checkCluster(so)
}

// checkCluster finds what keeps JetStream from running in a cluster: nats-server tells only after it has begun to start.
func (o *Options) checkCluster(so *server.Options) error {
	switch {
	case so.Cluster.Port == 0:
	case so.DontListen:
		return fail.Usagef("a server without a client port cannot be part of a cluster")
	case !so.JetStream:
	case so.Cluster.Name == "":
		return fail.Usagef("a cluster with JetStream has no name").WithHint("--cluster NAME")
	case len(so.Routes) == 0 && len(so.LeafNode.Remotes) == 0:
		return fail.Usagef("cluster %s with JetStream has no routes to its other servers", so.Cluster.Name).
			WithHint("--routes HOST:PORT,HOST:PORT or --no-jetstream")
	}
	return nil
}

// applyCredentials puts every client into the default account, whichever credentials are demanded of it, so that
// a store keeps its streams when they change.
func (o *Options) applyCredentials(so *server.Options) error {
	if !o.demandsCredentials() {
		return nil
	}
	if hasAuthorization(so) {
		return fail.Usagef("config %s has its own accounts or authorization: no other credentials can be demanded", o.Config)
	}
	// With just the default and the system account, and no authorization section, nats-server lets in whoever presents
	// nothing. That a section was there is known to its parser alone.
	if err := so.ProcessConfigString("authorization { timeout: 2 }"); err != nil {
		return fmt.Errorf("authorization: %w", err)
	}
	so.Authorization = o.Token
	if o.User != "" {
		so.Users = append(so.Users, &server.User{Username: o.User, Password: o.Password})
	}
	if o.Token != "" && so.LeafNode.Port != 0 {
		// A leaf node presents its token as its user too, which is looked up first.
		leafs := map[string]struct{}{jwt.ConnectionTypeLeafnode: {}}
		so.Users = append(so.Users, &server.User{Username: o.Token, AllowedConnectionTypes: leafs})
	}
	if o.SystemUser == "" {
		return nil
	}
	system := server.NewAccount(server.DEFAULT_SYSTEM_ACCOUNT)
	so.Accounts = append(so.Accounts, system)
	so.SystemAccount = system.Name
	so.Users = append(so.Users, &server.User{Username: o.SystemUser, Password: o.SystemPassword, Account: system})
	if o.Token == "" && o.User == "" {
		so.NoAuthUser = "anonymous-" + rand.Text()
		so.Users = append(so.Users, &server.User{Username: so.NoAuthUser, Password: rand.Text()})
	}
	return nil
}

func hasAuthorization(so *server.Options) bool {
	own := func(a *server.Account) bool { return a.Name != server.DEFAULT_GLOBAL_ACCOUNT }
	return so.Username != "" || so.Authorization != "" || len(so.Users) > 0 || len(so.Nkeys) > 0 || slices.ContainsFunc(so.Accounts, own) ||
		so.AuthCallout != nil || len(so.TrustedOperators) > 0 || len(so.TrustedKeys) > 0 || so.SystemAccount != ""
}

// listenAddress takes [scheme://][user:password@]host:port apart; the port may be -1.
func listenAddress(s string) (user *url.Userinfo, host string, port int, err error) {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if at := strings.LastIndex(s, "@"); at >= 0 {
		u, err := url.Parse("nats://" + s[:at] + "@host")
		if err != nil {
			return nil, "", 0, errors.New("user and password cannot be read")
		}
		if _, ok := u.User.Password(); !ok {
			return nil, "", 0, errors.New("the user has no password")
		}
		user, s = u.User, s[at+1:]
	}
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return nil, "", 0, errors.New("not host:port")
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < -1 || port == 0 || port > 65535 {
		return nil, "", 0, fmt.Errorf("port %q: not between 1 and 65535, or -1 to pick one", text)
	}
	return user, host, port, nil
}

// peerURL parses the URL of another server; the scheme may be left out.
func peerURL(scheme, s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = scheme + "://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("not a URL") // the parser's error repeats the password
	}
	if u.Hostname() == "" {
		return nil, errors.New("no host")
	}
	return u, nil
}

// redacted is the URL without its user and password.
func redacted(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	} else {
		scheme += "://"
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + rest
}
