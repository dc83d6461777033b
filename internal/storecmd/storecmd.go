// Package storecmd is what the commands about key-value buckets, object stores and counters have in common: the way to them, the
// choice of a bucket, edits, listings of buckets and watches.
package storecmd

import (
	"context"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/store"
)

// On connects and lets do work; a refusal of the server ends it at once and is told as what it is.
func On(ctx context.Context, e *env.Env, do func(context.Context, *store.Client) error) error {
	ctx, end := e.Nats.Allowed(ctx)
	defer end()
	js, err := e.Nats.JetStream(ctx)
	if err != nil {
		return err
	}
	return contexts.Refusal(ctx, do(ctx, store.New(js)))
}

// bucketArgument is the argument that names a bucket, as questions refer to it.
const bucketArgument = "<bucket>"

// PickBucket is the bucket that was named, or the one chosen from a list. add is the command that makes one.
func PickBucket(ctx context.Context, e *env.Env, c *store.Client, kind store.Kind, named, add string) (string, error) {
	if named != "" {
		return named, nil
	}
	names, err := c.Names(ctx, kind)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", fail.NotFoundf("no %s buckets found", kind).WithHint("%s makes one", add)
	}
	i, err := e.Prompt.Select(ctx, prompt.Question{Flag: bucketArgument, Message: "Select a Bucket"}, names)
	if err != nil {
		return "", err
	}
	return names[i], nil
}

// Given points to at value if it was given.
func Given[T any](to **T, given bool, value *T) {
	if given {
		*to = value
	}
}
