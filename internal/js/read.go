package js

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// Range is the part of a stream to read.
type Range struct {
	Seq    uint64     // the first sequence; 0 is the beginning
	Since  *time.Time // instead of Seq: the first message not older
	Filter string     // subject, wildcards allowed; empty is every subject
	UpTo   uint64     // the last sequence; 0 is the end
	Limit  uint64     // how many messages at most; 0 is all
}

// batchBytes bounds what one direct get may send before the next is asked for.
const batchBytes = 16 << 20

// Read calls each for the messages of a range in order, without a consumer, so that no queue and no acknowledgement is touched:
// by batched direct gets where direct is set and the server takes them, else message by message from the leader. each may return
// ErrStop. The end of the stream is no error.
func (c *Client) Read(ctx context.Context, stream string, r Range, direct bool, each func(*DirectMessage) error) error {
	w := walk{c: c, stream: stream, r: r, each: each}
	if w.r.Seq == 0 && w.r.Since == nil {
		w.r.Seq = 1
	}
	if direct {
		err := w.direct(ctx)
		if !errors.Is(err, ErrNoDirect) || w.count > 0 {
			return w.end(err)
		}
	}
	return w.end(w.single(ctx))
}

type walk struct {
	c      *Client
	stream string
	r      Range
	each   func(*DirectMessage) error
	count  uint64
}

func (w *walk) end(err error) error {
	if errors.Is(err, ErrStop) || errors.Is(err, ErrNoMessages) {
		return nil
	}
	return err
}

// take hands one message on and moves the range behind it.
func (w *walk) take(m *DirectMessage) error {
	if w.r.UpTo > 0 && m.Sequence > w.r.UpTo {
		return ErrStop
	}
	w.count++
	w.r.Seq, w.r.Since = m.Sequence+1, nil
	if err := w.each(m); err != nil {
		return err
	}
	if w.r.Limit > 0 && w.count >= w.r.Limit {
		return ErrStop
	}
	return nil
}

func (w *walk) direct(ctx context.Context) error {
	for {
		batch := uint64(2000)
		if w.r.Limit > 0 {
			batch = min(batch, w.r.Limit-w.count)
		}
		before := w.count
		left := uint64(0)
		err := w.c.Direct(ctx, w.stream, DirectRequest{Seq: w.r.Seq, Since: w.r.Since, NextFor: w.r.Filter, Batch: int(batch), MaxBytes: batchBytes}, func(m *DirectMessage) error {
			left = m.Pending
			return w.take(m)
		})
		switch {
		case err != nil:
			return err
		case left == 0 || w.count == before:
			return nil
		}
	}
}

func (w *walk) single(ctx context.Context) error {
	for {
		m, err := w.c.nextStored(ctx, w.stream, w.r)
		if err != nil {
			return err
		}
		if err := w.take(m); err != nil {
			return err
		}
	}
}

// nextStored reads the first message of the range from the leader.
func (c *Client) nextStored(ctx context.Context, stream string, r Range) (*DirectMessage, error) {
	req := map[string]any{"next_by_subj": r.Filter}
	if r.Filter == "" {
		req["next_by_subj"] = ">"
	}
	if r.Since != nil {
		req["start_time"] = r.Since
	} else {
		req["seq"] = max(r.Seq, 1)
	}
	m, err := c.message(ctx, stream, req)
	if IsCode(err, 10037) {
		return nil, ErrNoMessages
	}
	if err != nil {
		return nil, err
	}
	out := &DirectMessage{Subject: m.Subject, Sequence: m.Sequence, Time: m.Time, Data: m.Data}
	if len(m.Header) > 0 {
		out.Header, err = nats.DecodeHeadersMsg(m.Header)
	}
	return out, err
}
