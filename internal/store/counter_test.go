package store

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

func TestCounters(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	must[jetstream.Stream](t)(c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "CTR", Subjects: []string{"ctr.>"}, AllowMsgCounter: true, AllowDirect: true}))
	must[jetstream.Stream](t)(c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}}))
	ctr := must[*Counters](t)(c.OpenCounters(ctx, "", "ctr.a"))
	for _, r := range [][2]string{{"1", "1"}, {"41", "42"}, {"-2", "40"}, {"-5", "35"}, {"99999999999999999999999999", "100000000000000000000000034"}} {
		by := must[*big.Int](t)(ParseIncrement(r[0]))
		if got := must[*big.Int](t)(ctr.Add(ctx, "ctr.a", by)); got.String() != r[1] {
			t.Errorf("after %s: %s, want %s", r[0], got, r[1])
		}
	}
	one := must[Counter](t)(ctr.Get(ctx, "ctr.a"))
	if one.Value.String() != "100000000000000000000000034" || one.Increment == nil || one.Increment.String() != "99999999999999999999999999" || one.Stream != "CTR" {
		t.Errorf("%+v", one)
	}
	for i := range 1500 {
		must[*big.Int](t)(ctr.Add(ctx, fmt.Sprintf("ctr.n.%04d", i), big.NewInt(int64(i))))
	}
	last, n := "", 0
	ok(t, ctr.List(ctx, "ctr.n.>", func(one Counter) error {
		if one.Subject <= last || one.Value.String() != strings.TrimLeft(strings.TrimPrefix(one.Subject, "ctr.n.0"), "0") && n < 1000 && n > 0 {
			t.Errorf("%s %s behind %s", one.Subject, one.Value, last)
		}
		last, n = one.Subject, n+1
		return nil
	}))
	if n != 1500 {
		t.Errorf("%d counters", n)
	}
	_, err := ctr.Get(ctx, "ctr.none")
	wantCode(t, err, fail.NotFound, "counter not initialized for subject: ctr.none")
	_, err = ctr.Get(ctx, "ctr.*")
	wantCode(t, err, fail.Usage, "wildcards")
	_, err = c.OpenCounters(ctx, "", "orders.new")
	wantCode(t, err, fail.Failure, `"ORDERS" is not a valid counter stream`)
	_, err = c.OpenCounters(ctx, "", "nothing.here")
	wantCode(t, err, fail.NotFound, "nothing.here")
	_, err = c.OpenCounters(ctx, "CTRR", "")
	wantCode(t, err, fail.NotFound, "CTRR")
	for _, bad := range []string{"", "1.5", "x", "1_0", "0x1"} {
		_, err := ParseIncrement(bad)
		wantCode(t, err, fail.Usage, "invalid value")
	}
}

func TestCounterSources(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	must[jetstream.Stream](t)(c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "CTR", Subjects: []string{"ctr.>"}, AllowMsgCounter: true, AllowDirect: true}))
	must[jetstream.Stream](t)(c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "ALL", AllowMsgCounter: true, AllowDirect: true, Sources: []*jetstream.StreamSource{{Name: "CTR"}}}))
	ctr := must[*Counters](t)(c.OpenCounters(ctx, "CTR", ""))
	must[*big.Int](t)(ctr.Add(ctx, "ctr.a", big.NewInt(34)))
	all := must[*Counters](t)(c.OpenCounters(ctx, "ALL", ""))
	var one Counter
	for t.Context().Err() == nil { // sourcing goes on behind our back
		var err error
		if one, err = all.Get(ctx, "ctr.a"); err == nil {
			break
		}
	}
	if got := one.Sources["CTR"]["ctr.a"]; got == nil || got.String() != "34" {
		t.Errorf("%+v", one)
	}
}
