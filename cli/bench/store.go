package bench

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/meter/crew"
)

type storeOptions struct {
	pacing
	body
	multi       multi
	creation    creation
	subject     string
	engine      string
	batch       int64
	outstanding int64
}

// storeMeta says what sets the ways to publish to a stream apart.
func storeMeta(mode string) command.Meta {
	switch mode {
	case "sync":
		return command.Meta{Name: "sync", Short: "Publish one message after the other",
			Long: "Each client waits for the acknowledgement of a message before it sends the next. The latency is that of each message."}
	case "async":
		return command.Meta{Name: "async", Short: "Publish with a window of messages on their way",
			Long: "Up to --batch messages of each client wait for their acknowledgements. The latency is that of each message, its time in the window included."}
	case "atomic":
		return command.Meta{Name: "atomic", Aliases: []string{"batch"}, Short: "Publish in batches that are stored whole or not at all",
			Long: "The latency of a message ends with the commit of its batch. The stream has to allow atomic publishing, and the server bounds the batch."}
	}
	return command.Meta{Name: "fast", Short: "Publish in one long batch whose flow the server controls",
		Long: "The server says after how many messages, --batch at most, it acknowledges; --max-outstanding-acks such steps may be on their way. The latency of a message ends with the acknowledgement that covers it. The wire engine alone can do this, and the server has to be 2.14 or later."}
}

func storeVerb(shared *jsCommon, mode string) command.Node {
	m := storeMeta(mode)
	return command.Verb[storeOptions]{
		Meta: m, Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{
			{Line: fmt.Sprintf("nats bench js pub %s demo --create --msgs 1200 --cleanup", mode), Says: "publisher stats", About: m.Short + ", to a stream that is removed afterwards"},
		},
		Bind: func(c *fisk.CmdClause, o *storeOptions) {
			c.Arg("subject", "Subject to publish to").Required().StringVar(&o.subject)
			if mode != "sync" {
				c.Flag("batch", "How many messages make a batch or a window").Default("500").SetValue(flagval.NewInt64(&o.batch).Min(1))
			}
			if mode == "fast" {
				c.Flag("max-outstanding-acks", "How many acknowledgements may be on their way").Default("1").SetValue(flagval.NewInt64(&o.outstanding).Min(1).Max(65535))
				o.engine = crew.Wire
			} else {
				c.Flag("engine", "What speaks to the server: wire, or the client library nats.go").Default(crew.Wire).EnumVar(&o.engine, crew.Wire, crew.NatsGo)
			}
			o.pacing.bind(c)
			o.body.bind(c)
			o.multi.bind(c)
			o.creation.bind(c)
		},
		Check: func(o *storeOptions) error { return checkStore(shared, o) },
		Run: func(ctx context.Context, e *env.Env, o storeOptions) error {
			return runStore(ctx, e, *shared, mode, o)
		},
	}
}

func checkStore(shared *jsCommon, o *storeOptions) error {
	if err := shared.check(); err != nil {
		return err
	}
	if err := o.pacing.check(); err != nil {
		return err
	}
	if err := o.checkHeader(); err != nil {
		return err
	}
	if o.creation.cleanup && !o.creation.create {
		return fail.Usagef("--cleanup deletes what --create made: give both")
	}
	if o.creation.cleanup {
		if err := shared.alone("--cleanup"); err != nil {
			return err
		}
	}
	return publishable(o.subject)
}

func runStore(ctx context.Context, e *env.Env, shared jsCommon, mode string, o storeOptions) error {
	if mode == "fast" && o.batch > 65535 {
		e.IO.Warn("--batch %d is more than the protocol knows: 65535 it is", o.batch)
		o.batch = 65535
	}
	shared.engine = o.engine
	s := shared.spec("js pub " + mode)
	s.Subject, s.Multi, s.Stream = o.subject, o.multi.spec(), o.creation.spec(shared.stream)
	s.Stream.Batch, s.Stream.MaxOutstanding = int(o.batch), uint16(o.outstanding)
	o.apply(&s)
	if err := o.body.load(e, &s); err != nil {
		return err
	}
	args := base(s).withPacing(o.pacing).withMulti(o.multi)
	args["sleep"], args["subject"], args["stream"], args["batch"] = shared.sleep, o.subject, shared.stream, count(o.batch)
	if mode == "fast" {
		args["max-outstanding-acks"] = o.outstanding
	}
	o.creation.describe(args)
	return execute(ctx, e, shared.common, s, args)
}
