package streams

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
)

// control is the connection on which a run readies a stream or a bucket and looks after it.
type control struct {
	*crew.Client
	js jetstream.JetStream
}

// control connects. The context that it returns ends with the first error of the connection, which told then tells.
func (g *group) control(ctx context.Context) (context.Context, *control, error) {
	c, err := g.DialNats(ctx, nil)
	if err != nil {
		return ctx, nil, err
	}
	js, err := g.World.JetStream(c.Conn)
	if err != nil {
		c.Shut()
		return ctx, nil, err
	}
	return c.Bound(ctx), &control{c, js}, nil
}

// told is err, or what the server said of the connection while it was waited for.
func (c *control) told(err error) error {
	if said := c.Failed(); said != nil && errors.Is(err, context.Canceled) {
		return said
	}
	return err
}

// undo runs f with time of its own: the run may have been interrupted.
func (g *group) undo(ctx context.Context, c *control, what string, f func(context.Context) error) func() {
	return func() {
		defer c.Shut()
		if f == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.World.Timeout)
		defer cancel()
		if err := f(ctx); err != nil {
			g.World.Say("Could not delete %s: %s", what, err)
			return
		}
		g.World.Say("Deleted %s", what)
	}
}

// prepareStream makes the stream of a publishing run ready.
func (g *group) prepareStream(ctx context.Context, r *meter.Report) (func(), error) {
	ctx, c, err := g.control(ctx)
	if err != nil {
		return nil, err
	}
	r.Host.Server = c.ConnectedServerVersion()
	s := g.Spec.Stream
	end := g.undo(ctx, c, "stream "+s.Name, nil)
	created := false
	var stream jetstream.Stream
	if s.Create {
		_, missing := c.js.Stream(ctx, s.Name)
		if stream, err = c.js.CreateStream(ctx, g.streamConfig()); err != nil {
			return end, fail.Hint(fmt.Errorf("could not create the stream. If you want to delete and re-define the stream use `nats stream delete %s`: %w", s.Name, c.told(err)), "nats stream info %s", s.Name)
		}
		created = errors.Is(missing, jetstream.ErrStreamNotFound)
	} else if stream, err = c.js.Stream(ctx, s.Name); err != nil {
		return end, fail.Hint(fmt.Errorf("could not access stream %s: %w", s.Name, c.told(err)), "--create makes it")
	}
	if s.Cleanup && created {
		end = g.undo(ctx, c, "stream "+s.Name, func(ctx context.Context) error { return c.js.DeleteStream(ctx, s.Name) })
	}
	g.World.Say("Using stream: %s", s.Name)
	return end, c.told(g.purge(ctx, stream))
}

func (g *group) purge(ctx context.Context, stream jetstream.Stream) error {
	s := g.Spec.Stream
	if !s.Purge {
		return nil
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("stream %s: %w", s.Name, err)
	}
	g.World.Say("Purging the stream: %s messages, %s", meter.Commas(int64(info.State.Msgs)), meter.IEC(float64(info.State.Bytes)))
	if err := stream.Purge(ctx); err != nil {
		return fmt.Errorf("purging stream %s: %w", s.Name, err)
	}
	return nil
}

func storage(name string) jetstream.StorageType {
	if name == "memory" {
		return jetstream.MemoryStorage
	}
	return jetstream.FileStorage
}

func (g *group) streamConfig() jetstream.StreamConfig {
	s := g.Spec.Stream
	cfg := jetstream.StreamConfig{
		Name: s.Name, Subjects: []string{g.Spec.Subscription()}, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		Storage: storage(s.Storage), Replicas: s.Replicas, MaxBytes: s.MaxBytes, Duplicates: s.DedupWindow, AllowDirect: true,
		AllowAtomicPublish: true, AllowBatchPublish: true,
	}
	if s.PersistAsync && s.Replicas == 1 && g.Spec.Kind != crew.ModeAtomic {
		cfg.PersistMode, cfg.AllowAtomicPublish = jetstream.AsyncPersistMode, false
	}
	return cfg
}

// existing opens a stream that a consuming run reads, and looks how much there is.
func (g *group) existing(ctx context.Context, r *meter.Report) (context.Context, *control, jetstream.Stream, error) {
	ctx, c, err := g.control(ctx)
	if err != nil {
		return ctx, nil, nil, err
	}
	r.Host.Server = c.ConnectedServerVersion()
	s, err := c.js.Stream(ctx, g.Spec.Stream.Name)
	if err != nil {
		c.Shut()
		return ctx, nil, nil, fail.Hint(fmt.Errorf("getting stream '%s': %w", g.Spec.Stream.Name, c.told(err)), "nats bench js pub async SUBJECT --create fills it")
	}
	g.World.Say("Using stream: %s", g.Spec.Stream.Name)
	if err := g.purge(ctx, s); err != nil {
		c.Shut()
		return ctx, nil, nil, c.told(err)
	}
	return ctx, c, s, nil
}
