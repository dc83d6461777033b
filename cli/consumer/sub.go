package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type subOptions struct {
	target
	ack          bool
	raw          bool
	deliverGroup string
}

func subVerb(g *group) command.Node {
	return command.Verb[subOptions]{
		Meta: command.Meta{
			Name: "sub", Short: "Receive what a push consumer delivers", Hidden: true,
			Long: "Messages are shown, then acknowledged, until an interrupt. From a pull consumer one message is fetched.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: delivery{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer sub ORDERS LIVE", Says: "Subscribing to topic live.orders", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS LIVE --target live.orders --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *subOptions) {
			o.bind(c, g)
			c.Flag("ack", "Acknowledge the messages").Default("true").BoolVar(&o.ack)
			c.Flag("raw", "Print bodies alone").Short('r').UnNegatableBoolVar(&o.raw)
			c.Flag("deliver-group", "The queue group that the consumer must have").StringVar(&o.deliverGroup)
		},
		Check: (*subOptions).check,
		Run:   runSub,
	}
}

func runSub(ctx context.Context, e *env.Env, o subOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := o.pick(ctx, e, c)
	if err != nil {
		return err
	}
	if i.IsPull() {
		return runNext(ctx, e, nextOptions{stream: i.Stream, consumer: i.Name, ack: o.ack, raw: o.raw, count: 1})
	}
	cfg := i.ConsumerInfo.Config
	if o.deliverGroup != "" && o.deliverGroup != cfg.DeliverGroup {
		return fail.Usagef("--deliver-group %s: the queue group of consumer %s is %q", o.deliverGroup, full(i.Stream, i.Name), cfg.DeliverGroup)
	}
	s := &pushReader{e: e, o: o, consumer: i, client: c, ack: o.ack && cfg.AckPolicy != api.AckNone}
	if !o.raw {
		e.IO.Line(fmt.Sprintf("Subscribing to topic %s auto acknowledgment: %v\n\nConsumer Info:\n  Ack Policy: %s", cfg.DeliverSubject, s.ack, cfg.AckPolicy))
		if cfg.AckPolicy != api.AckNone {
			e.IO.Line(fmt.Sprintf("    Ack Wait: %s", cfg.AckWait))
		}
		e.IO.Line("")
	}
	feed := e.Out.Feed()
	err = fail.Ended(ctx, s.read(ctx, feed))
	if err == nil && !o.raw {
		e.Say("Received %d messages from %s", s.seen, full(i.Stream, i.Name))
	}
	return errors.Join(err, feed.Close(nil))
}

// pushReader takes what a push consumer delivers.
type pushReader struct {
	e        *env.Env
	o        subOptions
	consumer consumers.Consumer
	client   *js.Client
	ack      bool
	seen     uint64
}

func (s *pushReader) read(ctx context.Context, feed *render.Feed) error {
	ctx, cancel := s.e.Nats.Allowed(ctx)
	defer cancel()
	nc := s.client.Conn()
	cfg := s.consumer.ConsumerInfo.Config
	sub, err := nc.QueueSubscribeSync(cfg.DeliverSubject, cfg.DeliverGroup)
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", cfg.DeliverSubject, err)
	}
	defer func() {
		if err := sub.Unsubscribe(); err != nil {
			s.e.Log.Debug("unsubscribing", "subject", cfg.DeliverSubject, "error", err)
		}
	}()
	// What waits here is bounded by the consumer's own limits; dropping it would lose messages that need no acknowledgement.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("receiving from %s: %w", cfg.DeliverSubject, err)
		}
		if err := s.take(ctx, feed, m); err != nil {
			return err
		}
	}
}

// take shows and acknowledges a message; signals of the server are answered and not shown.
func (s *pushReader) take(ctx context.Context, feed *render.Feed, m *nats.Msg) error {
	if m.Header.Get("Status") != "" && len(m.Data) == 0 {
		if m.Reply != "" {
			return m.Respond(nil) // flow control
		}
		if stalled := m.Header.Get("Nats-Consumer-Stalled"); stalled != "" {
			return s.client.Conn().Publish(stalled, nil)
		}
		return nil
	}
	d := delivery{Stream: s.consumer.Stream, Consumer: s.consumer.Name, Subject: m.Subject, Headers: m.Header, Data: m.Data, raw: s.o.raw, close: true, at: s.e.Clock.Now()}
	meta, err := jsm.ParseJSMsgMetadata(m)
	if err == nil {
		d.Stream, d.Consumer, d.Tries, d.ConsumerSeq, d.StreamSeq = meta.Stream(), meta.Consumer(), uint64(meta.Delivered()), meta.ConsumerSequence(), meta.StreamSequence()
		d.Pending, d.Time = meta.Pending(), meta.TimeStamp()
	}
	if err := feed.Emit(d); err != nil {
		return err
	}
	s.seen++
	if err != nil || !s.ack {
		return nil // no acknowledgement is due for what someone published to the delivery subject
	}
	if err := feed.Flush(); err != nil {
		return err
	}
	if err := answerMessage(ctx, s.client.Conn(), s.client.Timeout(), m.Reply, ""); err != nil {
		return fmt.Errorf("acknowledging message %d of %s: %w", d.StreamSeq, full(d.Stream, d.Consumer), err)
	}
	return nil
}
