package sub

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// withEvents is a stream EV with three messages on ev.a and ev.b in turn: a1 b2 a3 b4 a5 b6.
func withEvents(t *testing.T, change func(*jetstream.StreamConfig)) (*clitest.CLI, *testkit.NATS, jetstream.Stream) {
	t.Helper()
	c, srv := setup(t)
	cfg := jetstream.StreamConfig{Name: "EV", Subjects: []string{"ev.>", "zz.>"}, AllowDirect: true}
	if change != nil {
		change(&cfg)
	}
	s := testkit.Stream(t, srv.JS(), cfg)
	for i := range 6 {
		subject := "ev." + string("ab"[i%2])
		testkit.Store(t, srv.JS(), subject, 1, fmt.Sprintf("%s%d", subject[3:], i+1))
	}
	return c, srv, s
}

func TestReplayText(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "EV", Subjects: []string{"ev.>"}})
	testkit.Store(t, srv.JS(), "ev.a", 2, "b1")
	r := c.OK("sub ev.a --all -T")
	want := `^\[#1\] Received JetStream message: stream: EV seq: 1 / pending: 1 / subject: ev\.a / time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\nb1\n\n\n` +
		`\[#2\] Received JetStream message: stream: EV seq: 2 / pending: 0 / subject: ev\.a / time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\nb1\n\n\n$`
	if !regexp.MustCompile(want).MatchString(r.Out) {
		t.Errorf("stdout is %q", r.Out)
	}
	if !strings.Contains(r.Err, "Subscribing to subject ev.a from first received message \n") {
		t.Errorf("stderr is %q", r.Err)
	}
	if r := c.OK("sub --stream EV -T --headers-only"); !strings.Contains(r.Out, "Nats-Msg-Size: 2\n\n") || strings.Contains(r.Out, "b1") {
		t.Errorf("headers only: %q", r.Out)
	}
}

// TestD10_StartsAndFilters: every way to start, with and without direct gets, honours the filter and ends at the end.
func TestD10_StartsAndFilters(t *testing.T) {
	t.Parallel()
	c, _, _ := withEvents(t, nil)
	for _, row := range []struct{ flags, want string }{
		{"'ev.>' --all -T", "a1 b2 a3 b4 a5 b6"},
		{"ev.b --all -T", "b2 b4 b6"},
		{"--stream EV -T", "a1 b2 a3 b4 a5 b6"},
		{"ev.b --all --count 2", "b2 b4"},
		{"'ev.>' --last -T", "b6"},
		{"ev.a --last -T", "a5"},
		{"'ev.>' --since 1h -T", "a1 b2 a3 b4 a5 b6"},
		{"'ev.>' --since seq:4 -T", "b4 a5 b6"},
		{"ev.a --start-sequence 2 -T", "a3 a5"},
		{"'ev.>' --last-per-subject -T", "a5 b6"},
		{"'ev.>' --all -T -I ev.b", "a1 a3 a5"},
		{"'zz.>' --stream EV --all -T", ""},
		{"'zz.>' --stream EV --last -T", ""},
		{"'zz.>' --stream EV --last-per-subject -T", ""},
		{"'ev.>' --new -T", ""},
	} {
		for _, mode := range []string{"", " --direct"} {
			t.Run(row.flags+mode, func(t *testing.T) {
				t.Parallel()
				r := c.OK("sub --raw --delimiter ' ' " + row.flags + mode)
				wants(t, "bodies", strings.TrimSpace(r.Out), row.want)
			})
		}
	}
}

func TestNewMessages(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", " --direct"} {
		c, srv, _ := withEvents(t, nil)
		r := c.Start("sub ev.a --new --count 2 --raw" + mode).Says("for new messages")
		testkit.Store(t, srv.JS(), "ev.b", 1, "not this")
		testkit.Store(t, srv.JS(), "ev.a", 3, "new")
		wants(t, "bodies"+mode, r.Wait().Out, "new\nnew\n")
	}
}

// TestD10_DurableCountIsExact: what was not shown is not acknowledged, and the next reader gets it.
func TestD10_DurableCountIsExact(t *testing.T) {
	t.Parallel()
	c, _, s := withEvents(t, nil)
	cons, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "D", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	r := c.OK("sub --stream EV --durable D --count 2 --raw")
	wants(t, "first two", r.Out, "a1\nb2\n")
	if !strings.Contains(r.Err, `Subscribing to JetStream Stream "EV" using existing pull consumer "D"`) {
		t.Errorf("stderr is %q", r.Err)
	}
	info, err := cons.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.AckFloor.Stream != 2 || info.NumPending != 4 || info.NumAckPending != 0 {
		t.Errorf("acknowledged up to %d, %d pending, %d not acknowledged", info.AckFloor.Stream, info.NumPending, info.NumAckPending)
	}
	wants(t, "the rest", c.OK("sub --stream EV --durable D -T --raw").Out, "a3\nb4\na5\nb6\n")
	wants(t, "nothing is left", c.OK("sub --stream EV --durable D -T --raw").Out, "")
}

