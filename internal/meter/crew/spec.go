// Package crew runs the clients of a benchmark together: a Spec describes the run, a World is what it may touch, a Group connects
// its clients in either engine, lets them go at the same moment, watches them and ends them. What the clients do is the business
// of packages load and streams; the loops of publishers, which both need, are here.
package crew

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/meter"
)

// The engines.
const (
	Wire   = "wire"    // internal/wire: the protocol without a client library
	NatsGo = "nats.go" // what an application on nats.go gets
)

// The ways to publish to a stream.
const (
	ModeSync   = "js pub sync"   // the next message waits for the acknowledgement of the last
	ModeAsync  = "js pub async"  // a window of messages is on its way
	ModeAtomic = "js pub atomic" // batches that are stored whole or not at all
	ModeFast   = "js pub fast"   // flow control by the server
)

// Spec is one run. The zero value of a field means its absence; times are nanoseconds in JSON.
type Spec struct {
	Kind     string        `json:"kind"` // a key of Kinds
	Engine   string        `json:"engine"`
	Subject  string        `json:"subject,omitempty"`
	Clients  int           `json:"clients"`
	Messages int64         `json:"messages"` // as the kind counts them; 0 with a Duration: until it ends
	Duration time.Duration `json:"duration,omitempty"`
	Warmup   time.Duration `json:"warmup,omitempty"`
	Idle     time.Duration `json:"idle,omitempty"` // give up when nothing happened for so long
	Wait     time.Duration `json:"wait,omitempty"` // give up when the first message has not come by then
	Sleep    time.Duration `json:"sleep,omitempty"`
	Segments []Pace        `json:"segments,omitempty"` // the schedule of all clients together; none is as fast as it goes

	Size    int64       `json:"size"`               // of the payload in bytes
	SizeMax int64       `json:"size_max,omitempty"` // sizes vary evenly from Size to this
	Payload []byte      `json:"payload,omitempty"`  // instead of zero bytes
	Random  bool        `json:"random,omitempty"`   // bytes that do not compress instead of zeroes
	Header  nats.Header `json:"header,omitempty"`
	Stamp   bool        `json:"stamp,omitempty"` // payloads carry send times and numbers
	Multi   Multi       `json:"multi,omitzero"`
	Queue   string      `json:"queue,omitempty"` // queue group of subscribers

	Subscribers int `json:"subscribers,omitempty"` // of pubsub

	Stream Stream `json:"stream,omitzero"`
	Bucket Bucket `json:"bucket,omitzero"`

	Agent        string `json:"agent,omitempty"`         // the name of the machine, when several take part
	FirstClient  int    `json:"first_client,omitempty"`  // clients of the machines before this one
	AllClients   int    `json:"all_clients,omitempty"`   // of all machines, 0 when there is one
	FirstMessage int64  `json:"first_message,omitempty"` // messages of the machines before this one

	// FirstPublisher is where the ids in stamps begin in this process; load.Run draws it.
	FirstPublisher uint32 `json:"-"`
}

// Pace is a stretch of a schedule, as meter.Segment.
type Pace struct {
	From float64       `json:"from"`
	To   float64       `json:"to"`
	For  time.Duration `json:"for,omitempty"`
}

// Multi spreads messages over subjects SUBJECT.N.
type Multi struct {
	On     bool  `json:"on,omitempty"`
	Max    int64 `json:"max,omitempty"` // N is below it; 0: without a limit
	Random bool  `json:"random,omitempty"`
}

