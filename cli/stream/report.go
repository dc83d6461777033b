package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
)

type reportOptions struct {
	subject, cluster                   string
	consumers, messages, name, storage bool
	raw, leaders                       bool
	dot, diagram                       string
}

func reportVerb() command.Node {
	return command.Verb[reportOptions]{
		Meta: command.Meta{
			Name: "report", Short: "Compare all streams, their replication and their leaders",
			Long: "Sorted by bytes unless a flag says otherwise. Replicas lists the peers: * leads, ! is not current or offline. --diagram prints a picture of mirrors and sources instead, --dot writes one to a file beside the report.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: report{},
		Examples: []command.Example{
			{Line: "nats stream report", Says: "Stream Report", About: "All streams", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream report --diagram mermaid", Says: "ORDERS -->|mirror| COPY", About: "Who copies from whom, for a document", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "stream add COPY --mirror ORDERS --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *reportOptions) {
			c.Flag("subject", "Only streams whose subjects overlap with this one").StringVar(&o.subject)
			c.Flag("cluster", "Only streams in this cluster").StringVar(&o.cluster)
			c.Flag("consumers", "Sort by consumers").Short('o').UnNegatableBoolVar(&o.consumers)
			c.Flag("messages", "Sort by messages").Short('m').UnNegatableBoolVar(&o.messages)
			c.Flag("name", "Sort by name").Short('n').UnNegatableBoolVar(&o.name)
			c.Flag("storage", "Sort by storage").Short('t').UnNegatableBoolVar(&o.storage)
			c.Flag("raw", "Print exact numbers").Short('r').UnNegatableBoolVar(&o.raw)
			c.Flag("dot", "Write the replication as GraphViz to a file too").PlaceHolder("FILE").StringVar(&o.dot)
			c.Flag("diagram", "Print the replication as a picture: dot, mermaid or svg").PlaceHolder("FORM").EnumVar(&o.diagram, "dot", "mermaid", "svg")
			c.Flag("leaders", "Show how many streams each server leads").Short('l').UnNegatableBoolVar(&o.leaders)
		},
		Check: checkReport,
		Run:   runReport,
	}
}

func checkReport(o *reportOptions) error {
	sorts := 0
	for _, on := range []bool{o.consumers, o.messages, o.name, o.storage} {
		if on {
			sorts++
		}
	}
	if sorts > 1 {
		return fail.Usagef("sort by one of --consumers, --messages, --name and --storage")
	}
	return jscmd.CheckFilter(o.subject)
}

// report is the streams, where they copy from, and who leads them.
type report struct {
	Streams     []reportRow   `json:"streams"`
	Replication []replication `json:"replication"`
	Leaders     []leaderRow   `json:"leaders"`

	Missing []string          `json:"missing"` // known, but nobody who keeps them answers
	Offline map[string]string `json:"offline"` // not running, with the reason

	cover   js.Coverage
	raw     bool
	leaders bool
	diagram string
}

type reportRow struct {
	Name       string         `json:"name"`
	Storage    string         `json:"storage"`
	Placement  *api.Placement `json:"placement,omitempty"`
	Cluster    string         `json:"cluster,omitempty"`
	Consumers  int            `json:"consumers"`
	Messages   uint64         `json:"messages"`
	Bytes      uint64         `json:"bytes"`
	Lost       int            `json:"lost_messages"`
	LostBytes  uint64         `json:"lost_bytes"`
	Deleted    int            `json:"deleted"`
	APILevel   int            `json:"api_level"`
	Leader     string         `json:"leader,omitempty"`
	Peers      []jscmd.Peer   `json:"peers"`
	configured api.StreamConfig
}

// replication is one mirror or source. Active is nanoseconds since it was heard of, -1 for never.
type replication struct {
	Stream     string                       `json:"stream"`
	Kind       string                       `json:"kind"` // Mirror or Source
	APIPrefix  string                       `json:"api_prefix,omitempty"`
	Source     string                       `json:"source"`
	Filter     string                       `json:"filter_subject,omitempty"`
	Transforms []api.SubjectTransformConfig `json:"subject_transforms,omitempty"`
	Active     time.Duration                `json:"active_ns"`
	Lag        uint64                       `json:"lag"`
	Error      string                       `json:"error,omitempty"`
}

type leaderRow struct {
	Server  string `json:"server"`
	Cluster string `json:"cluster"`
	Streams int    `json:"streams"`
}

func newReportRow(s api.StreamInfo) reportRow {
	r := reportRow{
		Name: s.Config.Name, Storage: s.Config.Storage.String(), Placement: s.Config.Placement, Consumers: s.State.Consumers, Messages: s.State.Msgs, Bytes: s.State.Bytes,
		Deleted: s.State.NumDeleted, APILevel: js.LevelOf(s.Config.Metadata), Peers: jscmd.Peers(s.Cluster), configured: s.Config,
	}
	if s.State.Lost != nil {
		r.Lost, r.LostBytes = len(s.State.Lost.Msgs), s.State.Lost.Bytes
	}
	if c := s.Cluster; c != nil && c.Name != "" {
		r.Cluster, r.Leader = c.Name, c.Leader
	}
	return r
}

func (r *report) addReplication(s api.StreamInfo) {
	add := func(kind string, i *api.StreamSourceInfo) {
		e := replication{Stream: s.Config.Name, Kind: kind, Source: i.Name, Filter: i.FilterSubject, Transforms: i.SubjectTransforms, Active: i.Active, Lag: i.Lag}
		if i.External != nil {
			e.APIPrefix = i.External.ApiPrefix
		}
		if i.Error != nil {
			e.Error = i.Error.Error()
		}
		if e.Active < 0 {
			e.Active = -1
		}
		r.Replication = append(r.Replication, e)
	}
	if s.Mirror != nil {
		add("Mirror", s.Mirror)
	}
	for _, i := range s.Sources {
		add("Source", i)
	}
}

func (r report) edges() []js.Edge {
	out := make([]js.Edge, 0, len(r.Replication))
	for _, e := range r.Replication {
		out = append(out, js.Edge{Stream: e.Stream, Source: e.Source, APIPrefix: e.APIPrefix, Mirror: e.Kind == "Mirror"})
	}
	return out
}

// countLeaders groups the streams by the server that leads them.
func (r *report) countLeaders() {
	for _, s := range r.Streams {
		if s.Leader == "" {
			continue
		}
		i := slices.IndexFunc(r.Leaders, func(l leaderRow) bool { return l.Server == s.Leader && l.Cluster == s.Cluster })
		if i < 0 {
			r.Leaders = append(r.Leaders, leaderRow{Server: s.Leader, Cluster: s.Cluster})
			i = len(r.Leaders) - 1
		}
		r.Leaders[i].Streams++
	}
	slices.SortFunc(r.Leaders, func(a, b leaderRow) int {
		return cmp.Or(cmp.Compare(a.Streams, b.Streams), cmp.Compare(a.Server, b.Server))
	})
}

func runReport(ctx context.Context, e *env.Env, o reportOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	r := report{Streams: []reportRow{}, Replication: []replication{}, Leaders: []leaderRow{}, Missing: []string{}, raw: o.raw, leaders: o.leaders, diagram: o.diagram}
	r.cover, err = c.Streams(ctx, o.subject, func(s js.Stream) error {
		if o.cluster != "" && s.Cluster != nil && s.Cluster.Name != o.cluster {
			return nil
		}
		r.Streams = append(r.Streams, newReportRow(s.StreamInfo))
		r.addReplication(s.StreamInfo)
		return nil
	})
	if err != nil {
		return err
	}
	r.Missing, r.Offline = append(r.Missing, r.cover.Missing...), r.cover.Offline
	slices.SortFunc(r.Streams, o.order())
	slices.SortStableFunc(r.Replication, func(a, b replication) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Source, b.Source))
	})
	r.countLeaders()
	if o.dot != "" && len(r.Replication) > 0 {
		if err := e.Files.WriteFile(o.dot, []byte(js.Diagram("dot", r.edges()))); err != nil {
			return fmt.Errorf("diagram %s: %w", o.dot, err)
		}
	}
	if err := e.Out.Print(r); err != nil {
		return err
	}
	return r.cover.Err("streams")
}

func (o reportOptions) order() func(a, b reportRow) int {
	return func(a, b reportRow) int {
		first := cmp.Compare(a.Bytes, b.Bytes)
		switch {
		case o.consumers:
			first = cmp.Compare(a.Consumers, b.Consumers)
		case o.messages:
			first = cmp.Compare(a.Messages, b.Messages)
		case o.name:
			first = 0
		}
		return cmp.Or(first, cmp.Compare(a.Name, b.Name))
	}
}

func placement(p *api.Placement) string {
	if p == nil {
		return ""
	}
	var parts []string
	if p.Cluster != "" {
		parts = append(parts, "cluster: "+p.Cluster)
	}
	if len(p.Tags) > 0 {
		parts = append(parts, "tags: "+strings.Join(p.Tags, ", "))
	}
	return strings.Join(parts, " ")
}

func plainNumber(n uint64) string { return strconv.FormatUint(n, 10) }
