package js

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js/follow"
	"github.com/natskit/natskit/internal/wire"
)

// smallScan is the number of messages up to which asking for them costs less than making a consumer.
const smallScan = 1000

// Scan calls each for the messages of a range in order, as fast as the server gives them: by a consumer, on a connection of its own,
// where that changes nothing, which is several times faster than gets; by gets for a few messages, for streams whose messages go
// when they are consumed, and where no consumer or connection can be had. The end is the last message at the time of the call. each
// may return ErrStop. The message and its data are valid until each returns; Clone makes one that stays.
func (c *Client) Scan(ctx context.Context, s Stream, r Range, each func(*DirectMessage) error) error {
	if s.State.Msgs == 0 || r.Seq > s.State.LastSeq {
		return nil
	}
	if r.UpTo == 0 || r.UpTo > s.State.LastSeq {
		r.UpTo = s.State.LastSeq
	}
	cfg := s.StreamInfo.Config
	if cfg.Retention == api.LimitsPolicy && (r.Limit == 0 || r.Limit > smallScan) {
		err := c.follow(ctx, s, r, each)
		var none *unreadable
		switch {
		case !errors.As(err, &none):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case fail.CodeOf(none.err) == fail.NotFound:
			return none.err
		}
	}
	return c.Read(ctx, cfg.Name, r, cfg.AllowDirect, each)
}

// unreadable is why a scan by a consumer has not begun.
type unreadable struct{ err error }

func (u *unreadable) Error() string { return u.err.Error() }

// follow reads a range by a consumer.
func (c *Client) follow(ctx context.Context, s Stream, r Range, each func(*DirectMessage) error) error {
	cfg := follow.Config{
		JS: c.js, Prefix: c.prefix, Timeout: c.timeout,
		Stream: s.StreamInfo.Config.Name, Created: s.Created, Keep: s.StreamInfo.Config.ConsumerLimits.InactiveThreshold,
		UpTo: r.UpTo, Limit: r.Limit,
	}
	if r.Filter != "" {
		cfg.Filters = []string{r.Filter}
	}
	switch {
	case r.Since != nil:
		cfg.From = follow.Start{Policy: jetstream.DeliverByStartTimePolicy, Time: r.Since}
	case r.Seq > 1:
		cfg.From = follow.Start{Policy: jetstream.DeliverByStartSequencePolicy, Seq: r.Seq}
	}
	ctx, release := c.guard.hold(ctx, c.prefix+"CONSUMER.CREATE."+cfg.Stream)
	defer release()
	reader, err := follow.Open(ctx, cfg)
	if err != nil {
		return &unreadable{err}
	}
	var m DirectMessage
	err = reader.Run(ctx, follow.Sink{
		Each: func(w *follow.Msg) error {
			if m.Subject != string(w.Subject) {
				m.Subject = string(w.Subject)
			}
			m.Sequence, m.Pending, m.Time, m.Data = w.Sequence, w.Pending, w.Time, w.Data
			var err error
			if m.Header, err = wire.ParseHeader(w.Header); err != nil {
				return fmt.Errorf("headers of message %d: %w", m.Sequence, err)
			}
			return each(&m)
		},
		End: func() error { return ErrStop },
	})
	var failed *follow.ConnectError
	if errors.As(err, &failed) {
		return &unreadable{err}
	}
	return err
}
