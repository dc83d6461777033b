package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/natskit/natskit/internal/fail"
)

// echo proves that messages flow both ways on c.
func echo(t *testing.T, c *Conn) {
	t.Helper()
	ctx := testContext(t)
	if _, err := c.Subscribe("echo.>", ""); err != nil {
		t.Fatal(err)
	}
	hdr, err := AppendHeader(nil, nats.Header{"K": {"v"}})
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("0123456789", 30_000)
	w := c.Writer()
	for _, err := range []error{w.Pub("echo.1", "re.ply", nil, []byte("small")), w.Pub("echo.2", "", hdr, []byte(big)), w.Flush()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err = c.Read(ctx, Handler{Msg: func(m *Msg) error {
		got = append(got, fmt.Sprintf("%s %s %s %d", m.Subject, m.Reply, m.Header, len(m.Payload)))
		if len(got) < 2 {
			return nil
		}
		if string(m.Payload) != big {
			t.Error("the large payload is not what was sent")
		}
		return ErrStop
	}})
	want := "echo.1 re.ply  5|echo.2  NATS/1.0\r\nK: v\r\n\r\n 300000"
	if err != nil || strings.Join(got, "|") != want {
		t.Fatalf("%v, got %q", err, got)
	}
}

func TestDialPlain(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	o := testOptions(s.ClientURL())
	o.Name = "the name"
	c := dial(t, o)
	echo(t, c)
	info := c.Info()
	if info.ID != s.ID() || info.MaxPayload != 1<<20 || !info.Headers || info.CID == 0 {
		t.Errorf("info %+v", info)
	}
	z, err := s.Connz(nil)
	if err != nil || len(z.Conns) != 1 || z.Conns[0].Name != "the name" || z.Conns[0].Lang != "go" {
		t.Errorf("connz %+v %v", z, err)
	}
	if c.URL() != "nats://"+s.Addr().String() || c.Encrypted() || c.LocalAddr() == nil {
		t.Errorf("%s %v", c.URL(), c.Encrypted())
	}
}

func TestDialNoEcho(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	o := testOptions(s.ClientURL())
	o.NoEcho = true
	c := dial(t, o)
	if _, err := c.Subscribe("a", ""); err != nil {
		t.Fatal(err)
	}
	w := c.Writer()
	if err := errors.Join(w.Pub("a", "", nil, nil), w.Flush(), c.Ping(testContext(t))); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(c.buf[c.r:c.w], []byte("MSG")) {
		t.Errorf("our own message came back: %q", c.buf[c.r:c.w])
	}
}

func TestDialUsersAndTokens(t *testing.T) {
	t.Parallel()
	users := startServer(t, `authorization { users = [{user: alice, password: "s3cr:t"}] }`)
	token := startServer(t, `authorization { token: "t0ken" }`)
	rows := []struct {
		name   string
		server *natsd.Server
		set    func(*nats.Options, string)
		err    error
	}{
		{"user", users, func(o *nats.Options, _ string) { o.User, o.Password = "alice", "s3cr:t" }, nil},
		{"user in the URL", users, func(o *nats.Options, host string) { o.Url = "nats://alice:s3cr%3At@" + host }, nil},
		{"user of a callback", users, func(o *nats.Options, _ string) { o.UserInfo = func() (string, string) { return "alice", "s3cr:t" } }, nil},
		{"wrong password", users, func(o *nats.Options, _ string) { o.User, o.Password = "alice", "wrong" }, nats.ErrAuthorization},
		{"wrong password in the URL", users, func(o *nats.Options, host string) { o.Url = "nats://alice:wrong@" + host }, nats.ErrAuthorization},
		{"nobody", users, func(*nats.Options, string) {}, nats.ErrAuthorization},
		{"two users", users, func(o *nats.Options, _ string) {
			o.User, o.UserInfo = "a", func() (string, string) { return "b", "c" }
		}, nats.ErrUserInfoAlreadySet},
		{"token", token, func(o *nats.Options, _ string) { o.Token = "t0ken" }, nil},
		{"token in the URL", token, func(o *nats.Options, host string) { o.Url = "t0ken@" + host }, nil},
		{"token of a callback", token, func(o *nats.Options, _ string) { o.TokenHandler = func() string { return "t0ken" } }, nil},
		{"two tokens", token, func(o *nats.Options, _ string) { o.Token, o.TokenHandler = "a", func() string { return "b" } }, nats.ErrTokenAlreadySet},
		{"wrong token", token, func(o *nats.Options, _ string) { o.Token = "wrong" }, nats.ErrAuthorization},
		{"no nkeys here", token, func(o *nats.Options, _ string) {
			o.Nkey, o.SignatureCB = "UA", func([]byte) ([]byte, error) { return nil, nil }
		}, nats.ErrNkeysNotSupported},
		{"nkey without signature", token, func(o *nats.Options, _ string) { o.Nkey = "UA" }, nats.ErrNkeyButNoSigCB},
		{"nkey and JWT", token, func(o *nats.Options, _ string) { o.Nkey, o.UserJWT = "UA", func() (string, error) { return "", nil } }, nats.ErrNkeyAndUser},
		{"JWT without signature", token, func(o *nats.Options, _ string) { o.UserJWT = func() (string, error) { return "x", nil } }, nats.ErrUserButNoSigCB},
		{"bad timeout", token, func(o *nats.Options, _ string) { o.Timeout = -1 }, nats.ErrBadTimeout},
	}
	for _, r := range rows {
		o := testOptions()
		o.Url = "nats://" + r.server.Addr().String()
		r.set(&o, r.server.Addr().String())
		c, err := Dial(testContext(t), o)
		if !errors.Is(err, r.err) || r.err == nil && err != nil {
			t.Errorf("%s: %v, want %v", r.name, err, r.err)
		}
		if err == nil {
			echo(t, c)
			_ = c.Close()
		} else if s := err.Error(); strings.Contains(s, "wrong@") || strings.Contains(s, ":wrong") || strings.Contains(s, "t0ken") {
			t.Errorf("%s: the error tells the secret: %s", r.name, s)
		}
		if errors.Is(err, nats.ErrAuthorization) && fail.CodeOf(err) != fail.Unreachable {
			t.Errorf("%s: code %d", r.name, fail.CodeOf(err))
		}
	}
}

func TestDialNkey(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	pub, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, fmt.Sprintf(`authorization { users = [{nkey: %s}] }`, pub))
	o := testOptions(s.ClientURL())
	o.Nkey, o.SignatureCB = pub, user.Sign
	echo(t, dial(t, o))
	o.SignatureCB = func([]byte) ([]byte, error) { return nil, errors.New("the key is locked") }
	if _, err := Dial(testContext(t), o); err == nil || !strings.Contains(err.Error(), "signing the nonce: the key is locked") {
		t.Error(err)
	}
}

