package wire

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
)

// Info is what a server says of itself and of the account on the connection.
type Info = nats.ServerInfo

// Dial connects to the first server of o that takes us and completes the handshake: Url, Servers, NoRandomize, User, Password,
// UserInfo, Token, TokenHandler, Nkey, UserJWT, SignatureCB, Secure, TLSConfig, TLSCertCB, RootCAsCB, TLSHandshakeFirst, Timeout,
// Dialer, CustomDialer, SkipHostLookup, InProcessServer, Name, NoEcho, PingInterval, MaxPingsOut, FlusherTimeout and, for ws and
// wss URLs, Compression, ProxyPath and WebSocketConnectionHeaders are honoured. Verbose and Pedantic are always off.
// It ends with ctx, which the connection outlives.
// Errors are nats.ErrNoServers when nobody listens, else that of the last server which refused.
func Dial(ctx context.Context, o nats.Options) (*Conn, error) {
	d, err := newDialer(o, clock.System())
	if err != nil {
		return nil, err
	}
	return d.any(ctx)
}

// dialer opens connections with one set of options.
type dialer struct {
	o     nats.Options
	pool  *pool
	clock clock.Clock
}

func newDialer(o nats.Options, clk clock.Clock) (*dialer, error) {
	if o.Timeout < 0 {
		return nil, nats.ErrBadTimeout
	}
	if o.Timeout == 0 {
		o.Timeout = nats.DefaultTimeout
	}
	if o.MaxPingsOut <= 0 {
		o.MaxPingsOut = nats.DefaultMaxPingOut
	}
	if o.UserJWT != nil && o.Nkey != "" {
		return nil, nats.ErrNkeyAndUser
	}
	if o.Nkey != "" && o.SignatureCB == nil {
		return nil, nats.ErrNkeyButNoSigCB
	}
	d := &dialer{o: o, clock: clk}
	var err error
	d.pool, err = newPool(&d.o)
	return d, err
}

// any tries every server once.
func (d *dialer) any(ctx context.Context) (*Conn, error) {
	var refused []string
	var last error
	for _, s := range append([]*server(nil), d.pool.list...) {
		c, err := d.open(ctx, s)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		refused = append(refused, s.name())
		if !errors.Is(err, syscall.ECONNREFUSED) {
			last = fmt.Errorf("connecting to %s: %w", s.name(), err)
		}
	}
	if last != nil {
		return nil, last
	}
	return nil, fmt.Errorf("%w: nobody listens at %s", nats.ErrNoServers, strings.Join(refused, ", "))
}

// open connects to s and completes the handshake.
func (d *dialer) open(ctx context.Context, s *server) (*Conn, error) {
	nc, err := d.socket(ctx, s)
	if err != nil {
		return nil, err
	}
	c := &Conn{Clock: d.clock, nc: nc, o: &d.o, srv: s}
	deadline := time.Now().Add(d.o.Timeout)
	_ = nc.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(longAgo) })
	err = d.handshake(ctx, c)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = c.nc.Close()
		if isAuth(err) {
			s.auth = err
		}
		return nil, err
	}
	s.auth, s.attempts = nil, 0
	d.pool.learn(c.Info(), s)
	_ = c.nc.SetDeadline(time.Time{})
	c.in.reset()
	c.out.reset()
	return c, nil
}

// socket makes the bare connection.
func (d *dialer) socket(ctx context.Context, s *server) (net.Conn, error) {
	if d.o.InProcessServer != nil {
		nc, err := d.o.InProcessServer.InProcessConn()
		if err != nil {
			return nil, fmt.Errorf("connecting in process: %w", err)
		}
		return nc, nil
	}
	hosts := []string{s.url.Host}
	if !d.o.SkipHostLookup && !isIP(s.url.Hostname()) {
		if addrs, err := net.DefaultResolver.LookupHost(ctx, s.url.Hostname()); err == nil && len(addrs) > 0 {
			hosts = hosts[:0]
			for _, a := range addrs {
				hosts = append(hosts, net.JoinHostPort(a, s.url.Port()))
			}
		}
	}
	if !d.o.NoRandomize {
		rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	}
	dial := d.dialFunc(len(hosts))
	var err error
	for _, h := range hosts {
		var nc net.Conn
		if nc, err = dial(ctx, "tcp", h); err == nil {
			return nc, nil
		}
	}
	return nil, err
}

