package consumer

import (
	"context"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
)

type copyOptions struct {
	stream, source, destination string
	flags                       settingFlags
}

func copyVerb() command.Node {
	return command.Verb[copyOptions]{
		Meta: command.Meta{
			Name: "copy", Aliases: []string{"cp"}, Short: "Create a consumer with the configuration of another",
			Long: "Flags change the copy; the source stays as it is, and where it is in the stream is not copied. A copy of a push consumer needs a --target of its own, or --pull.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: api.ConsumerInfo{},
		Names: command.Names{"stream": command.Streams, "source": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer copy ORDERS NEW OLD --filter orders.old", Says: "Filter Subject: orders.old", About: "The same with another filter", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *copyOptions) {
			c.Arg("stream", "The stream").Required().StringVar(&o.stream)
			c.Arg("source", "The consumer to copy").Required().StringVar(&o.source)
			c.Arg("destination", "The name of the copy").Required().StringVar(&o.destination)
			o.flags.bind(c)
			o.flags.bindNew(c)
		},
		Check: func(o *copyOptions) error {
			if o.source == o.destination {
				return fail.Usagef("source and destination are both %s", o.source)
			}
			return jsconf.CheckName("consumer", o.destination)
		},
		Run: runCopy,
	}
}

func runCopy(ctx context.Context, e *env.Env, o copyOptions) error {
	now := e.Clock.Now()
	if err := o.flags.check(now); err != nil {
		return err
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	source, err := consumers.Info(ctx, c, o.stream, o.source)
	if err != nil {
		return err
	}
	if !source.IsPull() && !o.flags.pull && o.flags.target == "" {
		return fail.Usagef("consumer %s delivers to %s: two consumers on one subject would mix", full(o.stream, o.source), source.ConsumerInfo.Config.DeliverSubject).
			WithHint("pass --target for the copy, or --pull")
	}
	cfg, err := source.Config()
	if err != nil {
		return err
	}
	cfg.StripReserved()
	cfg.Unset("pause_until")
	if err := named(cfg, o.destination, o.flags.ephemeral || source.IsEphemeral()); err != nil {
		return err
	}
	if err := o.flags.apply(cfg, now); err != nil {
		return err
	}
	made, err := consumers.Store(ctx, c, o.stream, consumers.Create, cfg)
	if js.IsCode(err, 10148) {
		err = fail.Hint(err, "nats consumer edit %s %s changes it", o.stream, o.destination)
	}
	if err != nil {
		return jscmd.Unsure(err, "it was created", "nats consumer info "+o.stream+" "+o.destination)
	}
	return e.Out.Print(screen{Consumer: made})
}
