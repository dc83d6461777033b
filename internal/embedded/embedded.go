// Package embedded runs a nats-server in this process: it says why one does not start, locks its store, and stops it
// with everything that was acknowledged on disk.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/embedded/settle"
	"github.com/natskit/natskit/internal/fail"
)

// readyPoll is how often the listeners that nats-server opens in the background are looked at.
const readyPoll = 5 * time.Millisecond

// Server is a nats-server in this process. Its methods may be called from any goroutine.
type Server struct {
	srv     *server.Server
	log     *capture
	lock    *storeLock // nil without JetStream
	store   string
	started time.Time

	urls struct{ client, websocket, monitor, cluster, leaf string }

	done chan struct{}
	err  error // set before done is closed

	stopOnce sync.Once
	stopping chan struct{}
}

// Start runs a server and returns when it accepts connections and its streams are recovered. In a cluster JetStream
// answers once a majority of its servers runs; Start does not wait for the others. ctx bounds the start alone: Stop ends the server.
//
// Errors: fail.Usage for options or a configuration that make no server (file and line are named), fail.Failure for a port
// in use, a store that another server holds (its process and URL are named) and whatever else keeps it from running.
func Start(ctx context.Context, o Options) (*Server, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	so, warnings, err := o.build()
	if err != nil {
		return nil, err
	}
	s := &Server{started: time.Now(), done: make(chan struct{}), stopping: make(chan struct{})}
	if so.JetStream {
		s.store = so.StoreDir
		if s.lock, err = lockStore(so.StoreDir); err != nil {
			return nil, err
		}
	}
	if err := s.start(ctx, &o, so, warnings); err != nil {
		return nil, errors.Join(err, s.release())
	}
	go s.watch()
	return s, nil
}

func (s *Server) start(ctx context.Context, o *Options, so *server.Options, warnings []error) error {
	if s.lock != nil {
		so.ServerName = or(so.ServerName, s.lock.id)
		if err := s.note(holder{PID: os.Getpid(), Name: so.ServerName}); err != nil {
			return err
		}
	}
	if err := checkPorts(ctx, so); err != nil {
		return err
	}
	file, err := logOf(so)
	if err != nil {
		return err
	}
	s.log = newCapture(o.Log, file)
	s.log.ours = o.Config == ""
	for _, w := range warnings {
		s.log.Warnf("config: %v", w)
	}
	if s.srv, err = server.NewServer(so); err != nil {
		return refused(o, err)
	}
	s.srv.SetLoggerV2(s.log, so.Debug, so.Trace, so.TraceVerbose)
	// Last, for nothing is to be lost to a server that then cannot start.
	if s.lock != nil && o.Clean {
		if err := s.lock.clean(); err != nil {
			return err
		}
	}
	s.srv.Start()
	if err = s.ready(ctx); err == nil {
		s.locate(so)
		err = s.note(holder{PID: os.Getpid(), Name: s.srv.Name(), URL: s.urls.client})
	}
	if err != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
	}
	return err
}

// note tells other processes who holds the store.
func (s *Server) note(h holder) error {
	if s.lock == nil {
		return nil
	}
	if err := s.lock.note(h); err != nil {
		return fail.Newf(fail.Failure, "store %s: lock: %w", s.store, err)
	}
	return nil
}

// release lets go of the store and the log file.
func (s *Server) release() error {
	var err error
	if s.lock != nil {
		if e := s.lock.release(); e != nil {
			err = fmt.Errorf("store %s: lock: %w", s.store, e)
		}
	}
	if s.log != nil {
		err = errors.Join(err, s.log.close())
	}
	return err
}

// refused classifies the errors of NewServer: all but those of the network come from the configuration.
func refused(o *Options, err error) error {
	where := "server"
	if o.Config != "" {
		where = "config " + o.Config
	}
	var network net.Error
	if errors.As(err, &network) {
		return fail.Newf(fail.Failure, "%s: %w", where, err)
	}
	return fail.Usagef("%s: %w", where, err)
}

