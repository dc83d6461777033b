package testkit

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Context is the context of the test with a deadline that no call reaches on a working server.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startWait)
	t.Cleanup(cancel)
	return ctx
}

// Publish publishes n messages with the given body to the subject; the server has them when it returns.
func Publish(t testing.TB, nc *nats.Conn, subject string, n int, body string) {
	t.Helper()
	for range n {
		if err := nc.Publish(subject, []byte(body)); err != nil {
			t.Fatalf("publishing to %s: %v", subject, err)
		}
	}
	if err := nc.FlushWithContext(Context(t)); err != nil {
		t.Fatalf("publishing to %s: %v", subject, err)
	}
}

// PublishMsg publishes one message with headers, given as name and value in turn; the server has it when it returns.
func PublishMsg(t testing.TB, nc *nats.Conn, subject, body string, headers ...string) {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(body)
	for i := 0; i+1 < len(headers); i += 2 {
		m.Header.Add(headers[i], headers[i+1])
	}
	if err := nc.PublishMsg(m); err != nil {
		t.Fatalf("publishing to %s: %v", subject, err)
	}
	if err := nc.FlushWithContext(Context(t)); err != nil {
		t.Fatalf("publishing to %s: %v", subject, err)
	}
}

// Store publishes n messages with the given body to a subject of a stream, and returns when each is acknowledged.
func Store(t testing.TB, js jetstream.JetStream, subject string, n int, body string) {
	t.Helper()
	ctx := Context(t)
	for range n {
		if _, err := js.Publish(ctx, subject, []byte(body)); err != nil {
			t.Fatalf("storing on %s: %v", subject, err)
		}
	}
}

// Stream makes a stream with the configuration.
func Stream(t testing.TB, js jetstream.JetStream, cfg jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	s, err := js.CreateStream(Context(t), cfg)
	if err != nil {
		t.Fatalf("stream %s: %v", cfg.Name, err)
	}
	return s
}

// Consumer makes a consumer of the stream with the configuration.
func Consumer(t testing.TB, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig) jetstream.Consumer {
	t.Helper()
	c, err := js.CreateConsumer(Context(t), stream, cfg)
	if err != nil {
		t.Fatalf("consumer %s of stream %s: %v", cfg.Name+cfg.Durable, stream, err)
	}
	return c
}

// KV makes a key-value bucket with the configuration.
func KV(t testing.TB, js jetstream.JetStream, cfg jetstream.KeyValueConfig) jetstream.KeyValue {
	t.Helper()
	kv, err := js.CreateKeyValue(Context(t), cfg)
	if err != nil {
		t.Fatalf("bucket %s: %v", cfg.Bucket, err)
	}
	return kv
}

// Objects makes an object store with the configuration.
func Objects(t testing.TB, js jetstream.JetStream, cfg jetstream.ObjectStoreConfig) jetstream.ObjectStore {
	t.Helper()
	o, err := js.CreateObjectStore(Context(t), cfg)
	if err != nil {
		t.Fatalf("object store %s: %v", cfg.Bucket, err)
	}
	return o
}

// State is the state of the stream as the server has it now.
func State(t testing.TB, js jetstream.JetStream, stream string) jetstream.StreamState {
	t.Helper()
	s, err := js.Stream(Context(t), stream)
	if err != nil {
		t.Fatalf("stream %s: %v", stream, err)
	}
	return s.CachedInfo().State
}

// Stored are the messages of the stream in order, those that are deleted left out.
func Stored(t testing.TB, js jetstream.JetStream, stream string) []*jetstream.RawStreamMsg {
	t.Helper()
	ctx := Context(t)
	s, err := js.Stream(ctx, stream)
	if err != nil {
		t.Fatalf("stream %s: %v", stream, err)
	}
	state := s.CachedInfo().State
	var messages []*jetstream.RawStreamMsg
	for seq := state.FirstSeq; seq != 0 && seq <= state.LastSeq; seq++ {
		m, err := s.GetMsg(ctx, seq)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			t.Fatalf("message %d of stream %s: %v", seq, stream, err)
		default:
			messages = append(messages, m)
		}
	}
	return messages
}

// Subscription collects what arrives on a subject.
type Subscription struct {
	t   testing.TB
	sub *nats.Subscription
}

// Subscribe subscribes to the subject; the server knows of it when it returns.
func Subscribe(t testing.TB, nc *nats.Conn, subject string) *Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(subject)
	if err == nil {
		err = nc.FlushWithContext(Context(t))
	}
	if err != nil {
		t.Fatalf("subscribing to %s: %v", subject, err)
	}
	return &Subscription{t: t, sub: sub}
}

// Next is the next message; the test fails when none arrives.
func (s *Subscription) Next() *nats.Msg {
	s.t.Helper()
	m, err := s.sub.NextMsgWithContext(Context(s.t))
	if err != nil {
		s.t.Fatalf("message on %s: %v", s.sub.Subject, err)
	}
	return m
}

// Bodies are the payloads of the next n messages.
func (s *Subscription) Bodies(n int) []string {
	s.t.Helper()
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = string(s.Next().Data)
	}
	return bodies
}

// Pending is how many messages arrived that Next has not given out: 0 shows that there is no more, after a round trip
// through the connection that published.
func (s *Subscription) Pending() int {
	s.t.Helper()
	n, _, err := s.sub.Pending()
	if err != nil {
		s.t.Fatalf("subscription to %s: %v", s.sub.Subject, err)
	}
	return n
}

// Respond answers every request on the subject with the body until the test ends; the server knows of it when it returns.
func Respond(t testing.TB, nc *nats.Conn, subject, body string) {
	t.Helper()
	Handle(t, nc, subject, func(m *nats.Msg) {
		if m.Reply != "" {
			_ = m.Respond([]byte(body)) // the requester's timeout tells
		}
	})
}

// Handle has what arrives on the subject handled until the test ends; the server knows of it when it returns.
func Handle(t testing.TB, nc *nats.Conn, subject string, handle nats.MsgHandler) {
	t.Helper()
	sub, err := nc.Subscribe(subject, handle)
	if err == nil {
		err = nc.FlushWithContext(Context(t))
	}
	if err != nil {
		t.Fatalf("answering on %s: %v", subject, err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() }) // or the connection is closed already
}
