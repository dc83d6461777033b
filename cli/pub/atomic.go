package pub

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/publish"
	"github.com/natskit/natskit/internal/render"
)

// batch collects all messages and stores them in one atomic step when the input has ended.
type batch struct {
	e        *env.Env
	js       jetstream.JetStream
	receipt  *receipt
	quiet    bool
	messages []*nats.Msg
	broken   bool
}

func newBatch(ctx context.Context, e *env.Env, o pubOptions, r *receipt) (*batch, error) {
	js, err := e.Nats.JetStream(ctx)
	if err != nil {
		return nil, err
	}
	return &batch{e: e, js: js, receipt: r, quiet: o.quiet || e.Out.Machine()}, nil
}

func (b *batch) send(ctx context.Context, m message) error {
	if len(b.messages) == 0 {
		if err := b.allowed(ctx, m.subject); err != nil {
			b.broken = true
			return err
		}
	}
	if !b.quiet {
		b.e.Say("Adding %d bytes to batch on subject %q", len(m.body), m.subject)
	}
	if m.header == nil {
		m.header = nats.Header{} // the library writes into it
	}
	b.messages = append(b.messages, &nats.Msg{Subject: m.subject, Header: m.header, Data: bytes.Clone(m.body)})
	b.receipt.Bytes += uint64(len(m.body))
	return nil
}

// allowed finds the stream of the first subject and demands that it takes atomic batches, before anything is sent.
func (b *batch) allowed(ctx context.Context, subject string) error {
	ctx, cancel := b.e.Nats.Deadline(ctx)
	defer cancel()
	name, err := b.js.StreamNameBySubject(ctx, subject)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fail.NotFoundf("no stream found with subject: %s", subject)
	} else if err != nil {
		return refused(ctx, fmt.Errorf("finding the stream of %s: %w", subject, err))
	}
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return refused(ctx, fmt.Errorf("stream %s: %w", name, err))
	}
	if !s.CachedInfo().Config.AllowAtomicPublish {
		return fail.Hint(fmt.Errorf("atomic publishing is not allowed for stream %s with subject %s", name, subject),
			"nats stream edit %s --allow-batch", name)
	}
	return nil
}

func (b *batch) idle(context.Context) error { return nil }

// reject ends the run: a batch is stored whole or not at all.
func (b *batch) reject(m message, err error) error {
	b.broken = true
	return fmt.Errorf("nothing of the batch was stored: %s: %w", m.where(), err)
}

func (b *batch) close(ctx context.Context) error {
	if b.broken {
		return nil
	}
	if len(b.messages) == 0 {
		return fail.Newf(fail.Failure, "no messages to publish in atomic batch")
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, b.js, b.messages)
	if err != nil {
		b.receipt.fail(message{number: 1}, err)
		return refused(ctx, fmt.Errorf("nothing of the batch was stored: %w", err))
	}
	b.receipt.Published = uint64(len(b.messages))
	b.receipt.Acks = []publish.Ack{{Stream: ack.Stream, Sequence: ack.Sequence, Domain: ack.Domain, Value: ack.Value, Batch: ack.BatchID, Count: ack.BatchSize}}
	if !b.quiet {
		domain := ""
		if ack.Domain != "" {
			domain = fmt.Sprintf(" Domain: %q", ack.Domain)
		}
		b.e.Say("Wrote batch ID: %s Messages: %s Sequence: %s%s", ack.BatchID, render.HumaneCount(uint64(ack.BatchSize)), render.HumaneCount(ack.Sequence), domain)
	}
	return nil
}
