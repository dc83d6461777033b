package bench

import (
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/meter/crew"
)

// jsCommon are the options of all benchmarks on a stream.
type jsCommon struct {
	common
	stream string
}

func jsGroup() command.Node {
	o := &jsCommon{}
	return command.Group{
		Meta: command.Meta{Name: "js", Short: "Measure streams and their consumers"},
		Bind: func(c *fisk.CmdClause) {
			c.Tag("scope:user", "impact:rw")
			o.bind(c)
			o.bindSleep(c)
			c.Flag("stream", "The stream to use").Default("benchstream").StringVar(&o.stream)
		},
		Nodes: func() []command.Node {
			return []command.Node{jsPubGroup(o), orderedVerb(o), consumeVerb(o), fetchVerb(o), jsGetGroup(o)}
		},
	}
}

func jsPubGroup(o *jsCommon) command.Node {
	return command.Group{
		Meta: command.Meta{Name: "pub", Short: "Publish to a stream"},
		Nodes: func() []command.Node {
			return []command.Node{storeVerb(o, "sync"), storeVerb(o, "async"), storeVerb(o, "atomic"), storeVerb(o, "fast")}
		},
	}
}

// creation are the options of the stream that a benchmark makes for itself.
type creation struct {
	create      bool
	storage     string
	replicas    int64
	maxBytes    int64
	dedup       bool
	dedupWindow time.Duration
	purge       bool
	async       bool
	cleanup     bool
}

func (o *creation) bind(c *fisk.CmdClause) {
	c.Flag("create", "Create the stream, or use one with the same settings").UnNegatableBoolVar(&o.create)
	c.Flag("storage", "Where a created stream stores: file or memory").Default("file").EnumVar(&o.storage, "memory", "file")
	c.Flag("replicas", "How many servers store it").Default("1").SetValue(flagval.NewInt64(&o.replicas).Min(1).Max(5))
	flagval.BytesVar(c.Flag("maxbytes", "How many bytes it holds").Default("1GB"), &o.maxBytes)
	c.Flag("dedup", "Give each message an id, so that the stream looks for duplicates").Default("false").UnNegatableBoolVar(&o.dedup)
	flagval.DurationVar(c.Flag("dedupwindow", "How long it remembers ids").Default("2m"), &o.dedupWindow)
	c.Flag("purge", "Remove what the stream holds before the run").UnNegatableBoolVar(&o.purge)
	c.Flag("persistasync", "Let a created stream write to its disk later than it acknowledges").UnNegatableBoolVar(&o.async)
	c.Flag("cleanup", "Delete the stream afterwards if this run created it").UnNegatableBoolVar(&o.cleanup)
}

func (o *creation) spec(name string) crew.Stream {
	return crew.Stream{Name: name, Create: o.create, Storage: o.storage, Replicas: int(o.replicas), MaxBytes: o.maxBytes, Dedup: o.dedup,
		DedupWindow: o.dedupWindow, Purge: o.purge, PersistAsync: o.async, Cleanup: o.cleanup}
}

// describe adds what a banner says of the stream.
func (o *creation) describe(args settings) {
	args["purge"] = o.purge
	if o.create {
		args["dedup-window"], args["deduplication"], args["max-bytes"] = o.dedupWindow, o.dedup, size(o.maxBytes)
		args["replicas"], args["storage"] = o.replicas, o.storage
	}
}
