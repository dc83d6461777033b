package js_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/testkit"
)

func TestScan(t *testing.T) {
	t.Parallel()
	for _, retention := range []string{"limits", "work", "interest"} {
		t.Run(retention, func(t *testing.T) {
			t.Parallel()
			c, s := client(t)
			cfg := jsconf.DefaultStream("X")
			must(t, (&jsconf.Settings{Subjects: []string{"x.*"}, Retention: ptr(retention)}).Apply(cfg))
			_, err := c.Create(t.Context(), cfg)
			must(t, err)
			if retention == "interest" {
				_, err := s.Conn().Request("$JS.API.CONSUMER.DURABLE.CREATE.X.D", []byte(`{"stream_name":"X","config":{"durable_name":"D","ack_policy":"explicit"}}`), 5e9)
				must(t, err)
			}
			const n = 3000
			for i := range n {
				_, err := s.PublishAsync(fmt.Sprintf("x.%d", i%2), []byte("b"))
				must(t, err)
			}
			<-s.PublishAsyncComplete()
			info, err := c.Info(t.Context(), "X")
			must(t, err)
			read := func(r js.Range) (seqs []uint64) {
				must(t, c.Scan(t.Context(), info, r, func(m *js.DirectMessage) error {
					seqs = append(seqs, m.Sequence)
					return nil
				}))
				return seqs
			}
			if got := read(js.Range{}); len(got) != n || !slices.IsSorted(got) || got[n-1] != n {
				t.Errorf("%d messages", len(got))
			}
			if got := read(js.Range{Filter: "x.1", Seq: 11, UpTo: 20}); !slices.Equal(got, []uint64{12, 14, 16, 18, 20}) {
				t.Errorf("%v", got)
			}
			if got := read(js.Range{Limit: 2}); !slices.Equal(got, []uint64{1, 2}) {
				t.Errorf("%v", got)
			}
			if got := read(js.Range{Limit: 1500}); len(got) != 1500 {
				t.Errorf("%d messages", len(got))
			}
			if got := read(js.Range{Filter: "x.7"}); len(got) != 0 {
				t.Errorf("%v", got)
			}
			stop := errors.New("enough")
			if err := c.Scan(t.Context(), info, js.Range{}, func(*js.DirectMessage) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("%v", err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			if err := c.Scan(ctx, info, js.Range{}, func(*js.DirectMessage) error { cancel(fail.ErrInterrupted); return nil }); fail.CodeOf(err) != fail.Interrupted {
				t.Errorf("%v", err)
			}
			after, err := c.Info(t.Context(), "X")
			must(t, err)
			if after.State.Msgs != n || after.State.Consumers != info.State.Consumers {
				t.Errorf("afterwards %+v", after.State)
			}
		})
	}
}

// TestScanWithoutSecondConnection: where the server takes no further connection, messages are asked for one by one or in batches.
func TestScanWithoutSecondConnection(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig("max_connections: 1"))
	for _, direct := range []bool{true, false} {
		name := fmt.Sprintf("X%t", direct)
		testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: name, Subjects: []string{name}, AllowDirect: direct})
		testkit.Store(t, srv.JS(), name, 20, "b")
		c := js.New(srv.JS())
		info, err := c.Info(t.Context(), name)
		must(t, err)
		n := 0
		must(t, c.Scan(t.Context(), info, js.Range{}, func(*js.DirectMessage) error { n++; return nil }))
		if n != 20 {
			t.Errorf("direct gets %t: %d messages", direct, n)
		}
		if n := testkit.State(t, srv.JS(), name).Consumers; n != 0 {
			t.Errorf("%d consumers are left", n)
		}
	}
}

