package publish_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/publish"
	"github.com/natskit/natskit/internal/testkit"
)

func TestParseAck(t *testing.T) {
	t.Parallel()
	rows := []struct {
		body string
		want publish.Ack
		err  string
		code fail.Code
	}{
		{`{"stream":"S","seq":7}`, publish.Ack{Stream: "S", Sequence: 7}, "", fail.OK},
		{`{"stream":"S","seq":18446744073709551615,"domain":"hub","duplicate":true,"val":"5","batch":"B","count":3}`,
			publish.Ack{Stream: "S", Sequence: 18446744073709551615, Domain: "hub", Duplicate: true, Value: "5", Batch: "B", Count: 3}, "", fail.OK},
		{`{"error":{"code":400,"err_code":10060,"description":"expected stream does not match"}}`, publish.Ack{}, "expected stream does not match (10060)", fail.Failure},
		{`{"error":{"code":503,"err_code":10039,"description":"jetstream not enabled for account"}}`, publish.Ack{}, "(10039)", fail.Unreachable},
		{`{"error":{"code":404,"err_code":10059,"description":"stream not found"}}`, publish.Ack{}, "(10059)", fail.NotFound},
		{`pong`, publish.Ack{}, "no acknowledgement of a stream", fail.Failure},
		{`{}`, publish.Ack{}, "it names none", fail.Failure},
		{``, publish.Ack{}, "no acknowledgement of a stream", fail.Failure},
	}
	for _, r := range rows {
		got, err := publish.ParseAck(&nats.Msg{Data: []byte(r.body)})
		if got != r.want || fail.CodeOf(err) != r.code || err != nil && !strings.Contains(err.Error(), r.err) {
			t.Errorf("%s: %+v, %v", r.body, got, err)
		}
	}
	if _, err := publish.ParseAck(&nats.Msg{Header: nats.Header{"Status": {"503"}}}); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("no responders: %v", err)
	}
}

func TestGather(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	many := func(bodies ...string) func(*nats.Msg) {
		return func(m *nats.Msg) {
			for _, b := range bodies {
				_ = m.Respond([]byte(b))
			}
		}
	}
	testkit.Handle(t, srv.Conn(), "three", many("a", "b", "c"))
	testkit.Handle(t, srv.Conn(), "hole", many("a", "", "c"))
	testkit.Subscribe(t, srv.Conn(), "silent")
	const brief, long = 2 * time.Second, time.Minute
	rows := []struct {
		subject string
		rule    publish.Rule
		want    string
		stop    publish.Stop
		err     error
	}{
		{"three", publish.Rule{Replies: 1, Timeout: long}, "a", publish.Complete, nil},
		{"three", publish.Rule{Replies: 3, Timeout: long, Between: long}, "a b c", publish.Complete, nil},
		{"three", publish.Rule{Replies: 4, Timeout: long, Between: brief}, "a b c", publish.Silence, nil},
		{"three", publish.Rule{Timeout: brief}, "a b c", publish.Deadline, nil},
		{"three", publish.Rule{UntilEmpty: true, Timeout: long, Between: brief}, "a b c", publish.Silence, nil},
		{"hole", publish.Rule{UntilEmpty: true, Timeout: long, Between: long}, "a ", publish.Empty, nil},
		{"hole", publish.Rule{Replies: 5, Timeout: long, Between: long}, "a ", publish.Empty, nil},
		{"hole", publish.Rule{Timeout: brief}, "a  c", publish.Deadline, nil},
		{"silent", publish.Rule{Replies: 1, Timeout: brief}, "", publish.Silence, nats.ErrTimeout},
		{"silent", publish.Rule{Timeout: brief}, "", publish.Deadline, nats.ErrTimeout},
		{"nobody", publish.Rule{Replies: 1, Timeout: long}, "", "", nats.ErrNoResponders},
	}
	for _, r := range rows {
		t.Run(fmt.Sprintf("%s %+v", r.subject, r.rule), func(t *testing.T) {
			t.Parallel()
			var got []string
			stop, n, err := publish.Gather(t.Context(), srv.Conn(), clock.System(), nats.NewMsg(r.subject), r.rule, func(p publish.Reply) error {
				if p.RTT <= 0 {
					t.Errorf("round trip %s", p.RTT)
				}
				got = append(got, string(p.Data))
				return nil
			})
			if strings.Join(got, " ") != r.want || stop != r.stop || n != len(got) || !errors.Is(err, r.err) {
				t.Errorf("got %q, %d, stopped for %q, %v", got, n, stop, err)
			}
		})
	}
}

func TestGatherEnds(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	testkit.Respond(t, srv.Conn(), "one", "a")
	testkit.Subscribe(t, srv.Conn(), "silent")
	full := errors.New("the disk is full")
	rule := publish.Rule{Replies: 2, Timeout: time.Hour, Between: time.Hour}
	if _, n, err := publish.Gather(t.Context(), srv.Conn(), clock.System(), nats.NewMsg("one"), rule, func(publish.Reply) error { return full }); n != 1 || !errors.Is(err, full) {
		t.Errorf("%d, %v", n, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	_, n, err := publish.Gather(ctx, srv.Conn(), clock.System(), nats.NewMsg("one"), rule, func(publish.Reply) error {
		cancel(fail.ErrInterrupted)
		return nil
	})
	if n != 1 || !errors.Is(err, fail.ErrInterrupted) {
		t.Errorf("%d, %v", n, err)
	}
	if n := srv.Conn().NumSubscriptions(); n != 2 {
		t.Errorf("%d subscriptions are left", n)
	}
}
