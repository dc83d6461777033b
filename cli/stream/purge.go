package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type purgeOptions struct {
	stream string
	force  bool
	dryRun bool
	what   js.Purge
	group  *group
}

func purgeVerb(g *group) command.Node {
	return command.Verb[purgeOptions]{
		Meta: command.Meta{
			Name: "purge", Short: "Remove messages from a stream",
			Long: "All messages, or those of a subject, and of these all below a sequence or all but the last few. --dry-run counts them and removes nothing.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: purgedDoc{}, Names: command.Names{"stream": command.Streams, "subject": command.Subjects},
		Examples: []command.Example{
			{Line: "nats stream purge ORDERS --subject orders.new --keep 100 --dry-run", Says: "Would purge 0 messages", About: "What keeping the last hundred of a subject would remove", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream purge ORDERS --force", Says: "Purged 0 messages from ORDERS", About: "Remove everything", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *purgeOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("subject", "Only messages on this subject; wildcards are allowed").PlaceHolder("SUBJECT").StringVar(&o.what.Subject)
			c.Flag("seq", "Only messages below this sequence").PlaceHolder("SEQUENCE").SetValue(flagval.NewUint64(&o.what.Seq).Min(1))
			c.Flag("keep", "All but this many, the newest").PlaceHolder("MESSAGES").SetValue(flagval.NewUint64(&o.what.Keep))
			c.Flag("dry-run", "Count what would be removed").UnNegatableBoolVar(&o.dryRun)
		},
		Check: func(o *purgeOptions) error { return o.what.Check() },
		Run:   runPurge,
	}
}

// purgedDoc is the JSON of a purge: the info document of the stream with the count beside its keys.
type purgedDoc struct {
	Purged uint64   `json:"purged,omitempty"`
	DryRun bool     `json:"dry_run,omitempty"`
	Would  *js.Toll `json:"would_purge,omitempty"`
	api.StreamInfo
}

// purged is what a purge took, and the stream after it; in a dry run what it would take, and the stream as it is.
type purged struct {
	DryRun bool
	js.Toll
	Purged uint64

	stream js.Stream
}

// JSON is the count beside the keys of the info document as the server sent it.
func (r purged) JSON() any {
	head := map[string]any{"purged": r.Purged}
	if r.DryRun {
		head = map[string]any{"dry_run": true, "would_purge": r.Toll}
	}
	front, err := json.Marshal(head)
	if err != nil {
		return head
	}
	info, err := r.stream.MarshalJSON()
	if err != nil {
		return head
	}
	return json.RawMessage(bytes.Join([][]byte{front[:len(front)-1], info[1:]}, []byte(",")))
}

// View says the count, then shows the state.
func (r purged) View(p *render.Page) {
	name := r.stream.StreamInfo.Config.Name
	if r.DryRun {
		p.Line("Would purge %s messages (%s%s) from %s", render.Count(r.Messages), about(r.Toll), render.Bytes(r.Toll.Bytes), name)
	} else {
		p.Line("Purged %s messages from %s", render.Count(r.Purged), name)
	}
	p.Gap()
	jscmd.StreamScreen{Stream: r.stream, StateOnly: true}.View(p)
}

// about is what stands before bytes that are an estimate.
func about(t js.Toll) string {
	if t.Estimated {
		return "about "
	}
	return ""
}

func runPurge(ctx context.Context, e *env.Env, o purgeOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	r := purged{DryRun: o.dryRun, stream: s}
	name := s.StreamInfo.Config.Name
	if o.dryRun || !o.force && e.Prompt.Available() {
		if r.Toll, err = c.PurgeToll(ctx, s, o.what); err != nil {
			return err
		}
	}
	if o.dryRun {
		return e.Out.Print(r)
	}
	jscmd.WarnBucket(e, name)
	what := fmt.Sprintf("purge Stream %s, %s messages (%s%s)", name, render.HumaneCount(r.Messages), about(r.Toll), render.HumaneBytes(r.Toll.Bytes))
	if err := jscmd.Sure(ctx, e, o.force, what, name); err != nil {
		return err
	}
	if r.Purged, err = c.Purge(ctx, name, o.what); err != nil {
		return err
	}
	if r.stream, err = c.Info(ctx, name); err != nil {
		return err
	}
	return e.Out.Print(r)
}