func (d *dialer) dialFunc(hosts int) func(context.Context, string, string) (net.Conn, error) {
	if custom := d.o.CustomDialer; custom != nil {
		type withContext interface {
			DialContext(ctx context.Context, network, address string) (net.Conn, error)
		}
		if c, ok := custom.(withContext); ok {
			return c.DialContext
		}
		return func(_ context.Context, network, address string) (net.Conn, error) {
			return custom.Dial(network, address)
		}
	}
	nd := net.Dialer{Timeout: d.o.Timeout}
	if d.o.Dialer != nil {
		nd = *d.o.Dialer
	}
	nd.Timeout /= time.Duration(hosts)
	if d.o.AllowMultipathTCP != nil {
		nd.SetMultipathTCP(*d.o.AllowMultipathTCP)
	}
	return nd.DialContext
}

// handshake brings c from a bare socket to where messages flow.
func (d *dialer) handshake(ctx context.Context, c *Conn) error {
	if d.pool.ws {
		if err := d.websocket(ctx, c); err != nil {
			return err
		}
	} else if d.o.TLSHandshakeFirst {
		if err := d.encrypt(ctx, c); err != nil {
			return err
		}
	}
	if err := c.expect(kindInfo); err != nil {
		return err
	}
	info := c.Info()
	switch {
	case c.encrypted, d.pool.ws:
	case info.TLSRequired, d.pool.secure && info.TLSAvailable:
		if c.r != c.w {
			return fmt.Errorf("%w: the server spoke before TLS began", nats.ErrTLS)
		}
		if err := d.encrypt(ctx, c); err != nil {
			return err
		}
	case d.pool.secure:
		return nats.ErrSecureConnWanted
	}
	line, err := greet(&d.o, c.srv, info, c.encrypted)
	if err != nil {
		return err
	}
	if _, err := c.nc.Write(line); err != nil {
		// The server's reason may have arrived before it closed the socket.
		if told := c.expect(kindPong); told != nil && !errors.Is(told, nats.ErrDisconnected) {
			return told
		}
		return err
	}
	return c.expect(kindPong)
}

// expect reads until a frame of kind want, taking in INFO on the way. An -ERR is returned as error.
func (c *Conn) expect(want kind) error {
	for {
		var m Msg
		k, n, err := c.scan.next(c.buf[c.r:c.w], &m)
		if err != nil {
			return err
		}
		c.r += n
		switch k {
		case kindMore:
			if err := c.fill(); err != nil {
				return err
			}
			continue
		case kindErr:
			err, _ := serverError(c.scan.args)
			return err
		case kindInfo:
			if err := c.takeInfo(c.scan.args); err != nil {
				return err
			}
		}
		switch {
		case k == want:
			return nil
		case want == kindInfo:
			return nats.ErrNoInfoReceived
		}
	}
}

// takeInfo stores an INFO. Later ones do not repeat the account.
func (c *Conn) takeInfo(args []byte) error {
	info := new(Info)
	if err := json.Unmarshal(args, info); err != nil {
		return fmt.Errorf("%w: INFO: %w", ErrProtocol, err)
	}
	if old := c.info.Load(); old != nil && info.RemoteAccount == "" {
		info.RemoteAccount, info.IsSystemAccount = old.RemoteAccount, old.IsSystemAccount
	}
	c.info.Store(info)
	return nil
}

// encrypt puts TLS around the socket.
func (d *dialer) encrypt(ctx context.Context, c *Conn) error {
	c.encrypted = true
	if skip, ok := d.o.CustomDialer.(interface{ SkipTLSHandshake() bool }); ok && skip.SkipTLSHandshake() {
		return nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.o.TLSConfig != nil {
		cfg = d.o.TLSConfig.Clone()
	}
	if d.o.TLSCertCB != nil {
		cert, err := d.o.TLSCertCB()
		if err != nil {
			return fmt.Errorf("reading the client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	if d.o.RootCAsCB != nil {
		roots, err := d.o.RootCAsCB()
		if err != nil {
			return fmt.Errorf("reading the root certificates: %w", err)
		}
		cfg.RootCAs = roots
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.srv.tlsName
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.srv.url.Hostname()
	}
	tc := tls.Client(c.nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", nats.ErrTLS, err)
	}
	c.nc = tc
	return nil
}
