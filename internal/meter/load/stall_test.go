package load_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
)

// A pull that nats.go believes to be under way and the server does not know: each client still gets its messages, long before
// patience ends, and the report says that it stood still.
func TestAForgottenPullIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"js consume", "js ordered"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			srv := filled(t, 60)
			w := world(t, srv.URL())
			d := &forgetful{}
			w.Dial = func(_ context.Context, opts ...nats.Option) (*nats.Conn, error) {
				return nats.Connect(srv.URL(), append(opts, nats.SetCustomDialer(d))...)
			}
			s := reading(kind, 30, 1)
			s.Idle = 20 * time.Second // nats.go by itself asks again after 30, an ordered consumer after 10
			r := run(t, w, s)
			if tot := r.Sides[0].Total; tot.Messages != 30 || r.Outcome != meter.Complete {
				t.Errorf("%s: %+v", r.Outcome, tot)
			}
			if !strings.Contains(strings.Join(r.Notes, "\n"), "asked again after 1s, 1 times") {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

// A server that takes everything and answers nothing any more: patience ends the run, also a paced one that could go on writing.
func TestASilentServerEndsEveryKind(t *testing.T) {
	t.Parallel()
	some := map[string]bool{"pub": true, "sub": true, "js pub async": true, "js ordered": true}
	everyKind(t, func(t *testing.T, kind, engine string) {
		if !some[kind] {
			t.Skip("the others wait in the same ways")
		}
		for _, paced := range []bool{false, true} {
			if k, ok := crew.KindOf(kind); paced && ok && k.Role != meter.Publisher {
				continue // nothing to pace
			}
			srv := serving(t, kind)
			h := newHole(t, strings.TrimPrefix(srv.URL(), "nats://"))
			w := world(t, h.url)
			w.Timeout = 2 * time.Second
			underWay(&w, func() { h.silent.Store(true) })
			s := endless(kind, engine)
			s.Idle, s.Messages = time.Second, 1<<40
			if paced {
				s.Sleep, s.Segments = 0, []crew.Pace{{From: 1000, To: 1000}}
			}
			r, err := load.Run(t.Context(), w, s)
			switch code := fail.CodeOf(err); {
			case code != fail.NoAnswer && code != fail.Partial && code != fail.Unreachable:
				t.Errorf("paced %t: %v (code %d)", paced, err, code)
			case r == nil || r.Outcome != meter.Idle && r.Outcome != meter.Failed || r.Sides[0].Total.Messages == 0:
				t.Errorf("paced %t: %+v", paced, r)
			}
		}
	})
}

// hole stands between clients and a server until it is silent: then it takes what comes and passes nothing on.
type hole struct {
	url    string
	silent atomic.Bool
}

func newHole(t *testing.T, server string) *hole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{url: "nats://" + l.Addr().String()}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { stop(); _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				_ = in.Close()
				continue
			}
			end := func() { _, _ = in.Close(), out.Close() }
			context.AfterFunc(ctx, end)
			all.Go(func() { defer end(); h.pass(in, out) })
			all.Go(func() { defer end(); h.pass(out, in) })
		}
	})
	return h
}

func (h *hole) pass(from, to net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err == nil && !h.silent.Load() {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// forgetful makes connections that together swallow the second pull, which asks for more before the first is used up.
type forgetful struct {
	mu    sync.Mutex
	pulls int
}

func (d *forgetful) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &forgetfulConn{c, d}, err
}

type forgetfulConn struct {
	net.Conn
	d *forgetful
}

func (c *forgetfulConn) Write(b []byte) (int, error) {
	const frame = "PUB $JS.API.CONSUMER.MSG.NEXT."
	var out []byte
	rest := b
	for {
		i := bytes.Index(rest, []byte(frame))
		if i < 0 {
			break
		}
		n := i + bytes.IndexByte(rest[i:], '\n') + 1
		n += bytes.IndexByte(rest[n:], '\n') + 1
		c.d.mu.Lock()
		c.d.pulls++
		forget := c.d.pulls == 2
		c.d.mu.Unlock()
		if forget {
			out = append(out, rest[:i]...)
		} else {
			out = append(out, rest[:n]...)
		}
		rest = rest[n:]
	}
	if _, err := c.Conn.Write(append(out, rest...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