// Stream is what a run on a stream needs.
type Stream struct {
	Name           string        `json:"name,omitempty"`
	Create         bool          `json:"create,omitempty"`
	Storage        string        `json:"storage,omitempty"` // file or memory
	Replicas       int           `json:"replicas,omitempty"`
	MaxBytes       int64         `json:"max_bytes,omitempty"`
	Dedup          bool          `json:"dedup,omitempty"`
	DedupWindow    time.Duration `json:"dedup_window,omitempty"`
	Purge          bool          `json:"purge,omitempty"`
	PersistAsync   bool          `json:"persist_async,omitempty"`
	Batch          int           `json:"batch,omitempty"`
	MaxOutstanding uint16        `json:"max_outstanding_acks,omitempty"`
	Consumer       string        `json:"consumer,omitempty"`
	Acks           string        `json:"acks,omitempty"` // explicit, none or all
	DoubleAck      bool          `json:"double_ack,omitempty"`
	Filters        []string      `json:"filters,omitempty"`
	Cleanup        bool          `json:"cleanup,omitempty"` // delete afterwards what the run created
}

// Bucket is what a run on a key-value bucket needs.
type Bucket struct {
	Name      string `json:"name,omitempty"`
	Storage   string `json:"storage,omitempty"`
	Replicas  int    `json:"replicas,omitempty"`
	MaxBytes  int64  `json:"max_bytes,omitempty"`
	History   uint8  `json:"history,omitempty"`
	Purge     bool   `json:"purge,omitempty"`
	Randomize int64  `json:"randomize,omitempty"`
	Cleanup   bool   `json:"cleanup,omitempty"`
}

// World is what a run may touch.
type World struct {
	// Options are the connection settings for the wire engine.
	Options func(context.Context) (nats.Options, error)
	// Dial makes a private connection with the same settings.
	Dial func(context.Context, ...nats.Option) (*nats.Conn, error)
	// JetStream applies the domain or prefix of the settings to a connection.
	JetStream func(*nats.Conn, ...jetstream.JetStreamOpt) (jetstream.JetStream, error)
	// OldJetStream is JetStream in the legacy API of nats.go.
	OldJetStream func(*nats.Conn, ...nats.JSOpt) (nats.JetStreamContext, error)
	// Timeout bounds one request to the server.
	Timeout time.Duration
	// Say writes a line of narration.
	Say func(format string, args ...any)
	// Watch is called some twenty times a second while the run goes on, and once when it is over; nil is nobody watching.
	Watch func(sides []Progress, over bool)
	// Gate is called when all clients are connected, and returns when they may start; nil starts them at once.
	Gate func(context.Context) error
	// Tool is the version of this program, for reports.
	Tool string
	// Explain makes an error of connecting with Options say more; nil leaves it as it is.
	Explain func(error) error
}

// Progress is how far the clients of one side have come.
type Progress struct {
	Label   string
	Clients []ClientProgress
}

// ClientProgress is how far a client has come; Total is 0 when it has no number to reach.
type ClientProgress struct {
	Number      int
	State       meter.State
	Done, Total int64
}

// Kind says what runs of a kind have in common.
type Kind struct {
	Label  string // as people read it
	Verb   string // on the line of each client: "publishing 667 messages"
	Role   meter.Role
	Divide bool   // Messages are divided among the clients, else each has as many
	Clamp  bool   // more clients than messages are not started
	Covers string // what a latency is counted from and to; empty without latencies
}

