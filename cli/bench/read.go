package bench

import (
	"context"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/meter/crew"
)

type readOptions struct {
	consumer  string
	batch     int64
	acks      string
	doubleAck bool
	filters   []string
	filter    string
	purge     bool
}

// filling are the lines before an example that put messages into the default stream.
func filling() []string { return []string{"bench js pub async demo --create --msgs 2000"} }

func consumeVerb(shared *jsCommon) command.Node {
	return durableVerb(shared, "consume", "Receive from a durable consumer by callback",
		"The clients share one durable consumer and --msgs messages. None asks for more at a time than its share, and a run ends as soon as nothing is left for them.")
}

func fetchVerb(shared *jsCommon) command.Node {
	return durableVerb(shared, "fetch", "Receive from a durable consumer in batches",
		"The clients share one durable consumer and --msgs messages. The latency is the time from a fetch to the last message of its batch.")
}

func durableVerb(shared *jsCommon, name, short, long string) command.Node {
	return command.Verb[readOptions]{
		Meta:  command.Meta{Name: name, Short: short, Long: long + "\n\nThe consumer nats-bench is made for the run and removed after it; one of another name has to exist, and stays."},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{{Line: "nats bench js " + name + " --msgs 2000 --clients 2", Says: "aggregated stats", About: "Two clients share 2,000 messages", Needs: filling()}},
		Bind: func(c *fisk.CmdClause, o *readOptions) {
			c.Flag("consumer", "The durable consumer to use").Default("nats-bench").StringVar(&o.consumer)
			bindBatch(c, o)
			c.Flag("acks", "Which messages are acknowledged").Default("explicit").EnumVar(&o.acks, "explicit", "none", "all")
			c.Flag("doubleack", "Wait for the server to confirm each acknowledgement").Default("false").BoolVar(&o.doubleAck)
			bindFilters(c, o)
		},
		Check: func(*readOptions) error { return shared.check() },
		Run: func(ctx context.Context, e *env.Env, o readOptions) error {
			return runRead(ctx, e, *shared, "js "+name, o)
		},
	}
}

func orderedVerb(shared *jsCommon) command.Node {
	return command.Verb[readOptions]{
		Meta: command.Meta{Name: "ordered", Short: "Receive from ordered consumers",
			Long: "Each client has an ordered consumer of its own and receives --msgs messages, from the first of the stream on."},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{{Line: "nats bench js ordered --msgs 2000", Says: "ordered ephemeral consumer stats", About: "Read 2,000 messages", Needs: filling()}},
		Bind: func(c *fisk.CmdClause, o *readOptions) {
			bindBatch(c, o)
			bindFilters(c, o)
		},
		Check: func(*readOptions) error { return shared.check() },
		Run: func(ctx context.Context, e *env.Env, o readOptions) error {
			return runRead(ctx, e, *shared, "js ordered", o)
		},
	}
}

func jsGetGroup(shared *jsCommon) command.Node {
	return command.Group{
		Meta: command.Meta{Name: "get", Short: "Read messages without a consumer"},
		Nodes: func() []command.Node {
			return []command.Node{getVerb(shared, "sync"), getVerb(shared, "batch")}
		},
	}
}

func getVerb(shared *jsCommon, mode string) command.Node {
	m := command.Meta{Name: "sync", Short: "Get one message after the other by its sequence", Long: "Each client gets --msgs messages from the first of the stream on."}
	if mode == "batch" {
		m = command.Meta{Name: "batch", Short: "Get messages in batches with direct gets", Long: "Each client gets --msgs messages from the first of the stream on. The rate and the latencies count to the last message of a batch."}
	}
	return command.Verb[readOptions]{
		Meta: m, Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{{Line: "nats bench js get " + mode + " --msgs 500", Says: "getter stats", About: m.Short, Needs: filling()}},
		Bind: func(c *fisk.CmdClause, o *readOptions) {
			if mode == "batch" {
				bindBatch(c, o)
				c.Flag("filter", "Only messages of this subject").Default(">").StringVar(&o.filter)
			}
		},
		Check: func(o *readOptions) error {
			if err := shared.check(); err != nil {
				return err
			}
			if o.filter == "" {
				return nil
			}
			return subscribable(o.filter)
		},
		Run: func(ctx context.Context, e *env.Env, o readOptions) error {
			if o.filter != "" {
				o.filters = []string{o.filter}
			}
			return runRead(ctx, e, *shared, "js get "+mode, o)
		},
	}
}

func bindBatch(c *fisk.CmdClause, o *readOptions) {
	c.Flag("batch", "How many messages a client asks for at a time").Default("500").SetValue(flagval.NewInt64(&o.batch).Min(1))
}

func bindFilters(c *fisk.CmdClause, o *readOptions) {
	flagval.SubjectsVar(c.Flag("filter", "Only messages of these subjects").PlaceHolder("SUBJECTS"), &o.filters)
	c.Flag("purge", "Remove what the stream holds before the run, to receive what is published from then on").UnNegatableBoolVar(&o.purge)
}

func runRead(ctx context.Context, e *env.Env, shared jsCommon, kind string, o readOptions) error {
	shared.engine = crew.NatsGo
	s := shared.spec(kind)
	s.Stream = crew.Stream{Name: shared.stream, Consumer: o.consumer, Batch: int(o.batch), Acks: o.acks, DoubleAck: o.doubleAck, Filters: o.filters, Purge: o.purge}
	args := base(s)
	args["sleep"], args["stream"] = shared.sleep, shared.stream
	if o.batch > 0 {
		args["batch"] = count(o.batch)
	}
	if o.consumer != "" {
		args["acks"], args["consumer"], args["double-acked"] = o.acks, o.consumer, o.doubleAck
	}
	if !strings.HasPrefix(kind, "js get") {
		args["purge"] = o.purge
	}
	if len(o.filters) > 0 {
		args["filter"] = strings.Join(o.filters, ",")
	}
	return execute(ctx, e, shared.common, s, args)
}
