package consumers

import (
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
)

// Query selects consumers. All conditions that are set must hold.
type Query struct {
	Pull, Push bool
	Bound      bool           // a push consumer with interest, or a pull consumer with waiting pulls
	Waiting    int64          // some waiting pulls, but fewer than that; 0 is no condition
	AckPending int64          // some unacknowledged messages, but fewer than that
	Pending    int64          // some unprocessed messages, but fewer than that
	Idle       *time.Duration // nothing delivered for that long, or never
	Created    *time.Duration // that old or older
	Replicas   int64          // that many or fewer
	Leader     string         // exact server name
	Pinned     bool           // every priority group has a pinned client
	APILevel   int64          // requires that level or more
	Invert     bool           // turns each condition round, but not the expression
	Expression string         // a boolean over config, state, info and Info
}

// Check refuses conditions that exclude each other and expressions that do not compile.
func (q Query) Check() error {
	if q.Pull && q.Push {
		return fail.Usagef("--pull and --push exclude each other")
	}
	_, err := js.CompileExpression(q.Expression)
	return err
}

// Compile makes a function of the query that tells whether a consumer is selected, as of now.
func (q Query) Compile(now time.Time) (func(Consumer) (bool, error), error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	expression, err := js.CompileExpression(q.Expression)
	if err != nil {
		return nil, err
	}
	tests := q.tests(now)
	return func(c Consumer) (bool, error) {
		for _, t := range tests {
			if !t(c) {
				return false, nil
			}
		}
		return expression.Test("consumer "+c.Name, c.ConsumerInfo)
	}, nil
}

func (q Query) tests(now time.Time) []func(Consumer) bool {
	var out []func(Consumer) bool
	add := func(on bool, t func(Consumer) bool) {
		if on {
			out = append(out, func(c Consumer) bool { return t(c) != q.Invert })
		}
	}
	// Counters turned round ask for more, not for "none or more".
	count := func(limit int64, of func(Consumer) uint64) {
		if limit <= 0 {
			return
		}
		out = append(out, func(c Consumer) bool {
			n := of(c)
			if q.Invert {
				return n > uint64(limit)
			}
			return n > 0 && n < uint64(limit)
		})
	}
	add(q.Pull, Consumer.IsPull)
	add(q.Push, func(c Consumer) bool { return !c.IsPull() })
	add(q.Bound, func(c Consumer) bool { return c.PushBound || c.NumWaiting > 0 })
	count(q.Waiting, func(c Consumer) uint64 { return uint64(c.NumWaiting) })
	count(q.AckPending, func(c Consumer) uint64 { return uint64(c.NumAckPending) })
	count(q.Pending, func(c Consumer) uint64 { return c.NumPending })
	add(q.Idle != nil, func(c Consumer) bool {
		return c.Delivered.Last == nil || now.Sub(*c.Delivered.Last) > *q.Idle
	})
	add(q.Created != nil, func(c Consumer) bool { return now.Sub(c.Created) >= *q.Created })
	add(q.Replicas > 0, func(c Consumer) bool { return int64(c.ConsumerInfo.Config.Replicas) <= q.Replicas })
	add(q.Leader != "", func(c Consumer) bool { return c.Cluster != nil && c.Cluster.Leader == q.Leader })
	add(q.Pinned, pinned)
	add(q.APILevel > 0, func(c Consumer) bool { return int64(js.LevelOf(c.ConsumerInfo.Config.Metadata)) >= q.APILevel })
	return out
}

func pinned(c Consumer) bool {
	if c.ConsumerInfo.Config.PriorityPolicy != api.PriorityPinnedClient {
		return false
	}
	n := 0
	for _, g := range c.PriorityGroups {
		if g.PinnedClientID != "" {
			n++
		}
	}
	return n == len(c.ConsumerInfo.Config.PriorityGroups)
}
