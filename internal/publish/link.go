package publish

import (
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/wire"
)

// link carries messages to a server and the answers back to a receiver.
type link interface {
	// lock is called before put; false means that there is no connection now, and nothing is locked.
	lock() bool
	// put takes one message. Its error concerns this message alone; one that is lost with the connection gets no answer.
	put(subject, reply, header, data []byte) error
	unlock()
	flush()
	// up and ended, why there will be no connection any more, may be asked at any time.
	up() bool
	ended() error
	close()
}

// receiver hears from a link, of which one goroutine calls it. The slices are valid until answer returns.
type receiver interface {
	answer(subject, data []byte, nobody bool, at time.Time)
	refuse(v *wire.Violation) // the connection stays
	moved()                   // there is a connection again
	end(err error)            // there will be none any more
}

// guest is a link over a connection of the client library that others use too.
type guest struct {
	nc  *nats.Conn
	sub *nats.Subscription
}

func newGuest(nc *nats.Conn, inbox string, c interface{ Now() time.Time }, to receiver) (*guest, error) {
	sub, err := nc.Subscribe(inbox+"*", func(m *nats.Msg) {
		to.answer([]byte(m.Subject), m.Data, len(m.Data) == 0 && m.Header.Get("Status") == "503", c.Now())
	})
	if err != nil {
		return nil, err
	}
	_ = sub.SetPendingLimits(-1, -1) // never more than the window holds
	return &guest{nc, sub}, nil
}

func (g *guest) lock() bool { return true }

func (g *guest) unlock() {}

func (g *guest) put(subject, reply, header, data []byte) error {
	m := &nats.Msg{Subject: string(subject), Reply: string(reply), Data: data}
	if len(header) > 0 {
		var err error
		if m.Header, err = wire.ParseHeader(header); err != nil {
			return err
		}
	}
	return g.nc.PublishMsg(m)
}

// flush has nothing to do: the library writes by itself, and at once.
func (g *guest) flush() {}

func (g *guest) up() bool { return true }

func (g *guest) ended() error {
	if g.nc.IsClosed() {
		return nats.ErrConnectionClosed
	}
	return nil
}

func (g *guest) close() { _ = g.sub.Unsubscribe() }
