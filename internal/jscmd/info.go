package jscmd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/render"
)

// StreamScreen shows a stream; its JSON is the server's info document.
type StreamScreen struct {
	js.Stream
	Done      string // what was done to it, said first
	StateOnly bool
}

// JSON is the document of the server, whole.
func (i StreamScreen) JSON() any { return i.Stream }

// View draws the sections that apply.
func (i StreamScreen) View(p *render.Page) {
	s := i.StreamInfo
	if i.Done != "" {
		p.Line("%s", i.Done)
		p.Gap()
	}
	if i.StateOnly {
		p.Heading("State for Stream %s created %s", s.Config.Name, render.At(s.Created))
		viewState(p, s)
		return
	}
	p.Heading("Information for Stream %s created %s", s.Config.Name, render.At(s.Created))
	viewConfig(p, s.Config)
	viewReplication(p, s.Config)
	viewCluster(p, s.Cluster, s.Config)
	viewSourceInfo(p, s)
	viewState(p, s)
}

func viewConfig(p *render.Page, c api.StreamConfig) {
	p.FieldIf(c.Description != "", "Description", c.Description)
	p.FieldIf(len(c.Subjects) > 0, "Subjects", c.Subjects)
	p.Field("Replicas", c.Replicas)
	p.FieldIf(c.Sealed, "Sealed", c.Sealed)
	p.Field("Storage", c.Storage.String())
	p.FieldIf(c.Compression != api.NoCompression, "Compression", c.Compression.String())
	p.FieldIf(c.PersistMode != api.DefaultPersistMode, "Persistence Mode", c.PersistMode.String())
	p.FieldIf(c.FirstSeq > 0, "First Sequence", render.Count(c.FirstSeq))
	if c.Placement != nil {
		p.FieldIf(c.Placement.Cluster != "", "Placement Cluster", c.Placement.Cluster)
		p.FieldIf(len(c.Placement.Tags) > 0, "Placement Tags", c.Placement.Tags)
		p.FieldIf(c.Placement.Preferred != "", "Preferred", c.Placement.Preferred)
	}
	viewFeatures(p, c)
	viewLimits(p, c)
	ViewMetadata(p, c.Metadata)
}

func viewFeatures(p *render.Page, c api.StreamConfig) {
	p.Section("Options")
	if t := c.SubjectTransform; t != nil {
		p.Field("Subject Transform", transform(t.Source, t.Destination))
	}
	if r := c.RePublish; r != nil {
		label := "Republishing"
		if r.HeadersOnly {
			label = "Republishing Headers"
		}
		p.Field(label, transform(r.Source, r.Destination))
	}
	p.Field("Retention", c.Retention.String())
	p.Field("Acknowledgments", !c.NoAck)
	discard := c.Discard.String()
	if c.Discard == api.DiscardNew && c.DiscardNewPer {
		discard = "New Per Subject"
	}
	p.Field("Discard Policy", discard)
	p.Field("Duplicate Window", render.Span(c.Duplicates))
	p.FieldIf(c.AllowDirect, "Direct Get", c.AllowDirect)
	p.FieldIf(c.MirrorDirect, "Mirror Direct Get", c.MirrorDirect)
	p.Field("Allows Atomic Batch Publish", c.AllowAtomicPublish)
	p.Field("Allows Fast Batch Publish", c.AllowBatchPublish)
	p.Field("Allows Counters", c.AllowMsgCounter)
	p.Field("Allows Msg Delete", !c.DenyDelete)
	p.Field("Allows Per-Message TTL", c.AllowMsgTTL)
	p.Field("Allows Purge", !c.DenyPurge)
	p.Field("Allows Schedules", c.AllowMsgSchedules)
	p.FieldIf(c.AllowMsgTTL && c.SubjectDeleteMarkerTTL > 0, "Subject Delete Markers TTL", render.Span(c.SubjectDeleteMarkerTTL))
	p.Field("Allows Rollups", c.RollupAllowed)
}

