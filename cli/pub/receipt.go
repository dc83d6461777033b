package pub

import (
	"fmt"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/publish"
	"github.com/natskit/natskit/internal/render"
)

// receipt is what became of the messages. Acks holds the acknowledgements in order when JSON was asked for.
type receipt struct {
	Subject   string        `json:"subject"`
	Published uint64        `json:"published"`
	Bytes     uint64        `json:"bytes"`
	Acks      []publish.Ack `json:"acks,omitempty"`
	Failed    []failure     `json:"failed,omitempty"`
	Failures  uint64        `json:"failures"`

	first   error
	rejects *rejects
}

// failure is a message that was not published.
type failure struct {
	Number int    `json:"number"`
	Line   int    `json:"line,omitempty"`
	Error  string `json:"error"`
}

// listed is how many failures are kept with their reason; all are counted.
const listed = 1000

// View shows nothing: a person has read the narration, and a pipe wants no more than the exit code.
func (r receipt) View(*render.Page) {}

// fail notes that a message was not published.
func (r *receipt) fail(m message, err error) {
	r.rejects.add(m.raw)
	if r.first == nil {
		r.first = err
	}
	r.Failures++
	if len(r.Failed) < listed {
		r.Failed = append(r.Failed, failure{m.number, m.line, err.Error()})
	}
}

// verdict is nil when everything was published, the one reason when nothing was, and partial in between.
func (r *receipt) verdict() error {
	switch {
	case r.Failures == 0:
		return nil
	case r.Published == 0 && r.Failures == 1:
		return r.first
	case r.Published == 0:
		return &fail.Error{Code: fail.CodeOf(r.first), Err: fmt.Errorf("none of %d messages was published: %w", r.Failures, r.first)}
	}
	return fail.Partialf("%d of %d messages were not published; the first failed with: %w", r.Failures, r.Failures+r.Published, r.first)
}
