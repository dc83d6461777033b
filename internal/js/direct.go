package js

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js/follow"
	"github.com/natskit/natskit/internal/jsconf"
)

// ErrNoMessages says that no message matches.
var ErrNoMessages = errors.New("no messages")

// ErrNoDirect says that the stream does not take direct gets, or its server no batches of them (before 2.11).
var ErrNoDirect = follow.ErrNoDirect

// DirectRequest asks for messages without the stream's leader and without a consumer. Either a range (Seq or Since, filtered by
// NextFor, up to Batch messages and MaxBytes bytes) or the last message of each subject in LastFor.
type DirectRequest = follow.DirectRequest

// DirectMessage is a message read by a direct get. Header holds the sender's headers alone. Pending is how many further messages
// match the request.
type DirectMessage struct {
	Subject  string
	Sequence uint64
	Time     time.Time
	Header   nats.Header
	Data     []byte
	Pending  uint64
}

// Clone is a copy that shares nothing which changes.
func (m *DirectMessage) Clone() *DirectMessage {
	c := *m
	c.Data = bytes.Clone(m.Data)
	return &c
}

// Direct reads one batch and calls each for every message as it arrives. It returns ErrNoMessages when none matches and
// ErrNoDirect when the stream or its server cannot do this. The wait between two messages is bounded by the client's timeout, the
// whole by ctx.
func (c *Client) Direct(ctx context.Context, stream string, req DirectRequest, each func(*DirectMessage) error) error {
	if err := jsconf.CheckName("stream", stream); err != nil {
		return err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	inbox := c.nc.NewRespInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	subject := c.prefix + "DIRECT.GET." + stream
	ctx, release := c.guard.hold(ctx, subject)
	defer release()
	if c.trace != nil && c.trace.RequestSent != nil {
		c.trace.RequestSent(subject, body)
	}
	if err := c.nc.PublishRequest(subject, inbox, body); err != nil {
		return err
	}
	for n := 0; ; n++ {
		msg, err := c.nextDirect(ctx, sub)
		if err != nil {
			return c.directError(ctx, subject, err)
		}
		m, end, err := directMessage(msg)
		switch {
		case err != nil:
			return fmt.Errorf("stream %s: %w", stream, err)
		case end:
			return nil
		}
		if err := each(m); err != nil {
			return err
		}
	}
}

func (c *Client) nextDirect(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	idle, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return sub.NextMsgWithContext(idle)
}

func (c *Client) directError(ctx context.Context, subject string, err error) error {
	switch {
	case violationOf(ctx) != nil:
		return violationOf(ctx)
	case errors.Is(err, nats.ErrNoResponders):
		return ErrNoDirect
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return fail.Hint(fmt.Errorf("no answer to %s in time: %w", subject, nats.ErrTimeout), "raise --timeout if the server is slow")
	}
	return err
}

// directMessage reads a response; end is true for the one that closes the batch.
func directMessage(msg *nats.Msg) (m *DirectMessage, end bool, err error) {
	if status := msg.Header.Get("Status"); status != "" && len(msg.Data) == 0 {
		switch status {
		case "204":
			return nil, true, nil
		case "404":
			return nil, false, ErrNoMessages
		case "503":
			return nil, false, ErrNoDirect
		}
		return nil, false, fmt.Errorf("direct get: %s (%s)", msg.Header.Get("Description"), status)
	}
	pending, ok := msg.Header["Nats-Num-Pending"]
	if !ok || len(pending) == 0 {
		return nil, false, ErrNoDirect
	}
	m = &DirectMessage{Subject: msg.Header.Get("Nats-Subject"), Data: msg.Data, Header: msg.Header}
	if m.Pending, err = strconv.ParseUint(pending[0], 10, 64); err != nil {
		return nil, false, fmt.Errorf("direct get: pending count: %w", err)
	}
	if m.Sequence, err = strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64); err != nil {
		return nil, false, fmt.Errorf("direct get: sequence: %w", err)
	}
	if m.Time, err = time.Parse(time.RFC3339Nano, msg.Header.Get("Nats-Time-Stamp")); err != nil {
		return nil, false, fmt.Errorf("direct get: time: %w", err)
	}
	for _, k := range []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence", "Nats-UpTo-Sequence"} {
		delete(m.Header, k)
	}
	return m, false, nil
}
