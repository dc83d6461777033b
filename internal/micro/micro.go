// Package micro speaks the discovery protocol of NATS micro services (ADR-32): who is there, what do they offer, what have
// they done. It tolerates what does not answer by the book: such answers are counted and left out.
package micro

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	proto "github.com/nats-io/nats.go/micro"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/snappy"
)

// Info is what an instance says of itself, and Stats what it has done, in the spelling of the protocol.
type (
	Info  = proto.Info
	Stats = proto.Stats
	Ping  = proto.Ping
)

// Quiet is how long after an answer another one is waited for.
const Quiet = 300 * time.Millisecond

// Rule says when gathering ends.
type Rule int

// The rules.
const (
	Adaptive Rule = iota // the first answer within the timeout, then until Quiet has passed without one
	First                // the first answer
	Whole                // the whole timeout
)

// Client asks services. Timeout bounds each question.
type Client struct {
	Conn    *nats.Conn
	Timeout time.Duration
	Quiet   time.Duration // how long after an answer another one is waited for; 0 is the constant of that name
	Clock   clock.Clock
	// Malformed is told of each answer that could not be understood; nil ignores them.
	Malformed func(reason string)
}

// Subject is the subject of a question: the verb, and as far as given the name and the id.
func Subject(verb, name, id string) (string, error) {
	s := "$SRV." + verb
	for _, part := range []string{name, id} {
		if part == "" {
			break
		}
		if err := flagval.CheckSubject(part, false); err != nil || slices.Contains([]byte(part), '.') {
			return "", fail.Usagef("%q is no name or id of a service", part)
		}
		s += "." + part
	}
	return s, nil
}

// Infos gathers what the instances of name (all services when empty) say of themselves, sorted by name and id.
func (c Client) Infos(ctx context.Context, name, id string, rule Rule) ([]Info, error) {
	out, err := gather[Info](ctx, c, "INFO", name, id, proto.InfoResponseType, rule)
	slices.SortFunc(out, func(a, b Info) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out, err
}

// Stats gathers the statistics of the instances of name, sorted by id.
func (c Client) Stats(ctx context.Context, name, id string, rule Rule) ([]Stats, error) {
	out, err := gather[Stats](ctx, c, "STATS", name, id, proto.StatsResponseType, rule)
	slices.SortFunc(out, func(a, b Stats) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out, err
}

// Pings calls each with every instance that answers and the time it took, until the rule or each (false) ends it.
func (c Client) Pings(ctx context.Context, name, id string, rule Rule, each func(p Ping, rtt time.Duration) bool) error {
	return c.ask(ctx, "PING", name, id, rule, nil, func(m *nats.Msg, rtt time.Duration) bool {
		var p Ping
		if c.decode(m, proto.PingResponseType, &p) {
			return each(p, rtt)
		}
		return true
	})
}

func gather[T any](ctx context.Context, c Client, verb, name, id, kind string, rule Rule) ([]T, error) {
	var out []T
	err := c.ask(ctx, verb, name, id, rule, []byte("{}"), func(m *nats.Msg, _ time.Duration) bool {
		var v T
		if c.decode(m, kind, &v) {
			out = append(out, v)
			return rule != First
		}
		return true
	})
	return out, err
}

// ask sends one question and hands out the answers as they come.
func (c Client) ask(ctx context.Context, verb, name, id string, rule Rule, body []byte, each func(*nats.Msg, time.Duration) bool) error {
	subject, err := Subject(verb, name, id)
	if err != nil {
		return err
	}
	answers := make(chan *nats.Msg, 256)
	sub, err := c.Conn.ChanSubscribe(c.Conn.NewInbox(), answers)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	begin := c.Clock.Now()
	q := &nats.Msg{Subject: subject, Reply: sub.Subject, Data: body, Header: nats.Header{snappy.Header: {snappy.Name}}}
	if err := c.Conn.PublishMsg(q); err != nil {
		return err
	}
	end, quiet := c.Clock.After(c.Timeout), (<-chan time.Time)(nil)
	for {
		select {
		case m := <-answers:
			if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
				return nil // no service at all
			}
			if !each(m, c.Clock.Now().Sub(begin)) {
				return nil
			}
			if rule == Adaptive {
				quiet = c.Clock.After(cmp.Or(c.Quiet, Quiet))
			}
		case <-quiet:
			return nil
		case <-end:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// decode reads an answer of the given type; others are reported as malformed.
func (c Client) decode(m *nats.Msg, kind string, into any) bool {
	data, err := snappy.Body(m)
	if err != nil {
		c.malformed("an answer is not compressed as it says: %v", err)
		return false
	}
	var is struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &is); err != nil {
		c.malformed("an answer is no JSON: %v", err)
		return false
	}
	if is.Type != kind {
		c.malformed("an answer is of type %q, not %q", is.Type, kind)
		return false
	}
	if err := json.Unmarshal(data, into); err != nil {
		c.malformed("an answer cannot be read: %v", err)
		return false
	}
	return true
}

func (c Client) malformed(format string, args ...any) {
	if c.Malformed != nil {
		c.Malformed(fmt.Sprintf(format, args...))
	}
}