func viewLimits(p *render.Page, c api.StreamConfig) {
	p.Section("Limits")
	p.Field("Maximum Messages", render.Limit(c.MaxMsgs))
	p.Field("Maximum Per Subject", render.Limit(noLimit(c.MaxMsgsPer)))
	p.Field("Maximum Bytes", render.BytesLimit(c.MaxBytes))
	p.Field("Maximum Age", render.SpanLimit(c.MaxAge))
	p.Field("Maximum Message Size", render.BytesLimit(noLimit(int64(c.MaxMsgSize))))
	p.Field("Maximum Consumers", render.Limit(c.MaxConsumers))
	p.FieldIf(c.ConsumerLimits.InactiveThreshold > 0, "Consumer Inactive Threshold", render.SpanLimit(c.ConsumerLimits.InactiveThreshold))
	p.FieldIf(c.ConsumerLimits.MaxAckPending > 0, "Consumer Max Ack Pending", render.Limit(c.ConsumerLimits.MaxAckPending))
}

// noLimit is -1 for what is not positive.
func noLimit(n int64) int64 {
	if n <= 0 {
		return -1
	}
	return n
}

func transform(from, to string) render.Cell {
	return render.Sprintf("%s to %s", render.Subject(from), render.Subject(to))
}

func viewReplication(p *render.Page, c api.StreamConfig) {
	if c.Mirror == nil && len(c.Sources) == 0 {
		return
	}
	p.Section("Replication")
	if c.Mirror != nil {
		p.Field("Mirror", origin(c.Mirror))
	}
	if len(c.Sources) > 0 {
		lines := make(render.Lines, 0, len(c.Sources))
		for _, s := range c.Sources {
			lines = append(lines, origin(s))
		}
		slices.Sort(lines)
		p.Field("Sources", lines)
	}
}

// origin is where a mirror or a source copies from, in one line.
func origin(s *api.StreamSource) string {
	parts := []string{s.Name}
	if s.OptStartSeq > 0 {
		parts = append(parts, fmt.Sprintf("Start Seq: %d", s.OptStartSeq))
	}
	if s.OptStartTime != nil {
		parts = append(parts, "Start Time: "+s.OptStartTime.Format(time.RFC3339))
	}
	if s.External != nil {
		if s.External.ApiPrefix != "" {
			parts = append(parts, "API Prefix: "+s.External.ApiPrefix)
		}
		if s.External.DeliverPrefix != "" {
			parts = append(parts, "Delivery Prefix: "+s.External.DeliverPrefix)
		}
	}
	if s.Consumer != nil {
		parts = append(parts, fmt.Sprintf("Consumer Name: %s (%s)", s.Consumer.Name, s.Consumer.DeliverSubject))
	}
	return strings.Join(parts, ", ")
}

func viewCluster(p *render.Page, c *api.ClusterInfo, cfg api.StreamConfig) {
	if c == nil || c.Name == "" {
		return
	}
	p.Section("Cluster Information")
	p.Field("Name", c.Name)
	switch {
	case c.SystemAcc:
		p.Field("Cluster Traffic Account", "System Account")
	case c.TrafficAcc != "":
		p.Field("Cluster Traffic Account", c.TrafficAcc)
	}
	p.FieldIf(c.RaftGroup != "", "Cluster Group", c.RaftGroup)
	ViewPeers(p, c)
	ViewMigration(p, c.Desired, func(d *api.DesiredClusterInfo) {
		p.FieldIf(d.Name != "" && d.Name != c.Name, "Cluster", c.Name+" -> "+d.Name)
		if d.Origin != nil {
			viewOriginal(p, d.Origin, cfg)
		}
	})
}

