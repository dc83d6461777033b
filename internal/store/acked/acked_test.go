package acked

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

type outcomes struct {
	mu  sync.Mutex
	seq map[int]uint64
	err map[int]error
}

func (o *outcomes) note(n int, seq uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seq[n], o.err[n] = seq, err
}

func publisher(t *testing.T, nc *nats.Conn, idle time.Duration) (*Publisher[int], *outcomes) {
	t.Helper()
	o := &outcomes{seq: map[int]uint64{}, err: map[int]error{}}
	p, err := New(nc, idle, o.note)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, o
}

func send(t *testing.T, p *Publisher[int], n int, subject string, data []byte) {
	t.Helper()
	if err := p.Send(testkit.Context(t), n, &nats.Msg{Subject: subject, Data: data}); err != nil {
		t.Fatal(err)
	}
}

// TestEveryMessageHasItsOutcome sends more than the window holds, in messages and in bytes.
func TestEveryMessageHasItsOutcome(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s", "big"}, Storage: jetstream.MemoryStorage})
	p, o := publisher(t, srv.Conn(), time.Minute)
	const n = 3*window + 5
	for i := range n {
		send(t, p, i, "s", nil)
	}
	big := []byte(strings.Repeat("x", 900_000))
	for i := range 3 * windowBytes / len(big) {
		send(t, p, n+i, "big", big)
	}
	send(t, p, -1, "nobody", nil)
	if err := p.Wait(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	for i := range n + 3*windowBytes/len(big) {
		if o.err[i] != nil || o.seq[i] != uint64(i)+1 {
			t.Fatalf("message %d is at %d, %v", i, o.seq[i], o.err[i])
		}
	}
	if !errors.Is(o.err[-1], jetstream.ErrNoStreamResponse) {
		t.Errorf("a message that nobody stores: %v", o.err[-1])
	}
	if p.outstanding() != 0 || p.bytes != 0 {
		t.Errorf("%d messages and %d bytes are outstanding", p.outstanding(), p.bytes)
	}
}

func TestSilenceIsAFailure(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	nc := srv.Conn()
	sub, err := nc.SubscribeSync("silent")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	p, o := publisher(t, nc, 20*time.Millisecond)
	for i := range window + 1 {
		send(t, p, i, "silent", nil)
	}
	if err := p.Wait(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(o.err[0], nats.ErrTimeout) || !errors.Is(o.err[window], nats.ErrTimeout) || len(o.err) != window+1 {
		t.Errorf("%d outcomes: %v, %v", len(o.err), o.err[0], o.err[window])
	}
	// An answer that comes too late belongs to no message any more.
	late, err := sub.NextMsg(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	send(t, p, window+1, "silent", nil)
	if err := late.Respond([]byte(`{"stream":"S","seq":7}`)); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(testkit.Context(t)); err != nil || !errors.Is(o.err[window+1], nats.ErrTimeout) {
		t.Errorf("%v, %v", err, o.err[window+1])
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	if _, err := srv.Conn().SubscribeSync("silent"); err != nil {
		t.Fatal(err)
	}
	p, _ := publisher(t, srv.Conn(), time.Hour)
	for i := range window {
		send(t, p, i, "silent", nil)
	}
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if err := p.Send(ctx, window, &nats.Msg{Subject: "silent"}); !errors.Is(err, stop) {
		t.Error(err)
	}
	if err := p.Wait(ctx); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestReadAck(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]uint64{
		`{"stream":"S","seq":7}`: 7, `{"stream":"S", "seq": 18446744073709551615,"duplicate":true}`: 18446744073709551615,
	} {
		if seq, err := ReadAck(&nats.Msg{Data: []byte(data)}); err != nil || seq != want {
			t.Errorf("%s: %d, %v", data, seq, err)
		}
	}
	var refused *jetstream.APIError
	if _, err := ReadAck(&nats.Msg{Data: []byte(`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 6"},"stream":"S","seq":0}`)}); !errors.As(err, &refused) || refused.ErrorCode != 10071 {
		t.Errorf("%v", err)
	}
	for i, data := range []string{"", "{}", "hello"} {
		if seq, err := ReadAck(&nats.Msg{Data: []byte(data)}); err == nil {
			t.Error(fmt.Sprint(i, seq))
		}
	}
}
