// Package jscmd is what the commands about JetStream have in common: the way to its API, the choice of a stream, confirmations
// and the screen that describes one.
package jscmd

import (
	"context"

	"github.com/nats-io/jsm.go"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

// Open is the way to the JetStream API with the settings in force.
func Open(ctx context.Context, e *env.Env) (*js.Client, error) {
	s, err := e.Nats.JetStream(ctx)
	if err != nil {
		return nil, err
	}
	return js.New(s), nil
}

// Argument is how a question says that an argument answers it.
func Argument(name string) string { return "<" + name + ">" }

// NameStream returns the stream that was named, or lets the user choose one of those there are. A name that does not exist
// never ends in a choice: the first of a list is not what was meant.
// all offers the streams behind buckets too.
func NameStream(ctx context.Context, e *env.Env, c *js.Client, all bool, name string) (string, error) {
	if name != "" {
		return name, jsconf.CheckName("stream", name)
	}
	q := prompt.Question{Flag: Argument("stream"), Message: "Select a Stream"}
	if !e.Prompt.Available() {
		return prompt.Need(ctx, e.Prompt, "", q) // says what to pass
	}
	names, err := c.AllStreamNames(ctx, "")
	if err != nil {
		return "", err
	}
	var choice []string
	for _, n := range names {
		if all || !jsm.IsInternalStream(n) {
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

// Pick is NameStream and the stream's info.
func Pick(ctx context.Context, e *env.Env, c *js.Client, all bool, name string) (js.Stream, error) {
	name, err := NameStream(ctx, e, c, all, name)
	if err != nil {
		return js.Stream{}, err
	}
	return c.Info(ctx, name)
}

// Sure asks for confirmation; in a protected context the name must be typed. force answers both.
func Sure(ctx context.Context, e *env.Env, force bool, what, name string) error {
	if e.Nats.Effective().Protected {
		return prompt.SureTyped(ctx, e.Prompt, force, what, name)
	}
	return prompt.Sure(ctx, e.Prompt, force, what)
}

// WarnBucket tells that the stream is a bucket's, where changes may break what the bucket promises.
func WarnBucket(e *env.Env, name string) {
	if jsm.IsKVBucketStream(name) {
		e.IO.Warn("stream %s belongs to a key-value bucket: nats kv is the way to change it", name)
	}
}

// Wordy reports whether sentences have a place on the page: formats for programs hold a table alone.
func Wordy(p *render.Page) bool {
	k := p.Options().Kind
	return k == render.Text || k == render.Wide
}

// CheckFilter accepts no subject, or one with or without wildcards.
func CheckFilter(subject string) error {
	if subject == "" {
		return nil
	}
	return flagval.CheckSubject(subject, true)
}