// viewOriginal shows what the configuration was and what it is to be.
func viewOriginal(p *render.Page, o *api.DesiredClusterInfoOrigin, cfg api.StreamConfig) {
	p.FieldIf(o.Replicas > 0 && o.Replicas != cfg.Replicas, "Replicas", fmt.Sprintf("%d -> %d", o.Replicas, cfg.Replicas))
	var was, is api.Placement
	if o.Placement != nil {
		was = *o.Placement
	}
	if cfg.Placement != nil {
		is = *cfg.Placement
	}
	change := func(label, from, to string) {
		if from != to {
			p.Field(label, orNone(from)+" -> "+orNone(to))
		}
	}
	change("Placement Tags", strings.Join(was.Tags, ", "), strings.Join(is.Tags, ", "))
	change("Preferred", was.Preferred, is.Preferred)
	if o.Retention != nil {
		change("Retention Policy", o.Retention.String(), cfg.Retention.String())
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func viewSourceInfo(p *render.Page, s api.StreamInfo) {
	if s.Mirror != nil {
		p.Section("Mirror Information")
		viewOrigin(p, s.Mirror)
	}
	if len(s.Sources) == 0 {
		return
	}
	p.Section("Source Information")
	for i, src := range s.Sources {
		if i > 0 {
			p.Gap()
		}
		viewOrigin(p, src)
	}
}

func viewOrigin(p *render.Page, s *api.StreamSourceInfo) {
	p.Field("Stream Name", s.Name)
	switch {
	case len(s.SubjectTransforms) > 1:
		lines := make(render.Lines, 0, len(s.SubjectTransforms))
		for _, t := range s.SubjectTransforms {
			lines = append(lines, FilterAndTransform(t))
		}
		p.Field("Subject Filters and Transforms", lines)
	case len(s.SubjectTransforms) == 1:
		p.Field("Subject Filter and Transform", FilterAndTransform(s.SubjectTransforms[0]))
	case s.FilterSubject != "":
		p.Field("Subject Filter", render.Subject(s.FilterSubject))
	}
	p.Field("Lag", render.Count(s.Lag))
	p.Field("Last Seen", LastSeen(s.Active))
	if s.External != nil {
		p.FieldIf(s.External.ApiPrefix != "", "Ext. API Prefix", s.External.ApiPrefix)
		p.FieldIf(s.External.DeliverPrefix != "", "Ext. Delivery Prefix", s.External.DeliverPrefix)
	}
	if s.Error != nil {
		p.Field("Error", render.Bad(s.Error.Error()))
	}
}

// FilterAndTransform is what a source does with the subjects that match: "a to b", or "a untransformed".
func FilterAndTransform(t api.SubjectTransformConfig) string {
	if t.Destination == "" {
		return t.Source + " untransformed"
	}
	return t.Source + " to " + t.Destination
}

// LastSeen is the time since an origin was heard of; the server says -1ns for never.
func LastSeen(d time.Duration) any {
	if d < 0 {
		return "never"
	}
	return render.Span(d)
}

func viewState(p *render.Page, s api.StreamInfo) {
	p.Section("State")
	ViewHost(p, s.Config.Metadata)
	st := s.State
	p.Field("Messages", render.Count(st.Msgs))
	p.Field("Bytes", render.Bytes(st.Bytes))
	if st.Lost != nil && len(st.Lost.Msgs) > 0 {
		p.Field("Lost Messages", render.Sprintf("%s (%s)", render.Count(len(st.Lost.Msgs)), render.Bytes(st.Lost.Bytes)))
	}
	p.Field("First Sequence", sequenceAt(st.FirstSeq, st.FirstTime))
	p.Field("Last Sequence", sequenceAt(st.LastSeq, st.LastTime))
	p.FieldIf(st.NumDeleted > 0, "Deleted Messages", render.Count(st.NumDeleted))
	p.Field("Active Consumers", render.Count(st.Consumers))
	p.FieldIf(st.NumSubjects > 0, "Number of Subjects", render.Count(st.NumSubjects))
	if len(s.Alternates) > 0 {
		p.Field("Alternates", alternates(s.Alternates))
	}
}

// sequenceAt is "7 @ 2026-11-21 09:19:09"; without a time there is nothing to be at.
func sequenceAt(seq uint64, at time.Time) any {
	if at.IsZero() || at.Unix() <= 0 {
		return render.Count(seq)
	}
	return render.Sprintf("%s @ %s", render.Count(seq), render.At(at))
}

func alternates(list []api.StreamAlternate) render.Lines {
	name, cluster := 0, 0
	for _, a := range list {
		name, cluster = max(name, len(a.Name)), max(cluster, len(a.Cluster))
	}
	out := make(render.Lines, 0, len(list))
	for _, a := range list {
		line := fmt.Sprintf("%*s: Cluster: %*s", name, a.Name, cluster, a.Cluster)
		if a.Domain != "" {
			line += " Domain: " + a.Domain
		}
		out = append(out, line)
	}
	return out
}
