package sub

import (
	"bytes"
	"context"
	"time"

	"github.com/natskit/natskit/internal/wire"
)

// matcher holds requests until their replies come.
type matcher struct {
	timeout time.Duration
	byReply map[string]*message
	order   []*message // by age; those that are answered stand in it until their turn
	taken   uint64     // requests that count, held or shown
}

func newMatcher(timeout time.Duration) *matcher {
	return &matcher{timeout: timeout, byReply: map[string]*message{}}
}

// matched takes a message in the mode that shows requests with their replies.
func (c *core) matched(ctx context.Context, w *wire.Msg) error {
	if w.Sid == c.replies {
		if request := c.matcher.byReply[string(w.Subject)]; request != nil {
			return c.answered(ctx, request, w)
		}
		return nil
	}
	full := c.o.count > 0 && c.matcher.taken >= c.o.count
	inbox := bytes.HasPrefix(w.Subject, []byte(c.prefix+".")) // comes by the other subscription
	if full || inbox || c.ignored(w.Subject) {
		return nil
	}
	c.matcher.taken++
	m := &c.msg
	c.fill(m, w)
	if len(w.Reply) == 0 {
		return c.show(ctx, m, w.Sid)
	}
	held := m.clone()
	m.lost = 0
	c.matcher.byReply[string(held.reply)] = held
	c.matcher.order = append(c.matcher.order, held)
	return nil
}

func (c *core) answered(ctx context.Context, request *message, w *wire.Msg) error {
	delete(c.matcher.byReply, string(request.reply))
	answer := &message{style: &c.style}
	c.fill(answer, w)
	answer.number = c.shown + 1
	request.answer = answer
	return c.show(ctx, request, 1)
}

// overdue shows the requests that got no reply in time.
func (c *core) overdue(ctx context.Context, now time.Time) error {
	for len(c.matcher.order) > 0 {
		m := c.matcher.order[0]
		if m.answer == nil && now.Sub(m.at) < c.matcher.timeout {
			return nil
		}
		c.matcher.order = c.matcher.order[1:]
		if m.answer == nil {
			if err := c.unanswered(ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *core) unanswered(ctx context.Context, m *message) error {
	delete(c.matcher.byReply, string(m.reply))
	m.no = true
	return c.show(ctx, m, 1)
}

// leftover shows the requests that still wait for a reply at the end.
func (c *core) leftover(ctx context.Context) error {
	for _, m := range c.matcher.order {
		if m.answer != nil {
			continue
		}
		if err := c.unanswered(ctx, m); err != nil && err != wire.ErrStop {
			return err
		}
	}
	c.matcher.order = nil
	return nil
}