// jwtServer trusts an operator and serves one account; the function makes users of it.
func jwtServer(t *testing.T) (*natsd.Server, func(change func(*jwt.UserClaims)) nats.Options) {
	t.Helper()
	pair := func(kp nkeys.KeyPair, err error) (nkeys.KeyPair, string) {
		if err != nil {
			t.Fatal(err)
		}
		pub, err := kp.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return kp, pub
	}
	encode := func(s string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	okp, opub := pair(nkeys.CreateOperator())
	akp, apub := pair(nkeys.CreateAccount())
	resolver := new(natsd.MemAccResolver)
	if err := resolver.Store(apub, encode(jwt.NewAccountClaims(apub).Encode(okp))); err != nil {
		t.Fatal(err)
	}
	operator := jwt.NewOperatorClaims(opub)
	s := startServer(t, "", func(o *natsd.Options) {
		o.TrustedOperators, o.AccountResolver = []*jwt.OperatorClaims{operator}, resolver
	})
	return s, func(change func(*jwt.UserClaims)) nats.Options {
		ukp, upub := pair(nkeys.CreateUser())
		claims := jwt.NewUserClaims(upub)
		if change != nil {
			change(claims)
		}
		token := encode(claims.Encode(akp))
		o := testOptions(s.ClientURL())
		o.UserJWT, o.SignatureCB = func() (string, error) { return token, nil }, ukp.Sign
		return o
	}
}

func TestDialJWT(t *testing.T) {
	t.Parallel()
	_, user := jwtServer(t)
	echo(t, dial(t, user(nil)))
	o := user(nil)
	o.UserJWT = func() (string, error) { return "", errors.New("no such file") }
	if _, err := Dial(testContext(t), o); err == nil || !strings.Contains(err.Error(), "reading the user JWT: no such file") {
		t.Error(err)
	}
}

func TestDialTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	plain := startServer(t, "")
	secure := startServer(t, "", func(o *natsd.Options) { o.TLSConfig = ca.serverConfig(t) })
	first := startServer(t, "", func(o *natsd.Options) { o.TLSConfig, o.TLSHandshakeFirst = ca.serverConfig(t), true })
	mutual := startServer(t, "", func(o *natsd.Options) {
		o.TLSConfig, o.TLSVerify = ca.serverConfig(t), true
		o.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
	})
	trust := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.pool}
	rows := []struct {
		name   string
		server *natsd.Server
		set    func(*nats.Options)
		err    string
	}{
		{"asked for by the server", secure, func(o *nats.Options) { o.TLSConfig = trust }, ""},
		{"asked for by the URL", secure, func(o *nats.Options) {
			o.Url, o.TLSConfig = strings.Replace(o.Url, "nats:", "tls:", 1), trust
		}, ""},
		{"by host name", secure, func(o *nats.Options) {
			o.Url, o.TLSConfig = strings.Replace(o.Url, "127.0.0.1", "localhost", 1), trust
		}, ""},
		{"roots of a callback", secure, func(o *nats.Options) {
			o.RootCAsCB = func() (*x509.CertPool, error) { return ca.pool, nil }
		}, ""},
		{"unknown authority", secure, func(*nats.Options) {}, "certificate signed by unknown authority"},
		{"wrong name", secure, func(o *nats.Options) {
			o.TLSConfig = trust.Clone()
			o.TLSConfig.ServerName = "example.net"
		}, "example.net"},
		{"first", first, func(o *nats.Options) { o.TLSConfig, o.TLSHandshakeFirst = trust, true }, ""},
		{"client certificate", mutual, func(o *nats.Options) {
			o.TLSConfig = trust.Clone()
			o.TLSConfig.Certificates = []tls.Certificate{ca.issue(t)}
		}, ""},
		{"client certificate of a callback", mutual, func(o *nats.Options) {
			o.TLSConfig = trust
			o.TLSCertCB = func() (tls.Certificate, error) { return ca.issue(t), nil }
		}, ""},
		{"no client certificate", mutual, func(o *nats.Options) { o.TLSConfig = trust }, "certificate required"},
		{"not offered", plain, func(o *nats.Options) { o.Secure, o.TLSConfig = true, trust }, nats.ErrSecureConnWanted.Error()},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			o := testOptions()
			o.Url = "nats://" + r.server.Addr().String()
			r.set(&o)
			c, err := Dial(testContext(t), o)
			if r.err != "" {
				if err == nil || !strings.Contains(err.Error(), r.err) || fail.CodeOf(err) != fail.Unreachable {
					t.Fatalf("%v (code %d), want %q", err, fail.CodeOf(err), r.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if !c.Encrypted() {
				t.Error("not encrypted")
			}
			echo(t, c)
		})
	}
}

