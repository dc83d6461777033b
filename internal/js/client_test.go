package js_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/testkit"
)

func TestRefusedRequestsFailAtOnce(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig(`authorization { users = [
  { user: limited, password: x, permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>"] } } }
  { user: deaf, password: x, permissions: { subscribe: { deny: ["_INBOX.>"] } } }
] }`))
	for user, want := range map[string]string{"limited": "$JS.API.STREAM.CREATE.P", "deaf": "_INBOX"} {
		nc, err := nats.Connect(srv.URL(), nats.UserInfo(user, "x"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		must(t, err)
		t.Cleanup(nc.Close)
		s, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Hour))
		must(t, err)
		cfg := jsconf.DefaultStream("P")
		_, err = js.New(s).Create(t.Context(), cfg)
		if fail.CodeOf(err) != fail.Unreachable {
			t.Fatalf("%s: code %d of %v", user, fail.CodeOf(err), err)
		}
		wantText(t, user, err.Error(), want, "no permission")
	}
}

func TestRequestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := testkit.Server(t).JS()
	_, err := s.Conn().Subscribe("$JS.mute.API.>", func(*nats.Msg) {})
	must(t, err)
	mute, err := jetstream.NewWithDomain(s.Conn(), "mute")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := js.New(mute).Info(ctx, "X"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := js.New(mute).Info(ctx, "X"); fail.CodeOf(err) != fail.NoAnswer {
		t.Errorf("timeout: %v", err)
	}
}

func TestNoJetStream(t *testing.T) {
	t.Parallel()
	s := testkit.Server(t, testkit.WithoutJetStream()).JS()
	_, err := js.New(s).Info(t.Context(), "X")
	if fail.CodeOf(err) != fail.Unreachable || !strings.Contains(err.Error(), "10039") {
		t.Errorf("code %d, %v", fail.CodeOf(err), err)
	}
}

func TestInfoOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	c, s := client(t)
	orders(t, c, s)
	_, err := c.Info(t.Context(), "ORDRES")
	if fail.CodeOf(err) != fail.NotFound {
		t.Fatalf("code %d", fail.CodeOf(err))
	}
	wantText(t, "error", err.Error(), "ORDRES", "stream not found (10059)")
	if h := fail.HintOf(err); h != "did you mean ORDERS?" {
		t.Errorf("hint %q", h)
	}
	for _, bad := range []string{"", "a.b", "a b", "a>", "x/y"} {
		if _, err := c.Info(t.Context(), bad); fail.CodeOf(err) != fail.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestListsArePaged(t *testing.T) {
	t.Parallel()
	c, _ := client(t)
	const n = 1100 // more than one page of names (1024) and of infos (256)
	want := make([]string, 0, n)
	for i := range n {
		cfg := jsconf.DefaultStream(fmt.Sprintf("S%04d", i))
		must(t, (&jsconf.Settings{Subjects: []string{fmt.Sprintf("s.%d", i)}, Storage: ptr("memory")}).Apply(cfg))
		if _, err := c.Create(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		want = append(want, cfg.Text("name"))
	}
	names, err := c.AllStreamNames(t.Context(), "")
	must(t, err)
	if !slices.Equal(names, want) {
		t.Errorf("%d names", len(names))
	}
	var got []string
	cov, err := c.Streams(t.Context(), "", func(s js.Stream) error {
		got = append(got, s.StreamInfo.Config.Name)
		return nil
	})
	must(t, err)
	slices.Sort(got)
	if !slices.Equal(got, want) || cov.Total != n || cov.Err("streams") != nil {
		t.Errorf("%d streams, coverage %+v", len(got), cov)
	}
	one, err := c.AllStreamNames(t.Context(), "s.7")
	must(t, err)
	if !slices.Equal(one, []string{"S0007"}) {
		t.Errorf("filtered: %v", one)
	}
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	if err := (js.Coverage{Total: 3, Rows: 3}).Err("streams"); err != nil {
		t.Error(err)
	}
	err := js.Coverage{Total: 9, Rows: 2, Missing: []string{"a", "b", "c", "d", "e", "f"}, Offline: map[string]string{"x": "why"}}.Err("streams")
	if fail.CodeOf(err) != fail.Partial {
		t.Fatalf("code %d", fail.CodeOf(err))
	}
	wantText(t, "coverage", err.Error(), "2 of 9 streams", "6 inaccessible (a, b, c, d, e, …)", "1 offline (x)")
}

func TestSubjectsAndGaps(t *testing.T) {
	t.Parallel()
	c, s := client(t)
	orders(t, c, s)
	got := map[string]uint64{}
	total := 0
	err := c.Subjects(t.Context(), "ORDERS", ">", func(n int) { total = n }, func(subject string, n uint64) error {
		got[subject] = n
		return nil
	})
	must(t, err)
	if total != 2 || got["orders.new"] != 6 || got["orders.old"] != 1 {
		t.Errorf("%d subjects, %v", total, got)
	}
	gaps, err := c.Gaps(t.Context(), "ORDERS")
	if err != nil || len(gaps) != 0 || gaps == nil {
		t.Errorf("no gaps: %v %v", gaps, err)
	}
	for _, seq := range []uint64{2, 4, 5} {
		must(t, c.DeleteMessage(t.Context(), "ORDERS", seq, seq == 4))
	}
	gaps, err = c.Gaps(t.Context(), "ORDERS")
	must(t, err)
	if !slices.Equal(gaps, []js.Gap{{2, 2}, {4, 5}}) {
		t.Errorf("gaps %v", gaps)
	}
	if err := c.DeleteMessage(t.Context(), "ORDERS", 2, false); fail.CodeOf(err) != fail.NotFound || !js.IsCode(err, 10043) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	c, s := client(t)
	orders(t, c, s)
	m, err := c.Message(t.Context(), "ORDERS", 3)
	must(t, err)
	if h := js.ParseHeaders(m.Header); string(m.Data) != "msg" || len(h) != 1 || h[0] != (js.Header{Name: "X-N", Value: "3"}) {
		t.Errorf("message %+v %v", m, h)
	}
	if m, err = c.LastMessage(t.Context(), "ORDERS", "orders.old"); err != nil || m.Sequence != 7 {
		t.Errorf("last: %d %v", m.Sequence, err)
	}
	if _, err = c.Message(t.Context(), "ORDERS", 99); fail.CodeOf(err) != fail.NotFound || !js.IsCode(err, 10037) {
		t.Errorf("missing: %v", err)
	}
	if _, err = c.NextMessage(t.Context(), "ORDERS", "orders.old", 8); !errors.Is(err, js.ErrNoMessages) {
		t.Errorf("next: %v", err)
	}
	if _, err = c.Message(t.Context(), "NOPE", 1); fail.CodeOf(err) != fail.NotFound || !js.IsCode(err, 10059) {
		t.Errorf("no stream: %v", err)
	}
}

func TestDirect(t *testing.T) {
	t.Parallel()
	c, s := client(t)
	orders(t, c, s)
	var seqs []uint64
	collect := func(m *js.DirectMessage) error {
		seqs = append(seqs, m.Sequence)
		if len(m.Header) > 1 {
			t.Errorf("the server's headers are still there: %v", m.Header)
		}
		return nil
	}
	must(t, c.Direct(t.Context(), "ORDERS", js.DirectRequest{Seq: 2, NextFor: "orders.new", Batch: 3}, collect))
	if !slices.Equal(seqs, []uint64{2, 3, 4}) {
		t.Errorf("batch %v", seqs)
	}
	seqs = nil
	must(t, c.Direct(t.Context(), "ORDERS", js.DirectRequest{LastFor: []string{"orders.*"}}, collect))
	slices.Sort(seqs)
	if !slices.Equal(seqs, []uint64{6, 7}) {
		t.Errorf("last by subject %v", seqs)
	}
	if err := c.Direct(t.Context(), "ORDERS", js.DirectRequest{Seq: 1, NextFor: "none", Batch: 1}, collect); !errors.Is(err, js.ErrNoMessages) {
		t.Errorf("nothing there: %v", err)
	}
	cfg := jsconf.DefaultStream("CLOSED")
	must(t, (&jsconf.Settings{Subjects: []string{"closed"}, AllowDirect: ptr(false)}).Apply(cfg))
	_, err := c.Create(t.Context(), cfg)
	must(t, err)
	if err := c.Direct(t.Context(), "CLOSED", js.DirectRequest{Seq: 1, Batch: 1}, collect); !errors.Is(err, js.ErrNoDirect) {
		t.Errorf("not allowed: %v", err)
	}
}

func TestPurgeTellsItsTollBefore(t *testing.T) {
	t.Parallel()
	rows := []struct {
		p      js.Purge
		direct bool
		want   uint64
	}{
		{js.Purge{}, true, 6},
		{js.Purge{Subject: "orders.new"}, true, 5},
		{js.Purge{Subject: "orders.none"}, true, 0},
		{js.Purge{Keep: 2}, true, 4},
		{js.Purge{Keep: 20}, true, 0},
		{js.Purge{Subject: "orders.new", Keep: 2}, true, 3},
		{js.Purge{Seq: 4}, true, 2},
		{js.Purge{Seq: 1}, true, 0},
		{js.Purge{Seq: 100}, true, 6},
		{js.Purge{Subject: "orders.new", Seq: 5}, true, 3},
		{js.Purge{Subject: "orders.new", Seq: 5}, false, 3},
		{js.Purge{Subject: "orders.old", Seq: 7}, true, 0},
	}
	for _, r := range rows {
		t.Run(fmt.Sprintf("%+v", r), func(t *testing.T) {
			t.Parallel()
			c, s := client(t)
			orders(t, c, s)
			must(t, c.DeleteMessage(t.Context(), "ORDERS", 2, true))
			info, err := c.Info(t.Context(), "ORDERS")
			must(t, err)
			if !r.direct {
				info.StreamInfo.Config.AllowDirect = false
			}
			toll, err := c.PurgeToll(t.Context(), info, r.p)
			must(t, err)
			purged, err := c.Purge(t.Context(), "ORDERS", r.p)
			must(t, err)
			if toll.Messages != r.want || purged != r.want {
				t.Errorf("announced %d, purged %d, want %d", toll.Messages, purged, r.want)
			}
			if r.want == 6 && (toll.Bytes != info.State.Bytes || toll.Estimated) {
				t.Errorf("all of it is %d bytes, said %+v", info.State.Bytes, toll)
			}
		})
	}
	if err := (js.Purge{Seq: 1, Keep: 1}).Check(); fail.CodeOf(err) != fail.Usage {
		t.Errorf("seq and keep: %v", err)
	}
}

func TestUpdateKeepsWhatIsUnknown(t *testing.T) {
	t.Parallel()
	s := testkit.Server(t).JS()
	var sent string
	_, err := s.Conn().Subscribe("$JS.future.API.STREAM.UPDATE.X", func(m *nats.Msg) {
		sent = string(m.Data)
		_ = m.Respond([]byte(`{"config":` + sent + `}`))
	})
	must(t, err)
	_, err = s.Conn().Subscribe("$JS.future.API.STREAM.INFO.X", func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"config":{"name":"X","subjects":["x"],"no_ack":true,"max_msgs":-1,"brand_new":{"depth":18446744073709551615},"metadata":{"_nats.level":"9","own":"1"}}}`))
	})
	must(t, err)
	future, err := jetstream.NewWithDomain(s.Conn(), "future")
	must(t, err)
	c := js.New(future)
	info, err := c.Info(t.Context(), "X")
	must(t, err)
	cfg, err := info.Config()
	must(t, err)
	must(t, (&jsconf.Settings{MaxMsgs: ptr(int64(7))}).Apply(cfg.StripReserved()))
	if _, err := c.Update(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"X","subjects":["x"],"max_msgs":7,"no_ack":true,"metadata":{"own":"1"},"brand_new":{"depth":18446744073709551615}}`; sent != want {
		t.Errorf("sent %s\nwant %s", sent, want)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	c, s := client(t)
	orders(t, c, s)
	must(t, c.DeleteMessage(t.Context(), "ORDERS", 3, true))
	third, err := c.Message(t.Context(), "ORDERS", 4)
	must(t, err)
	rows := []struct {
		r    js.Range
		want []uint64
	}{
		{js.Range{}, []uint64{1, 2, 4, 5, 6, 7}},
		{js.Range{Seq: 3, Limit: 2}, []uint64{4, 5}},
		{js.Range{Filter: "orders.old"}, []uint64{7}},
		{js.Range{UpTo: 4}, []uint64{1, 2, 4}},
		{js.Range{Since: &third.Time, Filter: "orders.new"}, []uint64{4, 5, 6}},
		{js.Range{Seq: 8}, nil},
		{js.Range{Filter: "none"}, nil},
	}
	for _, r := range rows {
		for _, direct := range []bool{true, false} {
			var got []uint64
			must(t, c.Read(t.Context(), "ORDERS", r.r, direct, func(m *js.DirectMessage) error {
				got = append(got, m.Sequence)
				if want := []string{string(rune('0' + m.Sequence))}; m.Subject == "orders.new" && !slices.Equal(m.Header["X-N"], want) {
					t.Errorf("message %d: header %v", m.Sequence, m.Header)
				}
				return nil
			}))
			if !slices.Equal(got, r.want) {
				t.Errorf("%+v direct %v: %v, want %v", r.r, direct, got, r.want)
			}
		}
	}
}
