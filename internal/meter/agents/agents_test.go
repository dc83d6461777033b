package agents_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/agents"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/testkit"
)

// said collects what a side says.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *said) has(text string) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Contains(strings.Join(s.lines, "\n"), text)
	}
}

func world(url string, s *said) crew.World {
	return crew.World{
		Options: func(context.Context) (nats.Options, error) {
			o := nats.GetDefaultOptions()
			o.Url = url
			return o, nil
		},
		Dial: func(_ context.Context, opts ...nats.Option) (*nats.Conn, error) { return nats.Connect(url, opts...) },
		JetStream: func(nc *nats.Conn, opts ...jetstream.JetStreamOpt) (jetstream.JetStream, error) {
			return jetstream.New(nc, opts...)
		},
		Timeout: time.Minute, Say: s.say, Tool: "test",
	}
}

// served is an agent that serves the group until stop.
type served struct {
	*said
	nc     *nats.Conn
	stop   context.CancelCauseFunc
	report chan *meter.Report
}

func serve(t *testing.T, url, name string) *served {
	t.Helper()
	nc, err := nats.Connect(url, nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	s := &served{said: &said{}, nc: nc, stop: stop, report: make(chan *meter.Report, 10)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = agents.Serve(ctx, world(url, s.said), nc, "g", name, func(r *meter.Report) error { s.report <- r; return nil })
	}()
	t.Cleanup(func() { stop(nil); <-ended; nc.Close() })
	testkit.Eventually(t, time.Minute, name+" waits", s.has("Waiting for a controller of group g as "+name))
	return s
}

// endless is a run that goes on until something ends it.
func endless() crew.Spec {
	return crew.Spec{Kind: "pub", Engine: crew.Wire, Subject: "b", Clients: 2, Messages: 1 << 40, Size: 16, Idle: time.Hour, Wait: time.Hour,
		Segments: []crew.Pace{{From: 2000, To: 2000}}}
}

type outcome struct {
	r   *meter.Report
	err error
}

// control runs spec on two agents, and returns once messages flow.
func control(ctx context.Context, t *testing.T, srv *testkit.NATS, nc *nats.Conn, s crew.Spec) chan outcome {
	t.Helper()
	out := make(chan outcome, 1)
	go func() {
		r, err := agents.Control(ctx, world(srv.URL(), &said{}), nc, "g", 2, s)
		out <- outcome{r, err}
	}()
	testkit.Eventually(t, time.Minute, "messages flow", func() bool { v, err := srv.Server().Varz(nil); return err == nil && v.InMsgs > 300 })
	return out
}

// An agent that dies ends the run: the others are stopped and report, and the error names it.
func TestAnAgentThatDies(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	_, two := serve(t, srv.URL(), "one"), serve(t, srv.URL(), "two")
	out := control(t.Context(), t, srv, srv.Conn(), endless())
	two.nc.Close() // its clients publish on, but nobody can ask it any more
	got := <-out
	if fail.CodeOf(got.err) != fail.Partial || !strings.Contains(got.err.Error(), "agent two did not report: it is gone") {
		t.Fatalf("%v", got.err)
	}
	if got.r.Outcome != meter.Failed || len(got.r.Sides[0].Clients) != 1 || got.r.Sides[0].Clients[0].Agent != "one" || got.r.Sides[0].Total.Messages == 0 || len(got.r.Errors) != 1 {
		t.Errorf("%s %v %+v", got.r.Outcome, got.r.Errors, got.r.Sides[0].Clients)
	}
	testkit.Eventually(t, time.Minute, "an agent without a controller gives up", two.has("The run ended: the controller is gone"))
}

// A controller that dies leaves no agent behind that publishes for ever, and the agents serve the next.
func TestAControllerThatDies(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	one, two := serve(t, srv.URL(), "one"), serve(t, srv.URL(), "two")
	nc, err := nats.Connect(srv.URL(), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	out := control(t.Context(), t, srv, nc, endless())
	nc.Close()
	for _, a := range []*served{one, two} {
		testkit.Eventually(t, time.Minute, "an agent without a controller gives up", a.has("The run ended: the controller is gone"))
	}
	if got := <-out; got.err == nil {
		t.Errorf("%+v", got.r)
	}
	s := endless()
	s.Segments, s.Messages = nil, 1000
	r, err := agents.Control(t.Context(), world(srv.URL(), &said{}), srv.Conn(), "g", 2, s)
	if err != nil || r.Sides[0].Total.Messages != 1000 || r.Outcome != meter.Complete {
		t.Errorf("%v %+v", err, r)
	}
}

// An agent that someone stops ends the run as incomplete: it was not this command that was interrupted.
func TestAnAgentThatIsStopped(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	_, two := serve(t, srv.URL(), "one"), serve(t, srv.URL(), "two")
	out := control(t.Context(), t, srv, srv.Conn(), endless())
	two.stop(fail.ErrInterrupted)
	got := <-out
	if fail.CodeOf(got.err) != fail.Partial || got.err.Error() != "agent two: interrupted" {
		t.Errorf("%v", got.err)
	}
	if got.r == nil || got.r.Outcome != meter.Failed || len(got.r.Sides[0].Clients) != 2 || strings.Join(got.r.Errors, "|") != "agent two: interrupted" {
		t.Errorf("%+v", got.r)
	}
}

// A controller that is interrupted has the partial reports of all.
func TestAControllerThatIsInterrupted(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	serve(t, srv.URL(), "one")
	serve(t, srv.URL(), "two")
	ctx, stop := context.WithCancelCause(t.Context())
	out := control(ctx, t, srv, srv.Conn(), endless())
	stop(fail.ErrInterrupted)
	got := <-out
	if fail.CodeOf(got.err) != fail.Interrupted || got.r == nil || got.r.Outcome != meter.Interrupted || len(got.r.Sides[0].Clients) != 2 {
		t.Errorf("%v %+v", got.err, got.r)
	}
}

// One agent whose clients are refused ends the run of the other.
func TestAnAgentThatFails(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	serve(t, srv.URL(), "one")
	serve(t, srv.URL(), "two")
	s := endless()
	s.Kind, s.Stream.Name = "js pub sync", "NOPE"
	r, err := agents.Control(t.Context(), world(srv.URL(), &said{}), srv.Conn(), "g", 2, s)
	if err == nil || !strings.Contains(err.Error(), "agent ") || r != nil {
		t.Errorf("%v %+v", err, r)
	}
}
