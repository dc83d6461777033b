// Package wire speaks the NATS client protocol straight over a socket, for the jobs in which messages are counted in millions
// a second: benchmarks, bulk publishing and core subscriptions. It takes its settings from nats.Options, so that whatever
// connects with nats.go connects here: TLS, tokens, users, nkeys, JWTs, websockets, in-process servers.
//
// Conn is one connection, without reconnects. Writer puts frames on it, Conn.Read and Conn.Count take them off it.
// Publisher adds the server's word for every message published. Subscriber adds reconnects and a backlog, first in memory and
// then on disk, for a reader that is slower than its subject.
//
// The callbacks of nats.Options that receive a *nats.Conn are never called; Subscriber reports through Event instead.
package wire

import (
	"errors"
	"time"
)

// ErrStop, returned by a handler, ends Conn.Read, Conn.Count or Subscriber.Run without an error.
var ErrStop = errors.New("stop")

// ErrProtocol is what a server sent that is not the NATS client protocol; the text quotes where it began.
var ErrProtocol = errors.New("not the NATS protocol")

// ErrBusy says that another goroutine is already reading this connection.
var ErrBusy = errors.New("the connection is already being read")

// Msg is one message. Its slices point into a read buffer: they, and the Msg, are valid until the handler returns, and a handler
// changes neither.
type Msg struct {
	Sid     int       // the subscription it was delivered for
	Wire    int       // bytes of the whole frame, control line and line ends included
	Subject []byte    // never empty
	Reply   []byte    // nil without a reply subject
	Header  []byte    // the encoded block with its closing empty line; nil without headers
	Payload []byte    // may be empty
	At      time.Time // when the bytes were read from the socket
	Lost    uint64    // messages dropped directly before this one; only Subscriber drops
}

// Handler is what a reader does with what it reads. Every function may be nil.
type Handler struct {
	// Msg is called for each message in the order of arrival.
	Msg func(*Msg) error
	// Idle is called when all that arrived was handled, before waiting for more: the moment to flush output.
	Idle func() error
	// Err is called for each error of the server that leaves the connection open, such as a permissions violation.
	// Without it such an error ends the reading.
	Err func(error) error
}

// Stats are counters of one connection since its handshake. Bytes are protocol bytes: inside TLS and websocket framing.
type Stats struct {
	InMsgs, InBytes, InPayload    uint64 // messages, all bytes, and bytes of headers and bodies received
	OutMsgs, OutBytes, OutPayload uint64 // the same as sent
}
