package consumer

import (
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/flagval"
)

// queryFlags are the conditions that select consumers, as flags.
type queryFlags struct {
	consumers.Query
	idle, created   time.Duration
	idleSet, oldSet bool
}

// bind declares the flags of the conditions.
func (f *queryFlags) bind(c *fisk.CmdClause) {
	count := func(name, help string, to *int64) {
		c.Flag(name, help).SetValue(flagval.NewInt64(to).Min(0))
	}
	c.Flag("pull", "Pull consumers").UnNegatableBoolVar(&f.Pull)
	c.Flag("push", "Push consumers").UnNegatableBoolVar(&f.Push)
	c.Flag("bound", "With receivers: bound push consumers, pull consumers with waiting pulls").UnNegatableBoolVar(&f.Bound)
	count("waiting", "With some waiting pulls, but fewer than this", &f.Waiting)
	count("ack-pending", "With some unacknowledged messages, but fewer than this", &f.AckPending)
	count("pending", "With some unprocessed messages, but fewer than this", &f.Pending)
	c.Flag("idle", "Without a delivery for longer than this").IsSetByUser(&f.idleSet).SetValue(flagval.NewDuration(&f.idle).Min(0))
	c.Flag("created", "Older than this").PlaceHolder("DURATION").IsSetByUser(&f.oldSet).SetValue(flagval.NewDuration(&f.created).Min(0))
	c.Flag("replicas", "With this many replicas or fewer").PlaceHolder("REPLICAS").SetValue(flagval.NewInt64(&f.Replicas).Min(0))
	c.Flag("leader", "Led by this server").PlaceHolder("SERVER").StringVar(&f.Leader)
	c.Flag("pinned", "With a pinned client in every priority group").UnNegatableBoolVar(&f.Pinned)
	c.Flag("invert", "Turn each condition round, but not the expression").BoolVar(&f.Invert)
	c.Flag("expression", "For which an expression over config, state and info is true").StringVar(&f.Expression)
}

// conditions are the conditions that were given.
func (f *queryFlags) conditions() consumers.Query {
	q := f.Query
	if f.idleSet {
		q.Idle = &f.idle
	}
	if f.oldSet {
		q.Created = &f.created
	}
	return q
}
