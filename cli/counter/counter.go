// Package counter is the group of commands about counters: numbers of any size that servers add up.
package counter

import (
	"context"
	"math/big"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

// Command is `nats counter`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "counter", Aliases: []string{"ctr"}, Short: "Count with numbers of any size",
			Long: "Each subject of a stream with allow_msg_counter and allow_direct is a counter. The server adds up, so that many may count at once without losing anything.",
		},
		Nodes: func() []command.Node {
			return []command.Node{getVerb(), viewVerb(), incrementVerb(), decrementVerb(), setVerb(), listVerb(), watchVerb()}
		},
	}
}

// onCounters opens the counters of a stream, or of the one that stores subject, and lets do work.
func onCounters(ctx context.Context, e *env.Env, stream, subject string, do func(context.Context, *store.Counters) error) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		counters, err := c.OpenCounters(ctx, stream, subject)
		if err != nil {
			return err
		}
		return do(ctx, counters)
	})
}

func streamFlag(c *fisk.CmdClause, to *string) {
	c.Flag("stream", "The stream of the counter, where several store its subject").PlaceHolder("STREAM").StringVar(to)
}

// count is one counter as scripts read it. The numbers are JSON numbers of any size.
type count struct {
	Subject   string                         `json:"subject"`
	Stream    string                         `json:"stream"`
	Value     *big.Int                       `json:"value"`
	Increment *big.Int                       `json:"increment"` // the last one; null when the last message has none
	Sequence  uint64                         `json:"seq"`
	Time      time.Time                      `json:"time"`
	Sources   map[string]map[string]*big.Int `json:"sources,omitempty"` // stream, then subject
}

func newCount(c store.Counter) count {
	return count{Subject: c.Subject, Stream: c.Stream, Value: c.Value, Increment: c.Increment, Sequence: c.Sequence, Time: c.Time, Sources: c.Sources}
}

// grouped is a number with a comma between thousands.
func grouped(n *big.Int) string {
	if n == nil {
		return "0"
	}
	digits := new(big.Int).Abs(n).String()
	var b strings.Builder
	if n.Sign() < 0 {
		b.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
