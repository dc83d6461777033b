// Package object is the group of commands about object stores.
package object

import (
	"context"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
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

// onBucket opens a bucket and lets do work on it.
func onBucket(ctx context.Context, e *env.Env, name string, do func(context.Context, *store.Objects) error) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		o, err := c.OpenObjects(ctx, name)
		if err != nil {
			return err
		}
		return do(ctx, o)
	})
}

// size is a number of bytes as people read it.
func size(n uint64) string { return render.HumaneBytes(n) }
