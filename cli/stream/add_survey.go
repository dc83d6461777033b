package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/prompt"
)

// requiredSize is the limit offered where the account demands one.
const requiredSize = 256 << 20

// answers completes settings by asking for what the flags left open, or by defaults.
type answers struct {
	e   *env.Env
	c   *js.Client // nil when nothing will be created
	o   addOptions
	s   jsconf.Settings
	cfg *jsconf.Config

	sizeRequired bool
}

func (a *answers) has(flag string) bool { return a.o.flags.has(flag) }

// ask puts the questions in order. Name and subjects are needed even with --defaults.
func (a *answers) ask(ctx context.Context) error {
	if err := a.askName(ctx); err != nil {
		return err
	}
	if a.c != nil && a.s.MaxBytes == nil {
		// A user who may not read the account's limits can still create streams; the server has the last word.
		if account, err := a.c.Account(ctx); err == nil {
			a.sizeRequired = js.MaxBytesRequired(account)
		} else if ctx.Err() != nil || fail.CodeOf(err) == fail.NoAnswer {
			return err
		}
	}
	if a.o.defaults {
		if a.sizeRequired && a.s.MaxBytes == nil {
			size := int64(requiredSize)
			a.s.MaxBytes = &size
		}
		return nil
	}
	if !a.e.Prompt.Available() {
		return fail.Usagef("pass --defaults, or a flag for every setting (there is no terminal to ask on)")
	}
	for _, q := range []func(context.Context) error{
		a.askStorage, a.askReplicas, a.askRetention, a.askDiscard, a.askMessages, a.askPerSubject, a.askSize, a.askAge, a.askMessageSize, a.askWindow, a.askAllowed, a.askOrigins,
	} {
		if err := q(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *answers) askName(ctx context.Context) error {
	name, err := prompt.Need(ctx, a.e.Prompt, a.o.stream, prompt.Question{
		Flag: jscmd.Argument("stream"), Message: "Stream Name", Help: "letters, digits, dashes and underscores",
		Validate: func(s string) error { return jsconf.CheckName("stream", s) },
	})
	if err != nil {
		return err
	}
	if err := a.cfg.Set(name, "name"); err != nil {
		return err
	}
	if a.s.Mirror != nil || len(a.s.Sources) > 0 || len(a.s.Subjects) > 0 {
		return nil
	}
	subjects, err := a.e.Prompt.Input(ctx, prompt.Question{
		Flag: "--subjects", Message: "Subjects", Help: "what the stream stores: orders.new, or orders.> for all below orders", Validate: checkSubjects,
	})
	if err != nil {
		return err
	}
	a.s.Subjects = jsconf.SplitSubjects([]string{subjects})
	return nil
}

func checkSubjects(text string) error {
	list := jsconf.SplitSubjects([]string{text})
	if len(list) == 0 {
		return errors.New("at least one subject is needed")
	}
	for _, s := range list {
		if err := flagval.CheckSubject(s, true); err != nil {
			return err
		}
	}
	return nil
}

// choose asks for one of the options and returns the word that the setting has for it.
func (a *answers) choose(ctx context.Context, flag string, q prompt.Question, options, words []string) (*string, error) {
	if a.has(flag) {
		return nil, nil
	}
	i, err := a.e.Prompt.Select(ctx, q, options)
	if err != nil {
		return nil, err
	}
	return &words[i], nil
}

func (a *answers) askStorage(ctx context.Context) error {
	word, err := a.choose(ctx, "storage", prompt.Question{Flag: "--storage", Message: "Storage", Default: "file"}, []string{"file", "memory"}, []string{"file", "memory"})
	if word != nil {
		a.s.Storage = word
	}
	return err
}

func (a *answers) askRetention(ctx context.Context) error {
	word, err := a.choose(ctx, "retention", prompt.Question{
		Flag: "--retention", Message: "Retention Policy", Default: "Limits",
		Help: "Limits keeps messages until a limit is reached, Interest until every consumer has acknowledged them, Work Queue until one has",
	}, []string{"Limits", "Interest", "Work Queue"}, []string{"limits", "interest", "workq"})
	if word != nil {
		a.s.Retention = word
	}
	return err
}

func (a *answers) askDiscard(ctx context.Context) error {
	word, err := a.choose(ctx, "discard", prompt.Question{
		Flag: "--discard", Message: "Discard Policy", Default: "Old", Help: "what gives way when a limit is reached: New refuses messages, Old removes the oldest",
	}, []string{"New", "Old"}, []string{"new", "old"})
	if word != nil {
		a.s.Discard = word
	}
	return err
}

// number asks for a whole number; what is below least is asked for again.
func (a *answers) number(ctx context.Context, q prompt.Question, least int64) (*int64, error) {
	parse := func(s string) (int64, error) { return flagval.ParseInt(s, least, 1<<63-1) }
	q.Validate = func(s string) error {
		_, err := parse(s)
		return err
	}
	text, err := a.e.Prompt.Input(ctx, q)
	if err != nil {
		return nil, err
	}
	n, err := parse(text)
	return &n, err
}

func (a *answers) askReplicas(ctx context.Context) error {
	if a.has("replicas") {
		return nil
	}
	n, err := a.number(ctx, prompt.Question{Flag: "--replicas", Message: "Replication", Default: "1", Help: "on how many servers of a cluster each message is kept"}, 1)
	if err != nil {
		return err
	}
	a.s.Replicas = n
	return nil
}

func (a *answers) askMessages(ctx context.Context) (err error) {
	if a.s.MaxMsgs == nil {
		a.s.MaxMsgs, err = a.number(ctx, prompt.Question{Flag: "--max-msgs", Message: "Stream Messages Limit", Default: "-1", Help: "how many messages are kept, -1 for no limit"}, -1)
	}
	return err
}

func (a *answers) askPerSubject(ctx context.Context) (err error) {
	if a.s.MaxMsgsPerSubject == nil && len(a.s.Subjects) > 0 {
		a.s.MaxMsgsPerSubject, err = a.number(ctx, prompt.Question{Flag: "--max-msgs-per-subject", Message: "Per Subject Messages Limit", Default: "-1", Help: "how many messages are kept of each subject, -1 for no limit"}, -1)
	}
	return err
}

// bytes asks for a size; where one is required no limit is no answer.
func (a *answers) bytes(ctx context.Context, q prompt.Question, required bool, most int64) (*int64, error) {
	var n int64
	v := flagval.NewBytes(&n).Max(most)
	if required {
		v = v.Min(1)
	} else {
		v = v.Unlimited()
	}
	q.Validate = v.Set
	text, err := a.e.Prompt.Input(ctx, q)
	if err != nil {
		return nil, err
	}
	return &n, v.Set(text)
}

func (a *answers) askSize(ctx context.Context) (err error) {
	if a.s.MaxBytes != nil {
		return nil
	}
	q := prompt.Question{Flag: "--max-bytes", Message: "Total Stream Size", Default: "-1", Help: "how large the stream may become, such as 10GB; -1 for no limit"}
	if a.sizeRequired {
		q.Default, q.Help = "256MB", "how large the stream may become; the account demands a limit"
	}
	a.s.MaxBytes, err = a.bytes(ctx, q, a.sizeRequired, 1<<63-1)
	return err
}

func (a *answers) askMessageSize(ctx context.Context) (err error) {
	if a.s.MaxMsgSize == nil {
		a.s.MaxMsgSize, err = a.bytes(ctx, prompt.Question{Flag: "--max-msg-size", Message: "Max Message Size", Default: "-1", Help: "how large one message may be; -1 for no limit"}, false, 1<<31-1)
	}
	return err
}

func (a *answers) duration(ctx context.Context, q prompt.Question) (*time.Duration, error) {
	var d time.Duration
	v := flagval.NewDuration(&d).Unlimited(0).Min(0)
	q.Validate = v.Set
	text, err := a.e.Prompt.Input(ctx, q)
	if err != nil {
		return nil, err
	}
	return &d, v.Set(text)
}

func (a *answers) askAge(ctx context.Context) (err error) {
	if a.s.MaxAge == nil {
		a.s.MaxAge, err = a.duration(ctx, prompt.Question{Flag: "--max-age", Message: "Message TTL", Default: "-1", Help: "how long messages are kept, such as 7d; -1 for ever"})
	}
	return err
}

func (a *answers) askWindow(ctx context.Context) error {
	if a.s.DuplicateWindow != nil || a.s.Mirror != nil {
		return nil
	}
	d, err := a.duration(ctx, prompt.Question{
		Flag: "--dupe-window", Message: "Duplicate tracking time window", Default: a.window().String(), Help: "how long the ids of messages are remembered, so that the same id is stored once",
	})
	if err != nil {
		return err
	}
	if *d > 0 {
		a.s.DuplicateWindow = d
	}
	return nil
}

// window is the default of the duplicate window: never longer than messages are kept.
func (a *answers) window() time.Duration {
	if a.s.MaxAge != nil && *a.s.MaxAge > 0 {
		return min(jsconf.DefaultDuplicateWindow, *a.s.MaxAge)
	}
	return jsconf.DefaultDuplicateWindow
}

// askAllowed asks the three questions that are answered with yes or no.
func (a *answers) askAllowed(ctx context.Context) error {
	for _, q := range []struct {
		flag    string
		q       prompt.Question
		to      **bool
		inverse bool
	}{
		{"allow-rollup", prompt.Question{Flag: "--allow-rollup", Message: "Allow message Roll-ups", Default: "false", Help: "a message with the header Nats-Rollup replaces all earlier ones"}, &a.s.AllowRollup, false},
		{"deny-delete", prompt.Question{Flag: "--deny-delete", Message: "Allow message deletion", Default: "true", Help: "no cannot be changed later"}, &a.s.DenyDelete, true},
		{"deny-purge", prompt.Question{Flag: "--deny-purge", Message: "Allow purging subjects or the entire stream", Default: "true", Help: "no cannot be changed later"}, &a.s.DenyPurge, true},
	} {
		if a.has(q.flag) {
			continue
		}
		yes, err := a.e.Prompt.Confirm(ctx, q.q)
		if err != nil {
			return err
		}
		v := yes != q.inverse
		*q.to = &v
	}
	return nil
}

// finish sets what follows from the rest.
func (a *answers) finish() error {
	if a.s.Mirror != nil {
		a.cfg.Unset("duplicate_window")
		return nil
	}
	if a.s.DuplicateWindow == nil {
		return a.cfg.Set(int64(a.window()), "duplicate_window")
	}
	return nil
}

// positive is the rule for sequences to start at; 0 is none.
func positive(s string) error {
	if _, err := strconv.ParseUint(s, 10, 64); err != nil {
		return fmt.Errorf("%q is no sequence: give a whole number, 0 for none", s)
	}
	return nil
}
