// Package streamcmd is the flags that select streams by what they are and hold.
package streamcmd

import (
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
)

// Flags are the conditions that select streams, as flags.
type Flags struct {
	js.Query
	idle      time.Duration
	created   time.Duration
	consumers int64
	idleSet   bool
	oldSet    bool
}

// Bind declares the flags of the conditions.
func (f *Flags) Bind(c *fisk.CmdClause) {
	c.Flag("server-name", "On a server whose name matches a regular expression").StringVar(&f.Server)
	c.Flag("cluster", "In a cluster whose name matches a regular expression").StringVar(&f.Cluster)
	c.Flag("empty", "Without messages").UnNegatableBoolVar(&f.Empty)
	c.Flag("idle", "Without a new message for longer than this").PlaceHolder("DURATION").IsSetByUser(&f.idleSet).SetValue(flagval.NewDuration(&f.idle).Min(0))
	c.Flag("created", "Older than this").PlaceHolder("DURATION").IsSetByUser(&f.oldSet).SetValue(flagval.NewDuration(&f.created).Min(0))
	c.Flag("consumers", "With this many consumers or fewer").Default("-1").PlaceHolder("THRESHOLD").SetValue(flagval.NewInt64(&f.consumers).Min(-1))
	c.Flag("subject", "With a subject that lies within this one").StringVar(&f.Subject)
	c.Flag("replicas", "With this many replicas or fewer").PlaceHolder("REPLICAS").SetValue(flagval.NewInt64(&f.Replicas).Min(0))
	c.Flag("sourced", "That have sources").UnNegatableBoolVar(&f.Sourced)
	c.Flag("mirrored", "That are mirrors").UnNegatableBoolVar(&f.Mirrored)
	c.Flag("leader", "Led by this server").PlaceHolder("SERVER").StringVar(&f.Leader)
	c.Flag("invert", "Turn each condition round, but not the expression").BoolVar(&f.Invert)
	c.Flag("expression", "For which an expression over config, state and info is true").StringVar(&f.Expression)
}

// Conditions are the conditions that were given.
func (f *Flags) Conditions() js.Query {
	q := f.Query
	if f.idleSet {
		q.Idle = &f.idle
	}
	if f.oldSet {
		q.Created = &f.created
	}
	if f.consumers >= 0 {
		q.Consumers = &f.consumers
	}
	return q
}

// Check refuses regular expressions and expressions that do not compile.
func (f *Flags) Check() error {
	_, err := f.Conditions().Compile(time.Time{})
	if err == nil {
		err = jscmd.CheckFilter(f.Subject)
	}
	return err
}

// On declares the conditions on a command and returns what reads and checks them.
func On(c *fisk.CmdClause) func() (js.Query, error) {
	f := &Flags{}
	f.Bind(c)
	return func() (js.Query, error) { return f.Conditions(), f.Check() }
}