// ready waits for the listeners that are opened in the background, the cluster's.
func (s *Server) ready(ctx context.Context) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		select {
		case line := <-s.log.fatal:
			return s.fatal(line)
		default:
		}
		if s.srv.ReadyForConnections(time.Millisecond) {
			return context.Cause(ctx)
		}
		select {
		case line := <-s.log.fatal:
			return s.fatal(line)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (s *Server) fatal(line string) error {
	if s.store != "" {
		return fail.Newf(fail.Failure, "server with store %s: %s", s.store, line)
	}
	return fail.Newf(fail.Failure, "server: %s", line)
}

// locate notes where the server listens, now that every port is known.
func (s *Server) locate(so *server.Options) {
	at := func(scheme, host string, port int) string {
		return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(reachable(host), strconv.Itoa(port))}).String()
	}
	if a, ok := s.srv.Addr().(*net.TCPAddr); ok {
		s.urls.client = at(secured("nats", "tls", so.TLSConfig != nil && !so.AllowNonTLS), so.Host, a.Port)
	}
	if so.Websocket.Port != 0 {
		s.urls.websocket = at(secured("ws", "wss", so.Websocket.TLSConfig != nil), so.Websocket.Host, so.Websocket.Port)
	}
	if a := s.srv.MonitorAddr(); a != nil {
		s.urls.monitor = at(secured("http", "https", so.HTTPSPort != 0), or(so.HTTPHost, so.Host), a.Port)
	}
	if a := s.srv.ClusterAddr(); a != nil {
		s.urls.cluster = at(secured("nats", "tls", so.Cluster.TLSConfig != nil), so.Cluster.Host, a.Port)
	}
	if so.LeafNode.Port != 0 {
		s.urls.leaf = at(secured("nats-leaf", "tls", so.LeafNode.TLSConfig != nil), so.LeafNode.Host, so.LeafNode.Port)
	}
}

func secured(plain, tls string, isTLS bool) string {
	if isTLS {
		return tls
	}
	return plain
}

// watch ends the server when it asks for it or fails, and with it the lock.
func (s *Server) watch() {
	var err error
	ended := make(chan struct{})
	go func() {
		s.srv.WaitForShutdown()
		close(ended)
	}()
	select {
	case line := <-s.log.fatal:
		err = s.fatal(line)
	case <-s.stopping:
	case <-ended:
		err = fail.Newf(fail.Failure, "server %s ended by itself", s.srv.Name())
	}
	settle.Wait(s.srv)
	s.srv.Shutdown()
	<-ended
	if s.lock != nil {
		if e := syncStore(s.store, s.started); e != nil {
			err = errors.Join(err, fmt.Errorf("store %s: %w", s.store, e))
		}
	}
	err = errors.Join(err, s.release())
	s.err = err
	close(s.done)
}

// URL is where clients connect, without credentials; empty for a server that does not listen.
// A server that listens on every address is given by its loopback one.
func (s *Server) URL() string { return s.urls.client }

// WebsocketURL is where websocket clients connect; empty for none.
func (s *Server) WebsocketURL() string { return s.urls.websocket }

// MonitorURL is the root of the monitoring pages; empty for none.
func (s *Server) MonitorURL() string { return s.urls.monitor }

// ClusterURL is what other servers name as a route, without credentials; empty for none.
func (s *Server) ClusterURL() string { return s.urls.cluster }

// LeafURL is where leaf nodes connect, without credentials; empty for none.
func (s *Server) LeafURL() string { return s.urls.leaf }

// Name is the name of the server.
func (s *Server) Name() string { return s.srv.Name() }

// Store is the absolute path of the store directory; empty without JetStream.
func (s *Server) Store() string { return s.store }

// InProcessConn connects to the server without a socket; it makes Server a nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) {
	conn, err := s.srv.InProcessConn()
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", s.Name(), err)
	}
	return conn, nil
}

// Done is closed when the server has ended, by Stop or by itself, and its store is unlocked.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is why the server ended: nil while it runs and after a clean Stop.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop ends the server and waits until all its goroutines are gone, every acknowledged message is on disk and the store
// is unlocked. When ctx ends first its cause is returned, and the server goes on stopping. Stopping twice is no error.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("stopping server %s: %w", s.Name(), context.Cause(ctx))
	}
}
