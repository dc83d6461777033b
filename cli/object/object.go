// Package object is the group of commands about object stores.
package object

import (
	"context"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// Command is `nats object`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "object", Aliases: []string{"obj"}, Short: "Keep files and other objects of any size, in buckets",
			Long: "An object is stored in chunks, with a digest that is checked when it is read. A link stands for another object, also in another bucket.",
		},
		Nodes: func() []command.Node {
			return []command.Node{
				addVerb(), editVerb(), putVerb(), delVerb(), getVerb(), infoVerb(), lsVerb(), sealVerb(), watchVerb(), linkVerb(), describeVerb(),
			}
		},
	}
}

// onStores connects and lets do work; a refusal of the server is told as what it is.
func onStores(ctx context.Context, e *env.Env, do func(context.Context, *store.Client) error) error {
	ctx, end := e.Nats.Allowed(ctx)
	defer end()
	js, err := e.Nats.JetStream(ctx)
	if err != nil {
		return err
	}
	return contexts.Refusal(ctx, do(ctx, store.New(js)))
}

// onBucket opens a bucket and lets do work on it.
func onBucket(ctx context.Context, e *env.Env, name string, do func(context.Context, *store.Objects) error) error {
	return onStores(ctx, e, func(ctx context.Context, c *store.Client) error {
		o, err := c.OpenObjects(ctx, name)
		if err != nil {
			return err
		}
		return do(ctx, o)
	})
}

// sure asks before something is destroyed. In a protected context the name of the thing must be typed.
func sure(ctx context.Context, e *env.Env, forced bool, what, name string) error {
	if e.Nats.Effective().Protected {
		return prompt.SureTyped(ctx, e.Prompt, forced, what, name)
	}
	return prompt.Sure(ctx, e.Prompt, forced, what)
}

// Arguments as questions refer to them.
const (
	bucketArgument = "<bucket>"
)

// pickBucket is the bucket that was named, or the one chosen from a list.
func pickBucket(ctx context.Context, e *env.Env, c *store.Client, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	names, err := c.Names(ctx, store.Object)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", fail.NotFoundf("no Object buckets found").WithHint("nats object add NAME makes one")
	}
	i, err := e.Prompt.Select(ctx, prompt.Question{Flag: bucketArgument, Message: "Select a Bucket"}, names)
	if err != nil {
		return "", err
	}
	return names[i], nil
}

// size is a number of bytes as people read it.
func size(n uint64) string { return render.HumaneBytes(n) }
