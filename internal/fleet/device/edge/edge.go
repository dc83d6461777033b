// Package edge is the server beside a device: a leaf node of the hub with a store of its own, so that the device works while the
// hub is away and what it has measured is forwarded after.
package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/embedded"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
)

// Names of what the server holds.
const (
	Stream = "metrics"
	cursor = "forwarded"
)

// keep is how much of the metrics the server holds, those that are forwarded too; the oldest go first.
const keep = 256 << 20

// Options says what server to run beside a device.
type Options struct {
	Dir    string // its store, made if it is not there; one server at a time can use it
	Name   string // of the server
	Domain string // of its JetStream
	Hub    string // the JetStream domain of the hub
	// URL is where the hub takes leaf nodes, with a user and password or a token in it where the hub demands them.
	URL   string
	Creds string // a credentials file for the hub instead
	// Listen is the host:port for other clients of the server; port -1 picks a free one. Empty opens no port.
	Listen string
	// Token, or User and Password, are demanded of those clients. Without them the port must be on a loopback address.
	Token, User, Password string
	Log                   *slog.Logger
}

// Server is a running server.
type Server struct {
	o   Options
	srv *embedded.Server
}

// Start runs the server and makes its stream. The hub may be away: it is tried for as long as the server runs.
func Start(ctx context.Context, o Options) (*Server, error) {
	so := embedded.Options{
		Name: o.Name, JetStream: true, Store: filepath.Join(o.Dir, "store"), Domain: o.Domain, DontListen: true, Log: o.Log,
		Leafs: []embedded.Leaf{{URL: o.URL, Creds: o.Creds}}, Token: o.Token, User: o.User, Password: o.Password,
	}
	if o.Listen != "" {
		host, port, err := o.address()
		if err != nil {
			return nil, err
		}
		so.DontListen, so.Host, so.Port = false, host, port
	}
	srv, err := embedded.Start(ctx, so)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, srv: srv}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, srv.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// address is where to listen, refused when anybody on the net could come in.
func (o *Options) address() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(text); err != nil || port < -1 || port == 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q is no port", text)
	}
	ip := net.ParseIP(host)
	if loopback := host == "localhost" || ip != nil && ip.IsLoopback(); !loopback && o.Token == "" && o.User == "" {
		return "", 0, fmt.Errorf("%q would let anybody in: without a token or user and password only a loopback address can be listened on", o.Listen)
	}
	return host, port, nil
}

// prepare makes the stream and the bucket.
func (s *Server) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	o := s.Conn(nats.GetDefaultOptions())
	nc, err := o.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: Stream, Description: "metrics of this device, on their way to the hub", Subjects: []string{device.SpoolPrefix + fleet.MetricsSubject + ".>"},
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: device.SpoolPrefix + fleet.MetricsSubject + ".>", Destination: fleet.MetricsSubject + ".>"},
		MaxBytes:         keep, Discard: jetstream.DiscardOld, AllowDirect: true,
	})
	if err != nil {
		return fmt.Errorf("stream %s: %w", Stream, err)
	}
	if _, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: cursor, Description: "how far metrics are forwarded"}); err != nil {
		return fmt.Errorf("bucket %s: %w", cursor, err)
	}
	return nil
}

// Conn makes connections go to the server, within the process and with what it demands.
func (s *Server) Conn(o nats.Options) nats.Options {
	o.InProcessServer, o.Url, o.Servers, o.CustomDialer, o.Secure, o.TLSConfig = s.srv, "", []string{nats.DefaultURL}, nil, false, nil
	o.UserJWT, o.SignatureCB, o.Nkey, o.UserInfo, o.TokenHandler = nil, nil, "", nil, nil
	o.Token, o.User, o.Password = s.o.Token, s.o.User, s.o.Password
	return o
}

// Spool is how a device keeps its metrics here.
func (s *Server) Spool() *device.Spool {
	return &device.Spool{Stream: Stream, Hub: s.o.Hub, Cursor: cursor}
}

// URL is where other clients connect; empty when the server does not listen.
func (s *Server) URL() string {
	if s.o.Listen == "" {
		return ""
	}
	return s.srv.URL()
}

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.srv.Done() }

// Err is why the server ended by itself.
func (s *Server) Err() error { return s.srv.Err() }

// Stop ends the server; everything it has acknowledged is on disk then.
func (s *Server) Stop(ctx context.Context) error { return s.srv.Stop(ctx) }