// KindOf is the description of a kind, by its words on the command line.
func KindOf(name string) (Kind, bool) {
	const client, pub, sub = true, meter.Publisher, meter.Consumer
	k, ok := map[string]Kind{
		"pub":             {"Core NATS publisher", "publishing", pub, true, client, coversFlush},
		"sub":             {"Core NATS subscriber", "expecting", sub, false, client, ""},
		"service request": {"Core NATS service requester", "requesting", pub, true, client, "the request to its reply"},
		"service serve":   {"Core NATS service server", "", sub, false, false, ""},
		"js pub sync":     {"JetStream synchronous publisher", "publishing", pub, true, client, "the publish to the acknowledgement"},
		"js pub async":    {"JetStream asynchronous publisher", "publishing", pub, true, client, "each publish to its own acknowledgement"},
		"js pub atomic":   {"JetStream atomic batch publisher", "publishing", pub, true, client, "the first message of a batch to its commit"},
		"js pub fast":     {"JetStream fast batch publisher", "publishing", pub, true, client, "each publish to the flow acknowledgement that covers it"},
		"js ordered":      {"JetStream ordered ephemeral consumer", "expecting", sub, false, client, ""},
		"js consume":      {"JetStream durable consumer (callback)", "expecting", sub, true, client, ""},
		"js fetch":        {"JetStream durable consumer (fetch)", "expecting", sub, true, client, "the fetch to the last message of its batch"},
		"js get sync":     {"JetStream synchronous getter", "trying to get", sub, false, client, "the get to the message"},
		"js get batch":    {"JetStream batched direct getter", "trying to get", sub, false, client, "the request to the last message of its batch"},
		"kv put":          {"JetStream KV putter", "publishing", pub, true, client, "the put to the acknowledgement"},
		"kv get":          {"JetStream KV getter", "trying to get", sub, true, client, "the get to the value"},
		"oldjs ordered":   {"JetStream ordered consumer (old API)", "expecting", sub, false, client, ""},
		"oldjs push":      {"JetStream durable push consumer (old API)", "expecting", sub, true, client, ""},
		"oldjs pull":      {"JetStream durable pull consumer (old API)", "expecting", sub, true, client, ""},
	}[name]
	return k, ok
}

// What latencies of publishers and of stamped messages cover.
const (
	coversFlush      = "the hand-over to the connection to the server's confirmation (PONG)"
	CoversPaced      = "the intended send time to the server's confirmation (PONG)"
	CoversStamp      = "the hand-over by the publisher to the arrival"
	CoversStampPaced = "the intended send time to the arrival"
)

// Schedule is the schedule of the spec, nil when it is to go as fast as it can.
func (s *Spec) Schedule() (*meter.Schedule, error) {
	if len(s.Segments) == 0 {
		return nil, nil
	}
	out := make([]meter.Segment, len(s.Segments))
	for i, g := range s.Segments {
		out[i] = meter.Segment{From: g.From, To: g.To, For: g.For}
	}
	return meter.NewSchedule(out...)
}

// All is how many clients the whole run has.
func (s *Spec) All() int { return max(s.AllClients, s.Clients) }

// Bounded reports that the run ends with a number of messages.
func (s *Spec) Bounded() bool { return s.Messages > 0 }

// Config is the settings of the run as the report keeps them, under the names of the flags.
func (s *Spec) Config() map[string]any {
	c := map[string]any{"clients": s.All(), "msgs": s.Messages, "size": s.Size}
	set := func(name string, v any, when bool) {
		if when {
			c[name] = v
		}
	}
	set("subject", s.Subject, s.Subject != "")
	set("subscribers", s.Subscribers, s.Subscribers > 0)
	set("duration_ns", s.Duration.Nanoseconds(), s.Duration > 0)
	set("warmup_ns", s.Warmup.Nanoseconds(), s.Warmup > 0)
	set("sleep_ns", s.Sleep.Nanoseconds(), s.Sleep > 0)
	set("size_max", s.SizeMax, s.SizeMax > s.Size)
	set("payload_bytes", len(s.Payload), len(s.Payload) > 0)
	set("random", true, s.Random)
	set("headers", len(s.Header), len(s.Header) > 0)
	set("latency", true, s.Stamp)
	set("queue", s.Queue, s.Queue != "")
	set("multisubject", true, s.Multi.On)
	set("multisubjectmax", s.Multi.Max, s.Multi.On)
	set("multisubjectrandomize", true, s.Multi.Random)
	if len(s.Segments) > 0 {
		c["schedule"] = s.Segments
	}
	if s.Stream.Name != "" {
		c["stream"] = s.Stream
	}
	if s.Bucket.Name != "" {
		c["bucket"] = s.Bucket
	}
	return c
}
