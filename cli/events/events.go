// Package events is the command that shows what happens on servers and in JetStream.
package events

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
)

// Command is `nats events`.
func Command() command.Node { return eventsVerb() }

type eventsOptions struct {
	all      bool
	cloud    bool
	short    bool
	metrics  bool
	advice   bool
	server   bool
	asked    bool // --srv-advisory was given
	subjects []string

	stream string
	since  flagval.Since
	last   uint64

	filter     string
	kind       string
	streamName string
	count      uint64
	wait       time.Duration
}

// OutputFormat is that of --cloudevent.
func (o eventsOptions) OutputFormat() string {
	if o.cloud {
		return "json"
	}
	return ""
}

func eventsVerb() command.Node {
	return command.Verb[eventsOptions]{
		Meta: command.Meta{
			Name: "events", Aliases: []string{"event", "e"}, Short: "Show advisories, metrics and connection events as they happen",
			Long: `Connections and authentication errors of all accounts are shown to a user of the system account; advisories and metrics of JetStream to the account they are about.

JSON is each event as it was sent, one a line; --format ndjson wraps it with its subject and the time it was received. An event that comes on several subjects is shown once.

With --stream events are read from a stream that keeps them. --since and --last say from where; they end with the newest, and what is stored from then on is shown too, until interrupted or told otherwise by --count or --wait.`,
		},
		Scope: command.User, Output: command.Feed, Result: envelope{},
		Names: command.Names{"stream-name": command.Streams},
		Examples: []command.Example{
			{Line: "nats events --js-advisory --short", Says: "Listening for Advisories on $JS.EVENT.ADVISORY.>", About: "What is done to streams and consumers, one line each"},
			{Line: `nats events --stream ADVISORIES --filter 'stream_\w+' --json`, About: "Those about streams that were kept, for a script", Says: `"action":"create"`, Needs: []string{"stream add ADVISORIES --subjects '$JS.EVENT.ADVISORY.>' --defaults", "stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats events --stream ADVISORIES --since 1h", Says: "Listening for Events in stream ADVISORIES since 1h", About: "The last hour of a stream that keeps advisories", Needs: []string{"stream add ADVISORIES --subjects '$JS.EVENT.ADVISORY.>' --defaults"}},
		},
		Bind: bindEvents, Check: checkEvents, Run: runEvents,
	}
}

func bindEvents(c *fisk.CmdClause, o *eventsOptions) {
	c.Flag("all", "Everything: server events, advisories and metrics").Short('a').UnNegatableBoolVar(&o.all)
	c.Flag("cloudevent", "Print CloudEvents 1.0, one a line").UnNegatableBoolVar(&o.cloud)
	c.Flag("short", "One line of text for each event").UnNegatableBoolVar(&o.short)
	c.Flag("filter", "Only events whose JSON matches this regular expression, whatever the case").Default(".").StringVar(&o.filter)
	c.Flag("type", "Only events whose type matches this regular expression").PlaceHolder("REGEX").StringVar(&o.kind)
	c.Flag("stream-name", "Only events about this stream").PlaceHolder("NAME").StringVar(&o.streamName)
	c.Flag("js-metric", "Metrics of JetStream").UnNegatableBoolVar(&o.metrics)
	c.Flag("js-advisory", "Advisories of JetStream").UnNegatableBoolVar(&o.advice)
	c.Flag("srv-advisory", "Connections, disconnections and authentication errors").Default("true").IsSetByUser(&o.asked).BoolVar(&o.server)
	flagval.SubjectsVar(c.Flag("subjects", "Events on these subjects too").PlaceHolder("SUBJECTS"), &o.subjects)
	c.Flag("stream", "Read events from this stream").StringVar(&o.stream)
	flagval.SinceVar(c.Flag("since", "With --stream: begin that long ago, at a time or at a sequence").PlaceHolder("DURATION"), &o.since)
	flagval.Uint64Var(c.Flag("last", "With --stream: begin with the last N messages").PlaceHolder("N"), &o.last)
	flagval.Uint64Var(c.Flag("count", "End after this many events").PlaceHolder("N"), &o.count)
	c.Flag("wait", "End when no event came for this long").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.wait).Positive())
}

func checkEvents(o *eventsOptions) error {
	for flag, text := range map[string]string{"filter": o.filter, "type": o.kind} {
		if _, err := regexp.Compile(text); err != nil {
			return fail.Usagef("--%s %q is no regular expression: %w", flag, text, err)
		}
	}
	if o.stream == "" {
		switch {
		case o.since.Given || o.last > 0:
			return fail.Usagef("--since and --last need --stream: what is not stored cannot be shown again")
		case !o.all && !o.metrics && !o.advice && !o.server && len(o.subjects) == 0:
			return fail.Usagef("no events were chosen").WithHint("nats events --all")
		}
		return nil
	}
	switch {
	case o.all || o.metrics || o.advice || len(o.subjects) > 0:
		return fail.Usagef("--stream cannot be combined with --all, --js-metric, --js-advisory or --subjects")
	case o.since.Given && o.last > 0:
		return fail.Usagef("--since and --last exclude each other")
	}
	return nil
}

func runEvents(ctx context.Context, e *env.Env, o eventsOptions) error {
	keep, err := newSieve(o)
	if err != nil {
		return err
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	in := make(chan message, 64)
	var stop func()
	if o.stream != "" {
		stop, err = fromStream(ctx, e, o, in)
	} else {
		stop, err = fromSubjects(ctx, e, o, in)
	}
	if err != nil {
		return contexts.Refusal(ctx, err)
	}
	defer stop()
	feed := e.Out.Feed()
	shown, err := show(ctx, e, o, in, func(m message) (bool, error) {
		if !keep.passes(m) {
			return false, nil
		}
		return true, feed.Emit(newItem(e, o, m))
	})
	if cerr := feed.Close(nil); err == nil {
		err = cerr
	}
	if err != nil {
		return fail.Ended(ctx, contexts.Refusal(ctx, err))
	}
	switch {
	case o.count == 0 || shown == o.count:
		return nil
	case shown == 0:
		return fail.Newf(fail.NoAnswer, "no event came within %s", o.wait)
	}
	return fail.Partialf("%d of %d events came before nothing followed for %s", shown, o.count, o.wait)
}

// show takes messages until there are enough, nothing follows any more, or ctx ends. emit tells whether a message counts.
func show(ctx context.Context, e *env.Env, o eventsOptions, in <-chan message, emit func(message) (bool, error)) (shown uint64, err error) {
	var idle <-chan time.Time
	rest := func() {
		if o.wait > 0 {
			idle = e.Clock.After(o.wait)
		}
	}
	rest()
	for {
		select {
		case <-ctx.Done():
			return shown, context.Cause(ctx)
		case <-idle:
			return shown, nil
		case m := <-in:
			if m.err != nil {
				return shown, fmt.Errorf("stream %s: %w", o.stream, m.err)
			}
			counts, err := emit(m)
			if err != nil {
				return shown, err
			}
			if counts {
				shown++
				rest()
			}
			if o.count > 0 && shown >= o.count {
				return shown, nil
			}
		}
	}
}