func TestDialWebsocket(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ws := startServer(t, "", func(o *natsd.Options) {
		o.Websocket = natsd.WebsocketOpts{Host: "127.0.0.1", Port: -1, NoTLS: true, Compression: true}
	})
	wss := startServer(t, "", func(o *natsd.Options) {
		o.Websocket = natsd.WebsocketOpts{Host: "127.0.0.1", Port: -1, TLSConfig: ca.serverConfig(t), HandshakeTimeout: patience}
	})
	rows := []struct {
		name, url string
		set       func(*nats.Options)
	}{
		{"plain", ws.WebsocketURL(), func(*nats.Options) {}},
		{"compressed", ws.WebsocketURL(), func(o *nats.Options) { o.Compression = true }},
		{"path and headers", ws.WebsocketURL(), func(o *nats.Options) {
			o.ProxyPath = "nats"
			o.WebSocketConnectionHeadersHandler = func() (http.Header, error) { return http.Header{"X-Test": {"1"}}, nil }
		}},
		{"encrypted", wss.WebsocketURL(), func(o *nats.Options) { o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.pool} }},
		{"encrypted, compression not taken", wss.WebsocketURL(), func(o *nats.Options) {
			o.Compression = true
			o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.pool}
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			o := testOptions(r.url)
			r.set(&o)
			c := dial(t, o)
			echo(t, c)
			if err := c.Ping(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := Dial(testContext(t), testOptions(ws.WebsocketURL(), ws.ClientURL())); !errors.Is(err, nats.ErrMixingWebsocketSchemes) {
		t.Error(err)
	}
	_, err := Dial(testContext(t), testOptions("ws://"+httpServer(t)))
	if err == nil || !strings.Contains(err.Error(), "418") {
		t.Error(err)
	}
}

func TestDialInProcess(t *testing.T) {
	t.Parallel()
	s := startServer(t, "", func(o *natsd.Options) { o.DontListen = true })
	o := testOptions()
	o.InProcessServer = s
	c := dial(t, o)
	echo(t, c)
	s.Shutdown()
	if err := c.Read(testContext(t), Handler{}); !errors.Is(err, nats.ErrDisconnected) {
		t.Error(err)
	}
}

// dialerFunc is a nats.CustomDialer.
type dialerFunc func(network, address string) (net.Conn, error)

func (f dialerFunc) Dial(network, address string) (net.Conn, error) { return f(network, address) }

func TestDialCustom(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	var asked string
	o := testOptions("nats://nats.example:1234")
	o.SkipHostLookup = true
	o.CustomDialer = dialerFunc(func(_, address string) (net.Conn, error) {
		asked = address
		return net.Dial("tcp", s.Addr().String())
	})
	echo(t, dial(t, o))
	if asked != "nats.example:1234" {
		t.Errorf("dialled %q", asked)
	}
}

// listen serves each connection with f.
func listen(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = nc.Close() }()
				f(nc)
			}()
		}
	}()
	return l.Addr().String()
}

