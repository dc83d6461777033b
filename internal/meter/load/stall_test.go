package load_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/meter"
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
