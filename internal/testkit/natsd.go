// Package testkit starts real NATS servers for tests: single ones, clusters, superclusters and leaf nodes, on loopback
// ports of their own, stopped with the test.
package testkit

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/embedded/settle"
)

const (
	// startWait bounds what takes milliseconds, but may take long on a busy machine.
	startWait = 30 * time.Second
	// reconnectWait is how soon clients and leaf nodes come back to a server that was restarted.
	reconnectWait = 20 * time.Millisecond
	// startTries is how often a server is started anew when another process took one of its ports.
	startTries = 10
)

// ports are those of a server; kept between restarts. 0 is off.
type ports struct{ client, leaf, websocket, monitor int }

// NATS is a running server. Its methods may be called from several goroutines of one test.
type NATS struct {
	t     testing.TB
	setup *setup
	store string
	ports ports
	log   *serverLog

	mu    sync.Mutex
	srv   *server.Server
	conns map[string]*nats.Conn // by URL and credentials
}

// Server starts a server on a free port, with JetStream in a directory of the test's, and stops it when the test ends.
// It is fast enough (about 5 ms) for every test to have its own.
func Server(t testing.TB, opts ...Option) *NATS {
	t.Helper()
	n := newNATS(t, newSetup(t, opts))
	n.start()
	return n
}

func newNATS(t testing.TB, s *setup) *NATS {
	t.Helper()
	s.name = or(s.name, "test")
	n := &NATS{t: t, setup: s, log: &serverLog{}, conns: map[string]*nats.Conn{}}
	if !s.noJS {
		n.store = t.TempDir()
	}
	t.Cleanup(func() {
		n.Stop()
		if t.Failed() {
			t.Logf("server %s:\n%s", s.name, n.log.text())
		}
	})
	return n
}

