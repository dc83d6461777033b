// Package follow reads streams as fast as the wire gives them: in order, on a connection of its own, through reconnects, lost
// consumers and servers that come and go, without copying a message or allocating for it.
package follow

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/wire"
)

// What the functions of a Sink may return besides nil and errors.
var (
	// ErrStop ends the reading without an error.
	ErrStop = wire.ErrStop
	// ErrSkip, of Each, says that the message does not count towards the limit.
	ErrSkip = errors.New("the message does not count")
)

// ErrNoDirect says that the stream does not take direct gets, or its server no batches of them (before 2.11).
var ErrNoDirect = errors.New("batched direct gets are not available")

// ConnectError is why there is no connection for the messages.
type ConnectError struct{ Err error }

// Error is the text of Err.
func (e *ConnectError) Error() string { return e.Err.Error() }

// Unwrap is Err.
func (e *ConnectError) Unwrap() error { return e.Err }

// Config is what is read.
type Config struct {
	JS      jetstream.JetStream // makes and removes the consumer
	Prefix  string              // of API subjects, with the dot at its end
	Timeout time.Duration       // of one request
	Options *nats.Options       // of the connection for the messages; nil are those of the connection of JS
	Clock   clock.Clock         // nil is the system's
	// Log, which may be nil, gets what only matters when something is looked into.
	Log func(format string, args ...any)

	Stream  string
	Created time.Time     // of the stream, so that another one of that name is an error; zero when that does not matter
	Keep    time.Duration // how long the stream lets an unused consumer live at most, 0 for no limit
	Filters []string      // subjects, wildcards allowed, none overlapping another; none means all
	From    Start
	// Direct reads by batches of direct gets, without a consumer, by one filter at most. From does not know Last and New then, and
	// nobody knows how much is pending at the start.
	Direct      bool
	HeadersOnly bool
	Limit       uint64        // end after this many messages; 0 is no limit
	UpTo        uint64        // end at this sequence; 0 goes on
	Ahead       int           // how many messages are asked for at a time; 0 is the usual number
	Patience    time.Duration // how long a server that does not answer is waited for; 0 is for ever
}

// Sink is what is done with the messages. The functions are called by the goroutine of Run, one at a time; the error of any ends the
// reading. All but Each may be nil.
type Sink struct {
	// Each gets the messages in the order of the stream. They are valid until it returns; what is to stay must be copied.
	Each func(*Msg) error
	// End is called once, when there is nothing more for now: after the last message, or when those that were left are gone.
	End func() error
	// Idle is called when all that came was handled.
	Idle func() error
	// Tick is called every Every, or more often, between messages; idle says that none waits.
	Tick  func(idle bool) error
	Every time.Duration
}

// Start is where a stream is read from: everything, when it is zero.
type Start struct {
	Policy jetstream.DeliverPolicy
	Seq    uint64     // of DeliverByStartSequencePolicy
	Time   *time.Time // of DeliverByStartTimePolicy
}

// Msg is a message of a stream. Its slices point into a read buffer.
type Msg struct {
	Subject  []byte
	Reply    []byte // nil for those read by direct gets
	Header   []byte // the encoded block with its closing empty line; nil without headers
	Data     []byte
	Sequence uint64
	Pending  uint64    // messages behind it; with direct gets those of its batch's request
	Time     time.Time // when it was stored
	Arrived  time.Time
}