// TestScanDenied: who may make no consumer reads by gets; who may make one and not pull from it is told so at once.
func TestScanDenied(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig(`no_auth_user: all
authorization { users = [
  { user: all, password: x }
  { user: gets, password: x, permissions: { publish: { deny: ["$JS.API.CONSUMER.>"] } } }
  { user: none, password: x, permissions: { publish: { deny: ["$JS.API.CONSUMER.MSG.NEXT.>"] } } }
] }`))
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "X", Subjects: []string{"x"}, AllowDirect: true})
	testkit.Store(t, srv.JS(), "x", 20, "b")
	for user, want := range map[string]int{"gets": 20, "none": 0} {
		nc, err := nats.Connect(srv.URL(), nats.UserInfo(user, "x"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		must(t, err)
		t.Cleanup(nc.Close)
		s, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Hour))
		must(t, err)
		c := js.New(s)
		info, err := c.Info(t.Context(), "X")
		must(t, err)
		n := 0
		err = c.Scan(t.Context(), info, js.Range{}, func(*js.DirectMessage) error { n++; return nil })
		if n != want || (want == 0) != (fail.CodeOf(err) == fail.Unreachable) {
			t.Errorf("%s: %d messages, %v", user, n, err)
		}
	}
}

// TestScanKeepsNothing: what is to outlive the call is cloned.
func TestScanKeepsNothing(t *testing.T) {
	t.Parallel()
	c, s := client(t)
	orders(t, c, s)
	info, err := c.Info(t.Context(), "ORDERS")
	must(t, err)
	var kept []*js.DirectMessage
	must(t, c.Scan(t.Context(), info, js.Range{}, func(m *js.DirectMessage) error {
		kept = append(kept, m.Clone())
		clear(m.Data)
		return nil
	}))
	if len(kept) != 7 || kept[1].Header.Get("X-N") != "2" || string(kept[1].Data) != "msg" || kept[6].Subject != "orders.old" || kept[6].Header != nil {
		t.Errorf("%+v", kept)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	m := &js.DirectMessage{Subject: "orders.new", Sequence: 7, Header: nats.Header{"X-Kind": {"big", "red"}}, Data: []byte(`{"id":42,"name":"Ann (x)"}`)}
	body := js.Match{Bodies: true}
	with := func(change func(*js.Match)) js.Match {
		n := body
		change(&n)
		return n
	}
	rows := []struct {
		name string
		m    js.Match
		want bool
	}{
		{"nothing", js.Match{}, true},
		{"text", with(func(m *js.Match) { m.Pattern = `"id":42` }), true},
		{"regular expression", with(func(m *js.Match) { m.Pattern = `id":\d+,` }), true},
		{"case", with(func(m *js.Match) { m.Pattern = "ann" }), false},
		{"ignored case", with(func(m *js.Match) { m.Pattern, m.IgnoreCase = "ann", true }), true},
		{"fixed", with(func(m *js.Match) { m.Pattern, m.Fixed = "(x)", true }), true},
		{"fixed, ignored case", with(func(m *js.Match) { m.Pattern, m.Fixed, m.IgnoreCase = "ANN (X)", true, true }), true},
		{"inverted", with(func(m *js.Match) { m.Pattern, m.Invert = "Ann", true }), false},
		{"not in bodies", with(func(m *js.Match) { m.Pattern = "orders" }), false},
		{"in subjects", js.Match{Pattern: "orders", Subjects: true}, true},
		{"in headers", js.Match{Pattern: "X-Kind: r", Headers: true}, true},
		{"named header", js.Match{Named: []string{"x-kind"}}, true},
		{"named header with a value", js.Match{Named: []string{"X-Kind:^red$"}}, true},
		{"named header with another", js.Match{Named: []string{"X-Kind:^blue$"}}, false},
		{"no such header", js.Match{Named: []string{"X"}}, false},
		{"where", js.Match{Where: `.body.id > 41 and .subject == "orders.new" and .seq == 7 and .size > 5`}, true},
		{"where headers", js.Match{Where: `.headers["X-Kind"] | index("red")`}, true},
		{"where not", js.Match{Where: `.body.id > 42`}, false},
		{"where of another form", js.Match{Where: `.body.name.first == "x"`}, false},
	}
	for _, r := range rows {
		c, err := r.m.Compile()
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		if got, err := c.Test(m); err != nil || got != r.want {
			t.Errorf("%s: %v %v", r.name, got, err)
		}
	}
	for _, bad := range []js.Match{{Pattern: "("}, {Named: []string{":x"}}, {Named: []string{"a:("}}, {Where: ".a |"}, {Where: "nope(1)"}} {
		if _, err := bad.Compile(); fail.CodeOf(err) != fail.Usage {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
