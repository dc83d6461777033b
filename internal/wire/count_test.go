package wire

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestCount(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	c := dial(t, testOptions(s.ClientURL()))
	ctx := testContext(t)
	for _, subject := range []string{"small", "large", "hdr"} {
		if _, err := c.Subscribe(subject, ""); err != nil {
			t.Fatal(err)
		}
	}
	hdr, err := AppendHeader(nil, nats.Header{"A": {"b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	other := dial(t, testOptions(s.ClientURL()))
	w := other.Writer()
	large := make([]byte, 300_000)
	var bytes uint64
	for i := range 300 {
		for _, err := range []error{w.Pub("small", "", nil, large[:i%7]), w.Pub("hdr", "r", hdr, large[:16])} {
			if err != nil {
				t.Fatal(err)
			}
		}
		bytes += uint64(i%7 + 16 + len(hdr))
		if i%10 == 0 {
			if err := w.Pub("large", "", nil, large); err != nil {
				t.Fatal(err)
			}
			bytes += uint64(len(large))
		}
	}
	if err := errors.Join(w.Repeat(EncodePub(nil, "small", "", nil, large[:16]), 1000), other.Ping(ctx)); err != nil {
		t.Fatal(err)
	}
	bytes += 16_000
	var progress uint64
	first, err := c.Count(ctx, 100, func(*Tally) error { return nil })
	if err != nil || first.Msgs != 100 {
		t.Fatalf("%+v %v", first, err)
	}
	rest, err := c.Count(ctx, 1530, func(t *Tally) error { progress = t.Msgs; return nil })
	if err != nil || rest.Msgs != 1530 || progress != 1530 || rest.First.After(rest.Last) || rest.First.IsZero() {
		t.Fatalf("%+v %v", rest, err)
	}
	if got := first.Bytes + rest.Bytes; got != bytes {
		t.Errorf("%d bytes, want %d", got, bytes)
	}
	for sid, want := range []uint64{0, 1300, 30, 300} {
		if got := first.Sid[sid] + rest.Sid[sid]; got != want {
			t.Errorf("sid %d: %d, want %d", sid, got, want)
		}
	}
	if got := c.Stats(); got.InMsgs != 1630 || got.InPayload != bytes || len(c.buf) > maxBuffer {
		t.Errorf("%+v, buffer %d", got, len(c.buf))
	}
	if got := other.Stats(); got.OutMsgs != 1630 || got.OutPayload != bytes {
		t.Errorf("%+v", got)
	}
	v, err := s.Varz(nil)
	if err != nil || v.InMsgs != 1630 || uint64(v.InBytes) != bytes {
		t.Errorf("the server counts %d messages, %d bytes (%v)", v.InMsgs, v.InBytes, err)
	}
}

func TestCountEnds(t *testing.T) {
	t.Parallel()
	c, p := puppetConn(t, testOptions())
	ctx, cancel := context.WithCancelCause(testContext(t))
	p.say("MSG a 5 1\r\nx\r\nMSG a 5 1\r\nx\r\nMSG a 5 1\r\nx\r\n")
	boom := errors.New("boom")
	tally, err := c.Count(ctx, 0, func(tally *Tally) error {
		if tally.Msgs == 3 {
			cancel(boom)
		}
		return nil
	})
	if err != boom || tally.Msgs != 3 || tally.Sid[5] != 3 || tally.Wire != 3*14 {
		t.Errorf("%v %+v", err, tally)
	}
	p.say("MSG a 1 1\r\nx\r\n")
	if tally, err = c.Count(testContext(t), 0, func(*Tally) error { return ErrStop }); err != nil || tally.Msgs != 1 {
		t.Errorf("%v %+v", err, tally)
	}
	p.say("-ERR 'Permissions Violation for Subscription to \"x\"'\r\n")
	if _, err = c.Count(testContext(t), 0, nil); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Error(err)
	}
	p.say("MSG a 1 1\r\nx\r\nMSG a 1 1\r\nxyz\r\n")
	if tally, err = c.Count(testContext(t), 0, nil); !errors.Is(err, ErrProtocol) || tally.Msgs != 1 {
		t.Errorf("%v %+v", err, tally)
	}
}
