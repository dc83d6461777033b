package stream

import (
	"context"

	"github.com/nats-io/jsm.go"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/prompt"
)

// open is the way to the JetStream API with the settings in force.
func open(ctx context.Context, e *env.Env) (*js.Client, error) {
	s, err := e.Nats.JetStream(ctx)
	if err != nil {
		return nil, err
	}
	return js.New(s), nil
}

// argument is how a question says that an argument answers it.
func argument(name string) string { return "<" + name + ">" }

// nameStream returns the stream that was named, or lets the user choose one of those there are. A name that does not exist
// never ends in a choice: the first of a list is not what was meant.
func nameStream(ctx context.Context, e *env.Env, c *js.Client, g *group, name string) (string, error) {
	if name != "" {
		return name, js.CheckName("stream", name)
	}
	q := prompt.Question{Flag: argument("stream"), Message: "Select a Stream"}
	if !e.Prompt.Available() {
		return prompt.Need(ctx, e.Prompt, "", q) // says what to pass
	}
	names, err := c.AllStreamNames(ctx, "")
	if err != nil {
		return "", err
	}
	var choice []string
	for _, n := range names {
		if g.all || !jsm.IsInternalStream(n) {
			choice = append(choice, n)
		}
	}
	if len(choice) == 0 {
		return "", fail.NotFoundf("no Streams are defined").WithHint("nats stream add")
	}
	i, err := e.Prompt.Select(ctx, q, choice)
	if err != nil {
		return "", err
	}
	return choice[i], nil
}

// pick is nameStream and the stream's info.
func pick(ctx context.Context, e *env.Env, c *js.Client, g *group, name string) (js.Stream, error) {
	name, err := nameStream(ctx, e, c, g, name)
	if err != nil {
		return js.Stream{}, err
	}
	return c.Info(ctx, name)
}

// sure asks for confirmation; in a protected context the name must be typed. force answers both.
func sure(ctx context.Context, e *env.Env, force bool, what, name string) error {
	if e.Nats.Effective().Protected {
		return prompt.SureTyped(ctx, e.Prompt, force, what, name)
	}
	return prompt.Sure(ctx, e.Prompt, force, what)
}

// warnBucket tells that the stream is a bucket's, where changes may break what the bucket promises.
func warnBucket(e *env.Env, name string) {
	if jsm.IsKVBucketStream(name) {
		e.IO.Warn("stream %s belongs to a key-value bucket: nats kv is the way to change it", name)
	}
}