func TestDurableIsMadeWithExplicitAcks(t *testing.T) {
	t.Parallel()
	c, _, s := withEvents(t, nil)
	wants(t, "bodies", c.OK("sub --stream EV --durable NEW --start-sequence 3 --count 2 --raw").Out, "a3\nb4\n")
	cons, err := s.Consumer(t.Context(), "NEW")
	if err != nil {
		t.Fatal(err)
	}
	info := cons.CachedInfo()
	if info.Config.AckPolicy != jetstream.AckExplicitPolicy || info.AckFloor.Stream != 4 || info.NumPending != 2 {
		t.Errorf("consumer is %+v", info)
	}
}

func TestDurableWithoutAcksShowsAllItTook(t *testing.T) {
	t.Parallel()
	c, _, s := withEvents(t, nil)
	if _, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "N", AckPolicy: jetstream.AckNonePolicy}); err != nil {
		t.Fatal(err)
	}
	wants(t, "two", c.OK("sub --stream EV --durable N --count 2 --raw").Out, "a1\nb2\n")
	r := c.Start("sub --stream EV --durable N --raw").Says("b6").Interrupt()
	wants(t, "the rest", r.Out, "a3\nb4\na5\nb6\n")
}

func TestDurablePush(t *testing.T) {
	t.Parallel()
	c, _, s := withEvents(t, nil)
	push, err := s.CreatePushConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "P", DeliverSubject: "deliver", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	r := c.OK("sub --stream EV --durable P --count 2 --raw")
	wants(t, "bodies", r.Out, "a1\nb2\n")
	if !strings.Contains(r.Err, "deprecated") {
		t.Errorf("stderr is %q", r.Err)
	}
	if info, err := push.Info(t.Context()); err != nil || info.AckFloor.Stream != 2 {
		t.Errorf("acknowledged up to %+v, want 2: %v", info, err)
	}
}

// TestWorkQueueIsLeftAlone: reading a work queue consumes nothing, whether it allows direct gets or not.
func TestWorkQueueIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		c, srv, _ := withEvents(t, func(cfg *jetstream.StreamConfig) {
			cfg.Retention, cfg.AllowDirect = jetstream.WorkQueuePolicy, allowed
		})
		r := c.OK("sub 'ev.>' --all --count 2")
		if !strings.Contains(r.Out, "[#2] Received JetStream message (direct): stream: EV seq 2 / subject: ev.b / time: ") {
			t.Errorf("stdout is %q", r.Out)
		}
		wants(t, "to the end", c.OK("sub ev.b --all -T --raw").Out, "b2\nb4\nb6\n")
		if got := testkit.State(t, srv.JS(), "EV").Msgs; got != 6 {
			t.Errorf("the stream has %d messages, want 6", got)
		}
	}
}

func TestDirectNeedsPermissionOfTheStream(t *testing.T) {
	t.Parallel()
	c, _, _ := withEvents(t, func(cfg *jetstream.StreamConfig) { cfg.AllowDirect = false })
	c.Fails(fail.Failure, "sub ev.a --direct --all", "cannot enable direct gets: allow_direct is not set to true for stream EV")
}

// TestD14_IdleDirectCostsNothing: a subscription without traffic asks the server about once a second.
func TestD14_IdleDirectCostsNothing(t *testing.T) {
	t.Parallel()
	c, srv, _ := withEvents(t, nil)
	in := func() int64 {
		v, err := srv.Server().Varz(nil)
		if err != nil {
			t.Fatal(err)
		}
		return v.InMsgs
	}
	r := c.Start("sub ev.a --direct --new").Says("for new messages")
	start := in()
	r2 := c.Run("sub ev.b --direct --new --wait 1s")
	if r2.Code != fail.OK {
		t.Errorf("exit code %d", r2.Code)
	}
	if n := in() - start; n > 50 {
		t.Errorf("%d messages to the server in a second", n)
	}
	r.Interrupt()
}

func TestStreamErrors(t *testing.T) {
	t.Parallel()
	c, srv, _ := withEvents(t, nil)
	c.Fails(fail.NotFound, "sub 'nope.>' --all", "no stream found with subject: nope.>")
	c.Fails(fail.NotFound, "sub --stream NOPE", "NOPE")
	c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "sub --stream EV --all --timeout 20s", "Permissions Violation")
	none := testkit.Server(t, testkit.WithoutJetStream())
	clitest.New(t, Command()).Server(none.URL()).Fails(fail.NoAnswer, "sub --stream EV --all", "no responders")
}

func TestReplayInterrupted(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	for _, mode := range []string{"--all", "--all --direct", "--durable D"} {
		c, _, s := withEvents(t, nil)
		if r := c.Start("sub --stream EV --raw " + mode).Says("b6").Interrupt(); r.Code != fail.OK {
			t.Errorf("%s: exit code %d, stderr %s", mode, r.Code, r.Err)
		}
		names := s.ConsumerNames(t.Context())
		for name := range names.Name() {
			if name != "D" {
				t.Errorf("%s left consumer %s", mode, name)
			}
		}
	}
}

func TestReplayJSON(t *testing.T) {
	t.Parallel()
	c, _, _ := withEvents(t, nil)
	var first record
	strict(t, c.OK("sub --stream EV --count 1 --json").Out, &first)
	if first.Stream != "EV" || first.Sequence != 1 || *first.Pending != 5 || *first.Data != "a1" || first.Reply != "" {
		t.Errorf("first is %+v", first)
	}
	wants(t, "csv", strings.Join(strings.Fields(c.OK("sub --stream EV --last -T --format 'template={{.sequence}} {{.data}}'").Out), " "), "6 b6")
}
