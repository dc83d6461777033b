package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// puppet is a server whose every byte the test decides.
type puppet struct {
	net.Conn
	in *bufio.Reader
}

// puppetConn connects to a puppet that did the handshake.
func puppetConn(t *testing.T, o nats.Options) (*Conn, *puppet) {
	t.Helper()
	ready := make(chan *puppet, 1)
	addr := listen(t, func(nc net.Conn) {
		ready <- newPuppet(t, nc)
		<-testContext(t).Done()
	})
	o.Servers = []string{addr}
	c := dial(t, o)
	return c, <-ready
}

// newPuppet makes the server's half of the handshake.
func newPuppet(t *testing.T, nc net.Conn) *puppet {
	p := &puppet{nc, bufio.NewReader(nc)}
	p.say("INFO {\"max_payload\":100,\"headers\":true,\"proto\":1}\r\n")
	p.expect(t, "CONNECT {")
	p.expect(t, "PING")
	p.say("PONG\r\n")
	return p
}

func (p *puppet) say(s string) { _, _ = io.WriteString(p, s) }

func (p *puppet) expect(t *testing.T, prefix string) {
	t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(patience))
	line, err := p.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, prefix) {
		t.Errorf("the client sent %q (%v), want %q", line, err, prefix)
	}
}

func TestReadKeepsPlace(t *testing.T) {
	t.Parallel()
	c, p := puppetConn(t, testOptions())
	ctx := testContext(t)
	p.say("MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\nMSG b 2 1\r\nz\r\n")
	var got []string
	idle := 0
	h := Handler{
		Msg: func(m *Msg) error {
			got = append(got, string(m.Subject)+string(m.Payload))
			if m.At.IsZero() {
				t.Error("no time")
			}
			return ErrStop
		},
		Idle: func() error { idle++; return nil },
	}
	for range 3 {
		if err := c.Read(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(got, " ") != "ax ay bz" {
		t.Errorf("got %q", got)
	}
	boom := errors.New("boom")
	if err := c.Read(ctx, Handler{Idle: func() error { return boom }}); err != boom {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(boom)
	if err := c.Read(cancelled, Handler{}); err != boom {
		t.Error(err)
	}
	p.say("PING\r\nMSG a 1 2\r\nok\r\n")
	err := c.Read(ctx, Handler{Msg: func(m *Msg) error { return fmt.Errorf("%s: %w", m.Payload, boom) }})
	if err == nil || err.Error() != "ok: boom" {
		t.Error(err)
	}
	p.expect(t, "PONG")
	if s := c.Stats(); s.InMsgs != 4 || s.InPayload != 5 || s.InBytes != 3*14+6+15 || s.OutBytes != 6 {
		t.Errorf("%+v", s)
	}
}

func TestReadOneAtATime(t *testing.T) {
	t.Parallel()
	c, p := puppetConn(t, testOptions())
	ctx := testContext(t)
	p.say("MSG a 1 0\r\n\r\n")
	err := c.Read(ctx, Handler{Msg: func(*Msg) error {
		if err := c.Read(ctx, Handler{}); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if _, err := c.Count(ctx, 0, nil); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		return ErrStop
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		says string
		is   error
		text string
	}{
		{"-ERR 'Slow Consumer'\r\n", nats.ErrSlowConsumer, "Slow Consumer"},
		{"-ERR 'Stale Connection'\r\n", nats.ErrStaleConnection, ""},
		{"-ERR 'User Authentication Expired'\r\n", nats.ErrAuthExpired, ""},
		{"-ERR 'Permissions Violation for Subscription to \"x\"'\r\n", nats.ErrPermissionViolation, `to "x"`},
		{"MSG a 1", nats.ErrDisconnected, "unexpected EOF"},
		{"", nats.ErrDisconnected, "EOF"},
		{"what?\r\n", ErrProtocol, "what?"},
		{"INFO {]\r\n", ErrProtocol, "INFO"},
	}
	for _, r := range rows {
		c, p := puppetConn(t, testOptions())
		p.say(r.says)
		_ = p.Close()
		waiting := make(chan error, 1)
		if err := c.ping(nil, func(err error) { waiting <- err }); err != nil && !errors.Is(err, nats.ErrDisconnected) {
			t.Error(err)
		}
		err := c.Read(testContext(t), Handler{})
		if !errors.Is(err, r.is) || !strings.Contains(err.Error(), r.text) {
			t.Errorf("%q: %v", r.says, err)
		}
		if strings.Contains(r.says, "Permissions") || r.is == ErrProtocol {
			continue
		}
		if told := <-waiting; told == nil {
			t.Errorf("%q: the PONG never came", r.says)
		}
		if err := c.Ping(testContext(t)); err == nil {
			t.Errorf("%q: a ping on a dead connection", r.says)
		}
	}
}

func TestReadHandsErrorsOver(t *testing.T) {
	t.Parallel()
	c, p := puppetConn(t, testOptions())
	p.say("-ERR 'Permissions Violation for Publish to \"x\"'\r\n-ERR 'maximum subscriptions exceeded'\r\n")
	var got []error
	err := c.Read(testContext(t), Handler{Err: func(err error) error {
		if got = append(got, err); len(got) == 2 {
			return ErrStop
		}
		return nil
	}})
	var v *Violation
	if err != nil || len(got) != 2 || !errors.As(got[0], &v) || v.Subject != "x" || !errors.Is(got[1], nats.ErrMaxSubscriptionsExceeded) {
		t.Errorf("%v %v", err, got)
	}
}

func TestSubscribeRefuses(t *testing.T) {
	t.Parallel()
	s := startServer(t, `authorization { default_permissions = { publish = "ok.>", subscribe = "ok.>" }
		users = [{user: u, password: p}] }`)
	o := testOptions(s.ClientURL())
	o.User, o.Password = "u", "p"
	c := dial(t, o)
	if _, err := c.Subscribe("a b", ""); !errors.Is(err, nats.ErrBadSubject) {
		t.Error(err)
	}
	if _, err := c.Subscribe("a", "q q"); !errors.Is(err, nats.ErrBadQueueName) {
		t.Error(err)
	}
	if _, err := c.Subscribe("ok.1", "q"); err != nil {
		t.Error(err)
	}
	if err := c.Ping(testContext(t)); err != nil {
		t.Error(err)
	}
	if _, err := c.Subscribe("no.1", "q"); err != nil {
		t.Error(err)
	}
	var v *Violation
	if err := c.Ping(testContext(t)); !errors.As(err, &v) || v.Publish || v.Subject != "no.1" {
		t.Error(err)
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	c := dial(t, testOptions(s.ClientURL()))
	ctx := testContext(t)
	two, err := c.Subscribe("a", "")
	if err != nil {
		t.Fatal(err)
	}
	none, err := c.Subscribe("a", "")
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Subscribe("a", "")
	if err != nil {
		t.Fatal(err)
	}
	w := c.Writer()
	if err := errors.Join(c.Unsubscribe(two, 2), c.Unsubscribe(none, 0), w.Repeat(EncodePub(nil, "a", "", nil, nil), 5), c.Ping(ctx)); err != nil {
		t.Fatal(err)
	}
	tally, err := c.Count(ctx, 7, nil)
	if err != nil || tally.Sid[two] != 2 || tally.Sid[none] != 0 || tally.Sid[all] != 5 {
		t.Errorf("%+v %v", tally, err)
	}
}

func TestLameDuck(t *testing.T) {
	t.Parallel()
	s := startServer(t, "", func(o *natsd.Options) { o.LameDuckDuration, o.LameDuckGracePeriod = time.Millisecond, -time.Nanosecond })
	c := dial(t, testOptions(s.ClientURL()))
	go s.LameDuckShutdown()
	if err := c.Read(testContext(t), Handler{}); !errors.Is(err, nats.ErrDisconnected) {
		t.Error(err)
	}
	if !c.Info().LameDuckMode {
		t.Error("the INFO about the lame duck was not taken")
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	c, _ := puppetConn(t, testOptions())
	done := make(chan error)
	go func() { done <- c.Read(testContext(t), Handler{}) }()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, nats.ErrConnectionClosed) {
		t.Error(err)
	}
	if err := c.Writer().Repeat([]byte("PUB a 0\r\n\r\n"), 1); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Error(err)
	}
	if err := c.Ping(testContext(t)); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
