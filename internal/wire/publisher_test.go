package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// received counts what arrives for a subject.
func received(t *testing.T, url, subject string) func(n int) []*nats.Msg {
	t.Helper()
	nc := client(t, url, nats.SyncQueueLen(1<<20))
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	return func(n int) (all []*nats.Msg) {
		t.Helper()
		ctx := testContext(t)
		for range n {
			m, err := sub.NextMsgWithContext(ctx)
			if err != nil {
				t.Fatalf("after %d of %d messages: %v", len(all), n, err)
			}
			all = append(all, m)
		}
		flush(t, nc)
		if n, _, _ := sub.Pending(); n != 0 {
			t.Errorf("%d messages too many", n)
		}
		return all
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	get := received(t, s.ClientURL(), "w.>")
	c := dial(t, testOptions(s.ClientURL()))
	w := c.Writer()
	hdr, err := AppendHeader(nil, nats.Header{"H": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
	block := EncodePub(EncodePub(nil, "w.f", "", nil, []byte("1")), "w.g", "", hdr, []byte("2"))
	steps := []error{
		w.Pub("w.a", "", nil, []byte("x")), w.Pub("w.a", "", nil, nil), w.Pub("w.a", "r", nil, []byte("y")), w.Pub("w.a", "r", hdr, []byte("z")),
		w.PubBytes([]byte("w.b"), nil, hdr, nil), w.PubBytes([]byte("w.b"), []byte("r"), nil, []byte("b")),
		w.Frames(block, 2, 2+len(hdr)),
		w.Repeat(EncodePub(nil, "w.r", "", hdr, make([]byte, 100)), 2000), w.Repeat(EncodePub(nil, "w.r", "", hdr, make([]byte, 100)), 3),
		w.Repeat(EncodePub(nil, "w.l", "", nil, make([]byte, 1<<20)), 2),
		w.Pub("w.end", "", nil, make([]byte, 1<<20)), w.Pub("w.end", "", nil, []byte("end")),
	}
	for i, err := range steps {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if w.Buffered() != len("PUB w.end 3\r\nend\r\n") {
		t.Errorf("%d bytes are buffered", w.Buffered())
	}
	if err := errors.Join(w.Flush(), c.Ping(testContext(t))); err != nil {
		t.Fatal(err)
	}
	all := get(2015)
	var got []string
	for _, m := range append(all[:8:8], all[2013:]...) {
		got = append(got, fmt.Sprintf("%s %s %s %d", m.Subject, m.Reply, m.Header.Get("H"), len(m.Data)))
	}
	if want := "w.a   1|w.a   0|w.a r  1|w.a r 1 1|w.b  1 0|w.b r  1|w.f   1|w.g  1 1|w.end   1048576|w.end   3"; strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
	if st := c.Stats(); st.OutMsgs != 2015 {
		t.Errorf("%+v", st)
	}
	v, err := s.Varz(nil)
	if err != nil || uint64(v.InBytes) != c.Stats().OutPayload {
		t.Errorf("the server counts %d bytes, we %d", v.InBytes, c.Stats().OutPayload)
	}
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	c, p := puppetConn(t, testOptions()) // which takes 100 bytes
	w := c.Writer()
	hdr, err := AppendHeader(nil, nats.Header{"H": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		err, is error
	}{
		{w.Pub("", "", nil, nil), nats.ErrBadSubject}, {w.Pub("a b", "", nil, nil), nats.ErrBadSubject},
		{w.Pub("a", "r r", nil, nil), nats.ErrBadSubject}, {w.PubBytes([]byte("a\r\nPUB b 0"), nil, nil, nil), nats.ErrBadSubject},
		{w.Pub("a", "", nil, make([]byte, 101)), nats.ErrMaxPayload}, {w.Pub("a", "", hdr, make([]byte, 100)), nats.ErrMaxPayload},
		{w.PubBytes([]byte("a"), nil, nil, make([]byte, 101)), nats.ErrMaxPayload},
		{w.Pub("a", "", nil, make([]byte, 100)), nil},
	}
	for i, r := range rows {
		if !errors.Is(r.err, r.is) || r.is == nil && r.err != nil {
			t.Errorf("row %d: %v", i, r.err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	p.expect(t, "PUB a 100\r\n")
	p.say("INFO {\"max_payload\":0,\"headers\":false}\r\nMSG a 1 0\r\n\r\n")
	if _, err := c.Count(testContext(t), 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Pub("a", "", hdr, nil); !errors.Is(err, nats.ErrHeadersNotSupported) {
		t.Error(err)
	}
}

func TestWriterBlocked(t *testing.T) {
	t.Parallel()
	o := testOptions()
	o.FlusherTimeout = 20 * time.Millisecond
	c, _ := puppetConn(t, o)
	w := c.Writer()
	frame := EncodePub(nil, "a", "", nil, make([]byte, 100))
	err := w.Repeat(frame, 1<<20) // of which the puppet reads nothing
	if !errors.Is(err, nats.ErrTimeout) || !errors.Is(err, nats.ErrDisconnected) {
		t.Error(err)
	}
	if again := w.Flush(); again == nil || again.Error() != err.Error() {
		t.Error(again)
	}
	if again := w.Pub("a", "", nil, nil); again == nil {
		t.Error("a writer goes on after an error")
	}
}

func TestPublisher(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	get := received(t, s.ClientURL(), "p")
	c := dial(t, testOptions(s.ClientURL()))
	p := NewPublisher(testContext(t), c, false)
	defer p.Close()
	const n = 20_000
	for i := range n {
		if err := p.Publish("p", "", nil, fmt.Appendf(nil, "message number %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.Receipt(); r.Sent != n || r.Confirmed+r.InDoubt() != n {
		t.Errorf("%+v", r)
	}
	if err := p.Repeat(EncodePub(nil, "p", "", nil, []byte("again")), n); err != nil {
		t.Fatal(err)
	}
	r, err := p.Confirm(testContext(t))
	if err != nil || r != (Receipt{Sent: 2 * n, Confirmed: 2 * n}) || r.InDoubt() != 0 {
		t.Errorf("%+v %v", r, err)
	}
	for i, m := range get(2 * n) {
		if want := fmt.Sprintf("message number %d", i); i < n && string(m.Data) != want || i >= n && string(m.Data) != "again" {
			t.Fatalf("message %d is %q", i, m.Data)
		}
	}
	if err := p.Publish("p p", "", nil, nil); !errors.Is(err, nats.ErrBadSubject) {
		t.Error(err)
	}
	if err := p.Publish("p", "", nil, make([]byte, 1<<20+1)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Error(err)
	}
	if err := errors.Join(p.Publish("p", "", nil, []byte("last")), p.Flush()); err != nil {
		t.Error(err)
	}
	if got := get(1); string(got[0].Data) != "last" {
		t.Errorf("%q", got[0].Data)
	}
}

const denying = `authorization { users = [{user: u, password: p, permissions: {publish: {allow: "ok.>"}}}] }`

func TestPublisherDenied(t *testing.T) {
	t.Parallel()
	s := startServer(t, denying)
	o := testOptions(s.ClientURL())
	o.User, o.Password = "u", "p"

	c := dial(t, o)
	p := NewPublisher(testContext(t), c, false)
	if err := errors.Join(p.Publish("ok.1", "", nil, nil), p.Publish("no.1", "", nil, nil)); err != nil {
		t.Fatal(err)
	}
	r, err := p.Confirm(testContext(t))
	var v *Violation
	if !errors.As(err, &v) || v.Subject != "no.1" || r != (Receipt{Sent: 2, Confirmed: 1, Denied: 1}) || fail.CodeOf(err) != fail.Unreachable {
		t.Errorf("%+v %v", r, err)
	}
	if again := p.Publish("ok.2", "", nil, nil); again != err {
		t.Error(again)
	}
	if again := p.Repeat(EncodePub(nil, "ok.2", "", nil, nil), 10); again != err {
		t.Error(again)
	}
	p.Close()

	p = NewPublisher(testContext(t), dial(t, o), true)
	defer p.Close()
	for i := range 1000 {
		if err := p.Publish([]string{"ok.1", "no.1", "no.2"}[i%3], "", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := p.Confirm(testContext(t)); err != nil || r != (Receipt{Sent: 1000, Confirmed: 334, Denied: 666}) {
		t.Errorf("%+v %v", r, err)
	}
}

func TestPublisherDeniedStopsEndlessRepeat(t *testing.T) {
	t.Parallel()
	s := startServer(t, denying)
	o := testOptions(s.ClientURL())
	o.User, o.Password = "u", "p"
	p := NewPublisher(testContext(t), dial(t, o), false)
	defer p.Close()
	if err := p.Repeat(EncodePub(nil, "no", "", nil, make([]byte, 1000)), 1<<40); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Error(err)
	}
}

func TestPublisherServerGone(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	c := dial(t, testOptions(s.ClientURL()))
	p := NewPublisher(testContext(t), c, false)
	defer p.Close()
	if err := p.Publish("a", "", nil, []byte("1")); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Confirm(testContext(t)); err != nil || r.Confirmed != 1 {
		t.Fatal(r, err)
	}
	s.Shutdown()
	frame := EncodePub(nil, "a", "", nil, make([]byte, 1000))
	err := p.Repeat(frame, 1<<40)
	r := p.Receipt()
	if !errors.Is(err, nats.ErrDisconnected) || r.Confirmed != 1 || r.InDoubt() != r.Sent-1 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := p.Confirm(testContext(t)); !errors.Is(err, nats.ErrDisconnected) {
		t.Error(err)
	}
}

// TestPublisherLearnsWhy is about errors after which the server closes the connection: its reason must not be lost in a broken pipe.
func TestPublisherLearnsWhy(t *testing.T) {
	t.Parallel()
	s := startServer(t, "", func(o *natsd.Options) { o.MaxControlLine, o.MaxPayload = 1000, 1000 })
	rows := []struct {
		frame []byte
		says  string
	}{
		{EncodePub(nil, strings.Repeat("x", 2000), "", nil, nil), "maximum control line exceeded"},
		{EncodePub(nil, "a", "", nil, make([]byte, 1001)), nats.ErrMaxPayload.Error()},
		{[]byte("BOO a 1\r\nx\r\n"), "Unknown Protocol Operation"},
	}
	for _, r := range rows {
		p := NewPublisher(testContext(t), dial(t, testOptions(s.ClientURL())), false)
		err := p.Repeat(r.frame, 1<<20)
		if err == nil {
			_, err = p.Confirm(testContext(t))
		}
		if err == nil || !strings.Contains(err.Error(), r.says) {
			t.Errorf("want %q: %v", r.says, err)
		}
		p.Close()
	}
}

func TestPublisherInterrupted(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	ctx, cancel := context.WithCancelCause(testContext(t))
	p := NewPublisher(ctx, dial(t, testOptions(s.ClientURL())), false)
	defer p.Close()
	go func() {
		for p.Receipt().Confirmed == 0 && ctx.Err() == nil {
			if err := p.c.Ping(ctx); err != nil {
				break
			}
		}
		cancel(fail.ErrInterrupted)
	}()
	err := p.Repeat(EncodePub(nil, "a", "", nil, make([]byte, 1000)), 1<<40)
	if !errors.Is(err, fail.ErrInterrupted) {
		t.Error(err)
	}
	r, err := p.Confirm(testContext(t))
	if !errors.Is(err, fail.ErrInterrupted) || r.Sent == 0 || r.Confirmed != r.Sent {
		t.Errorf("%+v %v", r, err)
	}
}

func TestPublisherInterruptedWhileBlocked(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe() // which holds no bytes: a write lasts until all of it was read
	o := testOptions()
	o.InProcessServer = pipe{ours}
	ready := make(chan *puppet, 1)
	go func() { ready <- newPuppet(t, theirs) }()
	c := dial(t, o)
	srv := <-ready
	ctx, cancel := context.WithCancelCause(testContext(t))
	p := NewPublisher(ctx, c, false)
	go func() {
		srv.expect(t, "PUB a")
		cancel(fail.ErrInterrupted)
		for p.Err() == nil {
			runtime.Gosched()
		}
		c.Hurry(0) // not to wait for lastWords
	}()
	err := p.Repeat(EncodePub(nil, "a", "", nil, make([]byte, 1000)), 1<<40)
	if !errors.Is(err, fail.ErrInterrupted) {
		t.Error(err)
	}
	p.Close()
}

// pipe is a nats.InProcessConnProvider.
type pipe struct{ net.Conn }

func (p pipe) InProcessConn() (net.Conn, error) { return p.Conn, nil }

func TestPublisherKeepsAnsweringPings(t *testing.T) {
	t.Parallel()
	c, srv := puppetConn(t, testOptions())
	p := NewPublisher(testContext(t), c, false)
	defer p.Close()
	srv.say("PING\r\n")
	srv.expect(t, "PONG")
	if err := errors.Join(p.Publish("a", "", nil, nil), p.Flush()); err != nil {
		t.Error(err)
	}
	srv.expect(t, "PUB a 0")
}

// TestPublisherAndPing: a Ping directly after NewPublisher does not take the reading from it.
func TestPublisherAndPing(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	ctx := testContext(t)
	for range 50 {
		c := dial(t, testOptions(s.ClientURL()))
		p := NewPublisher(ctx, c, false)
		if err := c.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		if err := p.Publish("s", "", nil, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if r, err := p.Confirm(ctx); err != nil || r.Confirmed != 1 {
			t.Fatalf("%+v: %v", r, err)
		}
		p.Close()
	}
	c := dial(t, testOptions(s.ClientURL()))
	first, second := NewPublisher(ctx, c, false), NewPublisher(ctx, c, false)
	if err := second.Err(); !errors.Is(err, ErrBusy) {
		t.Errorf("a second publisher: %v", err)
	}
	second.Close()
	first.Close()
}
