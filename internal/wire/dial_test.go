package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

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
	if bytes.Contains(c.buf[c.r:c.w], []byte("MSG a ")) {
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