// start takes ports and runs the server; with ports of its own it tries others when one is taken.
func (n *NATS) start() {
	n.t.Helper()
	var err error
	for range startTries {
		n.pickPorts()
		if err = n.run(); err == nil {
			return
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	n.t.Fatalf("server %s: %v", n.setup.name, err)
}

func (n *NATS) pickPorts() {
	n.t.Helper()
	n.ports = ports{client: freePort(n.t), leaf: freePort(n.t)}
	if n.setup.websocket {
		n.ports.websocket = freePort(n.t)
	}
	if n.setup.monitor {
		n.ports.monitor = freePort(n.t)
	}
}

// run starts the server on the ports it has and returns when it listens.
func (n *NATS) run() error {
	o, err := n.setup.options(n.store, n.ports)
	if err != nil {
		return err
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return err
	}
	n.log.forget()
	srv.SetLoggerV2(n.log, o.Debug, o.Trace, false)
	srv.Start()
	listens := holds(startWait, func() bool { return n.log.fatal() != "" || srv.ReadyForConnections(time.Millisecond) })
	if fatal := n.log.fatal(); fatal != "" || !listens {
		srv.Shutdown()
		srv.WaitForShutdown()
		return fmt.Errorf("does not listen: %s", fatal)
	}
	n.mu.Lock()
	n.srv = srv
	n.mu.Unlock()
	return nil
}

// Stop stops the server, if it runs, and waits until it is gone. Connections stay and try to come back.
func (n *NATS) Stop() {
	n.mu.Lock()
	srv := n.srv
	n.srv = nil
	n.mu.Unlock()
	if srv != nil {
		settle.Wait(srv)
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// Restart stops the server, if it runs, and starts it on the same ports with the same store. The connections that Conn and
// its like gave out are back when it returns.
func (n *NATS) Restart() {
	n.t.Helper()
	n.Stop()
	var err error
	back := holds(startWait, func() bool {
		err = n.run()
		return err == nil || !strings.Contains(err.Error(), "address already in use")
	})
	if err != nil || !back {
		n.t.Fatalf("restart of server %s: %v", n.setup.name, err)
	}
	n.awaitConns()
}

// awaitConns waits until every connection is with the server as it runs now: one that has not noticed yet that its
// server is gone is connected too.
func (n *NATS) awaitConns() {
	n.t.Helper()
	n.mu.Lock()
	conns := slices.Collect(maps.Values(n.conns))
	n.mu.Unlock()
	for _, nc := range conns {
		awaitConn(n.t, nc, n)
	}
}

func awaitConn(t testing.TB, nc *nats.Conn, with ...*NATS) {
	t.Helper()
	Eventually(t, startWait, "connections are back", func() bool {
		return nc.IsClosed() || nc.IsConnected() && slices.ContainsFunc(with, func(n *NATS) bool {
			srv := n.Server()
			return srv != nil && srv.ID() == nc.ConnectedServerId()
		})
	})
}

// Server is the nats-server itself; nil when it is stopped.
func (n *NATS) Server() *server.Server {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.srv
}

// Name is the name of the server.
func (n *NATS) Name() string { return n.setup.name }

// Store is the directory of JetStream; empty without.
func (n *NATS) Store() string { return n.store }

// Port is the client port.
func (n *NATS) Port() int { return n.ports.client }

// URL is where clients connect, without credentials.
func (n *NATS) URL() string { return n.url(nil) }

// AuthURL is URL with what WithToken or WithUser demands of clients.
func (n *NATS) AuthURL() string { return n.url(n.setup.userinfo()) }

// SysURL is URL with the user of the system account; with WithJWT there is SysCredsFile instead.
func (n *NATS) SysURL() string {
	n.t.Helper()
	if n.setup.jwt {
		n.t.Fatalf("server %s knows users by their credentials: SysCredsFile", n.setup.name)
	}
	return n.url(url.UserPassword("sys", "sys"))
}

// UserURL is URL with the name and password of a user of the fixture.
func (n *NATS) UserURL(name string) string {
	n.t.Helper()
	password, ok := n.setup.users[name]
	if !ok {
		n.t.Fatalf("server %s has no user %q", n.setup.name, name)
	}
	return n.url(url.UserPassword(name, password))
}

func (n *NATS) url(user *url.Userinfo) string {
	scheme := "nats"
	if n.setup.tls {
		scheme = "tls"
	}
	return (&url.URL{Scheme: scheme, User: user, Host: address(n.ports.client)}).String()
}

// WebsocketURL is where websocket clients connect, given WithWebsocket.
func (n *NATS) WebsocketURL() string { return "ws://" + address(n.ports.websocket) }

// MonitorURL is the root of the monitoring pages, given WithMonitor.
func (n *NATS) MonitorURL() string { return "http://" + address(n.ports.monitor) }

// LeafURL is where leaf nodes connect, without credentials.
func (n *NATS) LeafURL() string { return "nats-leaf://" + address(n.ports.leaf) }

// CAFile is the certificate of the test's CA, given WithTLS.
func (n *NATS) CAFile() string { return n.setup.ca.caFile }

// CertFile is the server's certificate, good for clients too, given WithTLS.
func (n *NATS) CertFile() string { return n.setup.ca.certFile }

// KeyFile is the key of CertFile.
func (n *NATS) KeyFile() string { return n.setup.ca.keyFile }

// CredsFile is the credentials file of a user of account APP, given WithJWT.
func (n *NATS) CredsFile() string { return n.setup.creds }

// SysCredsFile is the credentials file of a user of the system account, given WithJWT.
func (n *NATS) SysCredsFile() string { return n.setup.sysCreds }

// Conn is a connection as an ordinary client, always the same, closed when the test ends.
func (n *NATS) Conn() *nats.Conn {
	n.t.Helper()
	return n.connect(n.AuthURL(), n.setup.creds)
}

// SysConn is a connection to the system account, always the same, closed when the test ends.
func (n *NATS) SysConn() *nats.Conn {
	n.t.Helper()
	if n.setup.jwt {
		return n.connect(n.URL(), n.setup.sysCreds)
	}
	return n.connect(n.SysURL(), "")
}

// UserConn is a connection as a user of the fixture, the same for each user, closed when the test ends.
func (n *NATS) UserConn(name string) *nats.Conn {
	n.t.Helper()
	return n.connect(n.UserURL(name), "")
}

func (n *NATS) connect(url, creds string) *nats.Conn {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	key := url + " " + creds
	if nc, ok := n.conns[key]; ok {
		return nc
	}
	n.conns[key] = connect(n.t, url, n.setup.clientOptions(creds)...)
	return n.conns[key]
}

func connect(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatalf("connecting to %s: %v", url, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// JS is JetStream over Conn.
func (n *NATS) JS() jetstream.JetStream {
	n.t.Helper()
	js, err := jetstream.New(n.Conn())
	if err != nil {
		n.t.Fatalf("JetStream of server %s: %v", n.setup.name, err)
	}
	return js
}

// AwaitInterest waits until something subscribes, here or behind a route or a leaf node, to the literal subject in the account
// of ordinary clients: a command under test that is about to receive, for example.
func (n *NATS) AwaitInterest(subject string) {
	n.t.Helper()
	Eventually(n.t, startWait, "something subscribes to "+subject, func() bool {
		account, err := n.Server().LookupAccount(or(n.setup.account, server.DEFAULT_GLOBAL_ACCOUNT))
		return err == nil && account.SubscriptionInterest(subject)
	})
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
