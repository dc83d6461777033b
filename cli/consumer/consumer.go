// Package consumer is the commands about JetStream consumers.
package consumer

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/prompt"
)

// Command is `nats consumer`.
func Command() command.Node {
	return command.Each(tree)
}

func tree() command.Node {
	g := &group{}
	return command.Group{
		Meta: command.Meta{
			Name: "consumer", Aliases: []string{"con", "obs", "c"}, Short: "Manage consumers and read through them",
			Long: "A consumer is a reader's place in a stream: what was delivered, what was acknowledged, what is to be delivered again. Streams behind buckets and MQTT sessions are offered in questions only with --all.",
		},
		Bind: func(c *fisk.CmdClause) {
			c.Flag("all", "Offer the streams behind buckets and MQTT sessions too").Short('a').UnNegatableBoolVar(&g.all)
		},
		Nodes: func() []command.Node {
			return []command.Node{
				addVerb(g),
				editVerb(g),
				lsVerb(g),
				findVerb(g),
				infoVerb(g),
				stateVerb(g),
				rmVerb(g),
				resetVerb(g),
				copyVerb(),
				nextVerb(),
				subVerb(g),
				pauseVerb(g),
				unpinVerb(g),
				resumeVerb(g),
				reportVerb(g),
				graphVerb(g),
				clusterGroup(g),
			}
		},
	}
}

// group is what the verbs share: the flags of the group.
type group struct{ all bool }

// target are the names that most verbs take.
type target struct {
	stream, consumer string
	group            *group
}

func (t *target) bind(c *fisk.CmdClause, g *group) {
	t.group = g
	c.Arg("stream", "The stream").StringVar(&t.stream)
	c.Arg("consumer", "The consumer").StringVar(&t.consumer)
}

// check refuses names that cannot be.
func (t *target) check() error {
	if t.stream != "" {
		if err := jsconf.CheckName("stream", t.stream); err != nil {
			return err
		}
	}
	if t.consumer != "" {
		return jsconf.CheckName("consumer", t.consumer)
	}
	return nil
}

// needNames refuses names that are left to a choice.
func needNames(t target) error {
	switch {
	case t.stream == "":
		return fail.Usagef("pass <stream>")
	case t.consumer == "":
		return fail.Usagef("pass <consumer>")
	}
	return nil
}

// named completes the names by letting the user choose. A name that does not exist never ends in a choice.
func (t target) named(ctx context.Context, e *env.Env, c *js.Client) (stream, consumer string, err error) {
	if stream, err = jscmd.NameStream(ctx, e, c, t.group.all, t.stream); err != nil {
		return "", "", err
	}
	if t.consumer != "" {
		return stream, t.consumer, nil
	}
	q := prompt.Question{Flag: jscmd.Argument("consumer"), Message: "Select a Consumer"}
	if !e.Prompt.Available() {
		_, err := prompt.Need(ctx, e.Prompt, "", q) // says what to pass
		return "", "", err
	}
	names, err := consumers.Names(ctx, c, stream)
	if err != nil {
		return "", "", err
	}
	if len(names) == 0 {
		return "", "", fail.NotFoundf("no Consumers are defined for Stream %s", stream).WithHint("nats consumer add %s", stream)
	}
	i, err := e.Prompt.Select(ctx, q, names)
	if err != nil {
		return "", "", err
	}
	return stream, names[i], nil
}

// pick is named and the consumer's info.
func (t target) pick(ctx context.Context, e *env.Env, c *js.Client) (consumers.Consumer, error) {
	stream, name, err := t.named(ctx, e, c)
	if err != nil {
		return consumers.Consumer{}, err
	}
	return consumers.Info(ctx, c, stream, name)
}

// full is how people are told of a consumer.
func full(stream, name string) string { return stream + " > " + name }
