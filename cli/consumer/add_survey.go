package consumer

import (
	"context"
	"fmt"
	"strconv"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/prompt"
)

// survey completes the flags by asking for what they left open: an answer counts as the flag.
type survey struct {
	e *env.Env
	o *addOptions
	f *settingFlags
}

// ask puts the questions in order. The name is needed even with --defaults.
func ask(ctx context.Context, e *env.Env, o *addOptions) error {
	s := survey{e, o, &o.flags}
	if err := s.name(ctx); err != nil {
		return err
	}
	if o.defaults {
		return nil
	}
	for _, q := range []func(context.Context) error{s.mode, s.start, s.acks, s.replay, s.filters, s.limits, s.push, s.headers, s.backoff} {
		if err := q(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s survey) name(ctx context.Context) error {
	if s.f.ephemeral && s.o.consumer == "" {
		return nil
	}
	name, err := prompt.Need(ctx, s.e.Prompt, s.o.consumer, prompt.Question{
		Flag: jscmd.Argument("consumer"), Message: "Consumer name", Help: "letters, digits, dashes and underscores",
		Validate: func(text string) error { return jsconf.CheckName("consumer", text) },
	})
	s.o.consumer = name
	return err
}

// text asks for a line in the place of a flag.
func (s survey) text(ctx context.Context, flag string, to *string, q prompt.Question) error {
	if s.f.has(flag) {
		return nil
	}
	answer, err := s.e.Prompt.Input(ctx, q)
	if err != nil {
		return err
	}
	*to = answer
	s.f.give(flag)
	return nil
}

// choice asks for one of the options in the place of a flag.
func (s survey) choice(ctx context.Context, flag string, to *string, q prompt.Question, options ...string) error {
	if s.f.has(flag) {
		return nil
	}
	i, err := s.e.Prompt.Select(ctx, q, options)
	if err != nil {
		return err
	}
	*to = options[i]
	s.f.give(flag)
	return nil
}

// yes asks a question that is answered with yes or no in the place of a flag.
func (s survey) yes(ctx context.Context, flag string, to *bool, q prompt.Question) error {
	if s.f.has(flag) {
		return nil
	}
	answer, err := s.e.Prompt.Confirm(ctx, q)
	if err != nil {
		return err
	}
	*to = answer
	s.f.give(flag)
	return nil
}

// parsed asks for a line that a flag value can read.
func (s survey) parsed(ctx context.Context, flag string, v interface{ Set(string) error }, q prompt.Question) error {
	if s.f.has(flag) {
		return nil
	}
	q.Validate = v.Set
	answer, err := s.e.Prompt.Input(ctx, q)
	if err != nil {
		return err
	}
	s.f.give(flag)
	return v.Set(answer)
}

func (s survey) mode(ctx context.Context) error {
	if s.f.pull || s.f.has("target") {
		return s.queue(ctx)
	}
	err := s.text(ctx, "target", &s.f.target, prompt.Question{
		Flag: "--pull", Message: "Delivery target (empty for Pull Consumers)", Help: "the subject that messages are delivered to; nothing when clients fetch them",
		Validate: func(text string) error {
			if text == "" {
				return nil
			}
			return flagval.CheckSubject(text, false)
		},
	})
	if err != nil {
		return err
	}
	return s.queue(ctx)
}

func (s survey) queue(ctx context.Context) error {
	if s.f.isPull() {
		return nil
	}
	return s.text(ctx, "deliver-group", &s.f.deliverGroup, prompt.Question{
		Flag: "--deliver-group", Message: "Delivery Queue Group", Help: "receivers in the same group share the messages; nothing for no group",
	})
}

func (s survey) start(ctx context.Context) error {
	return s.text(ctx, "deliver", &s.f.deliver, prompt.Question{
		Flag: "--deliver", Message: "Start policy (all, new, last, subject, 1h, msg sequence)", Default: "all", Help: "where in the stream to begin; a time such as 2026-01-02T15:04:05Z will do too",
		Validate: func(text string) error {
			_, err := consumers.ParseStart(text, s.e.Clock.Now())
			return err
		},
	})
}

func (s survey) acks(ctx context.Context) error {
	q := prompt.Question{Flag: "--ack", Message: "Acknowledgment policy", Default: "explicit", Help: "explicit: each message; all: a message and those before it; none: a message is done when it is delivered"}
	if !s.f.isPull() {
		q.Default = "none"
	}
	return s.choice(ctx, "ack", &s.f.ack, q, "explicit", "all", "none")
}

func (s survey) replay(ctx context.Context) error {
	return s.choice(ctx, "replay", &s.f.replay, prompt.Question{
		Flag: "--replay", Message: "Replay policy", Default: "instant", Help: "at once, or with the pauses that were between the messages",
	}, "instant", "original")
}

func (s survey) filters(ctx context.Context) error {
	if s.f.has("filter") {
		return nil
	}
	answer, err := s.e.Prompt.Input(ctx, prompt.Question{
		Flag: "--filter", Message: "Filter Stream by subjects (blank for all)", Help: "subjects with commas or spaces between them",
		Validate: func(text string) error {
			for _, subject := range jsconf.SplitSubjects([]string{text}) {
				if err := flagval.CheckSubject(subject, true); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	s.f.filters = []string{answer}
	s.f.give("filter")
	return nil
}

func (s survey) limits(ctx context.Context) error {
	if s.f.ack == "none" {
		return nil
	}
	err := s.parsed(ctx, "max-deliver", flagval.NewInt64(&s.f.maxDeliver).Min(-1), prompt.Question{
		Flag: "--max-deliver", Message: "Maximum Allowed Deliveries", Default: "-1", Help: "how often a message is delivered, -1 for no limit",
	})
	if err != nil || s.f.has("max-outstanding") {
		return err
	}
	return s.parsed(ctx, "max-pending", flagval.NewInt64(&s.f.maxPending).Min(-1), prompt.Question{
		Flag: "--max-pending", Message: "Maximum Acknowledgments Pending", Default: "0", Help: "how many messages may wait for their acknowledgement, 0 for the server's default",
	})
}

func (s survey) push(ctx context.Context) error {
	if s.f.isPull() {
		return nil
	}
	err := s.parsed(ctx, "heartbeat", flagval.NewDuration(&s.f.heartbeat).Unlimited(0).Min(0), prompt.Question{
		Flag: "--heartbeat", Message: "Idle Heartbeat", Default: "0s", Help: "a sign of life that often when there is nothing to deliver, 0s for none",
	})
	if err != nil {
		return err
	}
	return s.yes(ctx, "flow-control", &s.f.flowControl, prompt.Question{
		Flag: "--flow-control", Message: "Enable Flow Control, ie --flow-control", Default: "false", Help: "wait for receivers that are slower than the stream; needs a heartbeat",
	})
}

func (s survey) headers(ctx context.Context) error {
	return s.yes(ctx, "headers-only", &s.f.headersOnly, prompt.Question{
		Flag: "--headers-only", Message: "Deliver headers only without bodies", Default: "false",
	})
}

func (s survey) backoff(ctx context.Context) error {
	if s.f.ack == "none" || s.f.has("backoff") {
		return nil
	}
	yes, err := s.e.Prompt.Confirm(ctx, prompt.Question{
		Flag: "--backoff", Message: "Add a Retry Backoff Policy", Default: "false", Help: "wait longer before each redelivery",
	})
	if err != nil || !yes {
		return err
	}
	if err := s.choice(ctx, "backoff", &s.f.backoff, prompt.Question{
		Flag: "--backoff", Message: "Backoff policy", Default: "none",
	}, "linear", "exponential", "none"); err != nil || s.f.backoff == "none" {
		return err
	}
	err = s.parsed(ctx, "backoff-min", flagval.NewDuration(&s.f.backoffMin).Positive(), prompt.Question{Flag: "--backoff-min", Message: "Minimum retry time", Default: "1m"})
	if err != nil {
		return err
	}
	err = s.parsed(ctx, "backoff-max", flagval.NewDuration(&s.f.backoffMax).Positive(), prompt.Question{Flag: "--backoff-max", Message: "Maximum retry time", Default: "10m"})
	if err != nil {
		return err
	}
	if s.f.has("backoff-steps") {
		return nil
	}
	answer, err := s.e.Prompt.Input(ctx, prompt.Question{
		Flag: "--backoff-steps", Message: "Number of steps to generate in the policy", Default: "20",
		Validate: func(text string) error {
			_, err := flagval.ParseInt(text, 1, consumers.MaxBackoff)
			return err
		},
	})
	if err != nil {
		return err
	}
	steps, err := strconv.ParseInt(answer, 10, 64)
	if err != nil {
		return fmt.Errorf("--backoff-steps: %w", err)
	}
	s.f.backoffSteps = steps
	s.f.give("backoff-steps")
	return nil
}
