package stream

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
)

type copyOptions struct {
	source      string
	destination string
	flags       settingFlags
}

func copyVerb() command.Node {
	return command.Verb[copyOptions]{
		Meta: command.Meta{
			Name: "copy", Aliases: []string{"cp"}, Short: "Create a stream with the configuration of another",
			Long: "The configuration is copied, the messages are not. Two streams cannot store the same subjects, so --subjects is needed unless the other is a mirror or has sources alone. All flags of nats stream add apply.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: api.StreamInfo{}, Names: command.Names{"source": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream copy ORDERS ARCHIVE --subjects 'archive.>' --max-age 1y", Says: "Stream ARCHIVE was created", About: "The same, on other subjects and for longer", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *copyOptions) {
			c.Arg("source", "The stream to take the configuration of").Required().StringVar(&o.source)
			c.Arg("destination", "The name of the new stream").Required().StringVar(&o.destination)
			o.flags.bind(c)
			o.flags.bindNew(c)
		},
		Check: func(o *copyOptions) error {
			if o.source == o.destination {
				return fail.Usagef("source and destination are both %s", o.source)
			}
			if err := jsconf.CheckName("stream", o.destination); err != nil {
				return err
			}
			_, err := o.flags.settings()
			return err
		},
		Run: runCopy,
	}
}

func runCopy(ctx context.Context, e *env.Env, o copyOptions) error {
	settings, err := o.flags.settings()
	if err != nil {
		return err
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := c.Info(ctx, o.source)
	if err != nil {
		return err
	}
	cfg, err := s.Config()
	if err != nil {
		return err
	}
	cfg.StripReserved().Unset("sealed") // no stream is made sealed
	if err := cfg.Set(o.destination, "name"); err != nil {
		return err
	}
	if err := settings.Apply(cfg); err != nil {
		return err
	}
	made, err := c.Create(ctx, cfg)
	if js.IsCode(err, 10065) && len(settings.Subjects) == 0 {
		return fail.Hint(err, "pass --subjects with subjects that no other stream has")
	}
	if err != nil {
		return jscmd.Unsure(err, "it was created", "nats stream info "+o.destination)
	}
	return e.Out.Print(jscmd.StreamScreen{Stream: made, Done: fmt.Sprintf("Stream %s was created", o.destination)})
}