func httpServer(t *testing.T) string {
	return listen(t, func(nc net.Conn) {
		_, _ = nc.Read(make([]byte, 4096))
		_, _ = io.WriteString(nc, "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")
	})
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestDialFailures(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) })
	garbage := listen(t, func(nc net.Conn) { _, _ = io.WriteString(nc, "SSH-2.0-OpenSSH_9.6\r\n") })
	impolite := listen(t, func(nc net.Conn) { _, _ = io.WriteString(nc, "PING\r\n") })
	closing := listen(t, func(net.Conn) {})
	throttled := listen(t, func(nc net.Conn) {
		_, _ = io.WriteString(nc, "-ERR 'Connection throttling is active. Please try again later.'\r\n")
	})
	early := listen(t, func(nc net.Conn) {
		_, _ = io.WriteString(nc, "INFO {\"tls_required\":true}\r\nINFO {\"tls_required\":false}\r\n")
		_, _ = io.Copy(io.Discard, nc)
	})
	dead := nobody(t)
	rows := []struct {
		name, addr string
		is         error
		says       string
	}{
		{"nobody", dead, nats.ErrNoServers, dead},
		{"silent", silent, nats.ErrTimeout, "does not answer"},
		{"another protocol", garbage, ErrProtocol, "SSH-2.0"},
		{"no INFO", impolite, nats.ErrNoInfoReceived, ""},
		{"closed", closing, nats.ErrDisconnected, "EOF"},
		{"throttled", throttled, nil, "Connection throttling"},
		{"bytes before TLS", early, nats.ErrTLS, "before TLS"},
	}
	for _, r := range rows {
		o := testOptions(r.addr)
		if r.name == "silent" {
			o.Timeout = 50 * time.Millisecond
		}
		_, err := Dial(testContext(t), o)
		if err == nil || r.is != nil && !errors.Is(err, r.is) || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%s: %v", r.name, err)
		}
	}
	_, err := Dial(testContext(t), testOptions("nats://u:s3cret@127.0.0.1:bad"))
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("malformed URL: %v", err)
	}
	s := startServer(t, "")
	o := testOptions(dead+", "+closing, s.ClientURL())
	o.NoRandomize = true
	echo(t, dial(t, o))
}

func TestDialCancelled(t *testing.T) {
	t.Parallel()
	accepted := make(chan struct{})
	addr := listen(t, func(nc net.Conn) {
		close(accepted)
		_, _ = io.Copy(io.Discard, nc)
	})
	ctx, cancel := context.WithCancelCause(testContext(t))
	go func() {
		<-accepted
		cancel(fail.ErrInterrupted)
	}()
	if _, err := Dial(ctx, testOptions(addr)); !errors.Is(err, fail.ErrInterrupted) {
		t.Error(err)
	}
}
