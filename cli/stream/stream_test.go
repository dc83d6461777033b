package stream

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// start runs a server of its own and returns the command line pointed at it.
func start(t *testing.T, opts ...testkit.Option) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, opts...)
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

// withOrders is start with the stream of the acceptance cases: six messages on orders.new with a header, one on orders.old.
func withOrders(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	c, srv := start(t)
	c.OK("stream add ORDERS --subjects 'orders.>' --defaults")
	for i := range 6 {
		n := string(rune('1' + i))
		m := nats.NewMsg("orders.new")
		m.Header.Set("X-N", n)
		m.Data = []byte("msg " + n)
		if _, err := srv.JS().PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Store(t, srv.JS(), "orders.old", 1, "m")
	return c, srv
}

func config(t *testing.T, srv *testkit.NATS, name string) jetstream.StreamConfig {
	t.Helper()
	return info(t, srv, name).Config
}

func info(t *testing.T, srv *testkit.NATS, name string) *jetstream.StreamInfo {
	t.Helper()
	s, err := srv.JS().Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	i, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// gone reports that the stream is not there.
func gone(t *testing.T, srv *testkit.NATS, name string) {
	t.Helper()
	if _, err := srv.JS().Stream(t.Context(), name); err == nil {
		t.Errorf("stream %s is there", name)
	}
}

// decode reads the one JSON document that out must be.
func decode[T any](t *testing.T, out string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(out))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if d.More() {
		t.Fatalf("more than one document: %s", out)
	}
	return v
}

func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}

// sample is a stream of an info document, for golden files.
func sample(t *testing.T, doc string) js.Stream {
	t.Helper()
	var s js.Stream
	if err := json.Unmarshal([]byte(doc), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// person answers questions in order: the text before = must stand in the question, what follows is the answer. For Select the
// answer is the option, for Confirm y or n; an empty answer is the default.
type person struct {
	t       *testing.T
	answers []string
	asked   []string
}

func answering(t *testing.T, answers ...string) *person {
	p := &person{t: t, answers: answers}
	t.Cleanup(func() {
		if len(p.answers) > 0 {
			t.Errorf("these were not asked: %q", p.answers)
		}
	})
	return p
}

// next takes answers until one passes the question's own rule.
func (p *person) next(q prompt.Question) (string, error) {
	for {
		p.asked = append(p.asked, q.Message)
		if len(p.answers) == 0 {
			p.t.Errorf("unexpected question %q", q.Message)
			return "", context.Canceled
		}
		want, answer, _ := strings.Cut(p.answers[0], "=")
		p.answers = p.answers[1:]
		if !strings.Contains(q.Message, want) {
			p.t.Errorf("asked %q, expected %q", q.Message, want)
			return "", context.Canceled
		}
		if answer == "" {
			answer = q.Default
		}
		if q.Validate == nil || q.Validate(answer) == nil {
			return answer, nil
		}
	}
}

func (p *person) Available() bool { return true }

func (p *person) Input(_ context.Context, q prompt.Question) (string, error) { return p.next(q) }

func (p *person) Secret(_ context.Context, q prompt.Question) ([]byte, error) {
	s, err := p.next(q)
	return []byte(s), err
}

func (p *person) Confirm(_ context.Context, q prompt.Question) (bool, error) {
	s, err := p.next(q)
	return s == "y" || s == "true" || s == "yes", err
}

func (p *person) Select(_ context.Context, q prompt.Question, options []string) (int, error) {
	s, err := p.next(q)
	for i, o := range options {
		if o == s {
			return i, err
		}
	}
	if err == nil {
		p.t.Errorf("%q is none of %q", s, options)
	}
	return 0, err
}

func (p *person) MultiSelect(context.Context, prompt.Question, []string) ([]int, error) {
	return nil, context.Canceled
}

func (p *person) Edit(_ context.Context, q prompt.Question, text []byte) ([]byte, error) {
	from, to, _ := strings.Cut(p.answers[0], "=")
	p.answers = p.answers[1:]
	edited := strings.Replace(string(text), from, to, 1)
	if q.Validate != nil {
		if err := q.Validate(edited); err != nil {
			return nil, err
		}
	}
	return []byte(edited), nil
}
