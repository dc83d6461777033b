package crew

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// Outlet is a connection that messages go out on, in either engine.
type Outlet interface {
	// Put hands over one message; its arguments may be reused afterwards.
	// from is when its latency begins and step its step of the schedule, for outlets that learn of each message by themselves.
	Put(subject, body []byte, from time.Duration, step int) error
	// Head sets the header of the messages that follow; nil is none. It becomes the outlet's.
	Head(nats.Header) error
	// Repeat hands over the same message n times and writes it.
	Repeat(subject, body []byte, n int) error
	// Flush writes what was handed over.
	Flush() error
	// Ping waits until the server has processed what was flushed. It may be called beside the others.
	Ping(context.Context) error
	// Failed is why publishing has to end, nil while it has not.
	Failed() error
	// Denied is how many messages the server refused.
	Denied() int64
	// WireBytes is what went over the connection in both directions.
	WireBytes() int64
	Close()
}

// framer is an outlet that can write frames which were encoded before.
type framer interface {
	// Frame is the encoded message; its body ends two bytes before the end.
	Frame(subject, body []byte) []byte
	// Frames writes n frames with payload bytes of headers and bodies in all.
	Frames(frames []byte, n, payload int) error
}

// marker is an outlet that can send a PING right behind what was handed over, and tells when it is answered: without an error when
// the server has processed all of it.
type marker interface {
	Mark(answered func(error)) error
}

// Storer is an outlet whose messages are acknowledged one by one or in batches: it counts them and their latencies itself.
type Storer interface {
	Outlet
	// Begin is called when the clock runs, before the first message.
	Begin(ctx context.Context)
	// Drain waits until all is acknowledged and returns how many messages are not.
	Drain(ctx context.Context) (left int64, err error)
}
