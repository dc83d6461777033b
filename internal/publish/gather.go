package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
)

// Rule says when the replies to a request are complete.
type Rule struct {
	Replies    int           // so many; 0 is all that come within Timeout
	UntilEmpty bool          // or until one without a body comes; with Replies above 1 that ends the gathering too
	Timeout    time.Duration // for the first reply; for all of them when Replies is 0 and UntilEmpty is not set
	Between    time.Duration // for each further one, on top of the mean round trip so far
}

// Stop is what ended the gathering of replies.
type Stop string

// The reasons to end.
const (
	Complete Stop = "complete" // as many as were asked for
	Empty    Stop = "empty"    // a reply without a body
	Silence  Stop = "silence"  // no further reply in time
	Deadline Stop = "deadline" // the time for all replies is over
)

// Reply is one answer to a request. RTT is the time from sending the request to its arrival.
type Reply struct {
	*nats.Msg
	RTT time.Duration
}

// Gather sends m, whose Reply it sets, and calls each for every reply until the rule is met, and says what ended it and how
// many there were. Without any reply the error is nats.ErrNoResponders or nats.ErrTimeout; an error of each ends the gathering.
func Gather(ctx context.Context, nc *nats.Conn, c clock.Clock, m *nats.Msg, rule Rule, each func(Reply) error) (Stop, int, error) {
	m.Reply = nc.NewInbox()
	sub, err := nc.SubscribeSync(m.Reply)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	_ = sub.SetPendingLimits(-1, -1) // none is dropped while others are shown
	sent := c.Now()
	if err := nc.PublishMsg(m); err != nil {
		return "", 0, err
	}
	var total time.Duration
	for n := 0; ; {
		wait, why := rule.wait(n, total, c.Now().Sub(sent))
		msg, err := next(ctx, sub, wait)
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && n == 0:
			return why, 0, nats.ErrTimeout
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return why, n, nil
		case ctx.Err() != nil:
			return "", n, context.Cause(ctx)
		case err != nil:
			return "", n, fmt.Errorf("waiting for a reply: %w", err)
		case len(msg.Data) == 0 && msg.Header.Get("Status") == "503":
			return "", n, nats.ErrNoResponders
		}
		n++
		rtt := c.Now().Sub(sent)
		total += rtt
		if err := each(Reply{msg, rtt}); err != nil {
			return "", n, err
		}
		switch {
		case rule.Replies > 0 && n == rule.Replies:
			return Complete, n, nil
		case len(msg.Data) == 0 && (rule.UntilEmpty || rule.Replies > 1):
			return Empty, n, nil
		}
	}
}

// wait is how long the next reply may take, and what it means when it does not come.
func (r Rule) wait(n int, total, since time.Duration) (time.Duration, Stop) {
	switch {
	case r.Replies == 0 && !r.UntilEmpty:
		return r.Timeout - since, Deadline
	case n == 0:
		return r.Timeout - since, Silence
	}
	return total/time.Duration(n) + r.Between, Silence
}

func next(ctx context.Context, sub *nats.Subscription, wait time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}
