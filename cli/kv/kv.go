// Package kv is the group of commands about key-value buckets.
package kv

import (
	"context"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// Command is `nats kv`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "kv", Short: "Keep values under keys, in buckets",
			Long: "A bucket is a stream that keeps the latest values of each key. Keys are made of letters, digits and -/_=. and may be watched and listed by pattern: * is one part between dots, > the rest, and * within a part any text of it.",
		},
		Nodes: func() []command.Node {
			return []command.Node{
				addVerb(), editVerb(), putVerb(), getVerb(), createVerb(), updateVerb(), delVerb(), purgeVerb(), historyVerb(), revertVerb(),
				infoVerb(), watchVerb(), lsVerb(), compactVerb(), exportVerb(), importVerb(), diffVerb(),
			}
		},
	}
}

// connect reaches the stores. The context it returns ends as soon as the server refuses something; end must be called.
func connect(ctx context.Context, e *env.Env) (c *store.Client, allowed context.Context, end context.CancelFunc, err error) {
	allowed, end = e.Nats.Allowed(ctx)
	js, err := e.Nats.JetStream(allowed)
	if err != nil {
		end()
		return nil, nil, nil, err
	}
	return store.New(js), allowed, end, nil
}

// onBucket opens a bucket and lets do work on it.
func onBucket(ctx context.Context, e *env.Env, name string, do func(context.Context, *store.Bucket) error) error {
	return onStores(ctx, e, func(ctx context.Context, c *store.Client) error {
		b, err := c.OpenKV(ctx, name)
		if err != nil {
			return err
		}
		return do(ctx, b)
	})
}

// onStores connects and lets do work; a refusal of the server is told as what it is.
func onStores(ctx context.Context, e *env.Env, do func(context.Context, *store.Client) error) error {
	c, ctx, end, err := connect(ctx, e)
	if err != nil {
		return err
	}
	defer end()
	return contexts.Refusal(ctx, do(ctx, c))
}

// sure asks before something is destroyed. In a protected context the name of the thing must be typed.
func sure(ctx context.Context, e *env.Env, forced bool, what, name string) error {
	if e.Nats.Effective().Protected {
		return prompt.SureTyped(ctx, e.Prompt, forced, what, name)
	}
	return prompt.Sure(ctx, e.Prompt, forced, what)
}

// plural counts things: "1 key", "12,345 keys".
func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return render.HumaneCount(n) + " " + many
}
