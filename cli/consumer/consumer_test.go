package consumer

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// start runs a server of its own with the stream of the acceptance cases and returns the command line pointed at it.
func start(t *testing.T, opts ...testkit.Option) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, opts...)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	for i := range 6 {
		n := string(rune('1' + i))
		testkit.PublishMsg(t, srv.Conn(), "orders.new", "msg "+n, "X-N", n)
	}
	testkit.Store(t, srv.JS(), "orders.old", 1, "m")
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

func info(t *testing.T, srv *testkit.NATS, name string) *jetstream.ConsumerInfo {
	t.Helper()
	s, err := srv.JS().Stream(t.Context(), "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Consumer(t.Context(), name)
	if err == nil {
		return c.CachedInfo()
	}
	p, err := s.PushConsumer(t.Context(), name)
	if err != nil {
		t.Fatalf("consumer %s: %v", name, err)
	}
	return p.CachedInfo()
}

// gone reports that the consumer is not there.
func gone(t *testing.T, srv *testkit.NATS, name string) {
	t.Helper()
	s, err := srv.JS().Stream(t.Context(), "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	for n := range s.ConsumerNames(t.Context()).Name() {
		if n == name {
			t.Errorf("consumer %s is there", name)
		}
	}
}

func write(t *testing.T, c *clitest.CLI, name, text string) {
	t.Helper()
	if err := os.WriteFile(c.Path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sample is a consumer of an info document, for golden files.
func sample(t *testing.T, doc string) consumers.Consumer {
	t.Helper()
	var s consumers.Consumer
	if err := json.Unmarshal([]byte(doc), &s); err != nil {
		t.Fatal(err)
	}
	return s
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
