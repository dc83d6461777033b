package consumer

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

// screen shows a consumer; its JSON is the server's info document.
type screen struct {
	consumers.Consumer
	stateOnly bool
}

// JSON is the document of the server, whole.
func (s screen) JSON() any { return s.Consumer }

// View draws the sections that apply.
func (s screen) View(p *render.Page) {
	i := s.ConsumerInfo
	if s.stateOnly {
		p.Heading("State for Consumer %s > %s created %s", i.Stream, i.Name, render.At(i.Created))
		viewState(p, i)
		return
	}
	p.Heading("Information for Consumer %s > %s created %s", i.Stream, i.Name, render.At(i.Created))
	viewConfig(p, i)
	viewCluster(p, i.Cluster)
	viewState(p, i)
}

func viewConfig(p *render.Page, i api.ConsumerInfo) {
	c := i.Config
	p.Section("Configuration")
	p.Field("Name", i.Name)
	p.FieldIf(c.Durable != "" && c.Durable != i.Name, "Durable Name", c.Durable)
	p.FieldIf(c.Description != "", "Description", c.Description)
	push := c.DeliverSubject != ""
	if push {
		p.Field("Delivery Subject", render.Subject(c.DeliverSubject))
	} else {
		p.Field("Pull Mode", true)
	}
	p.FieldIf(c.FilterSubject != "", "Filter Subject", render.Subject(c.FilterSubject))
	p.FieldIf(len(c.FilterSubjects) > 0, "Filter Subjects", c.FilterSubjects)
	p.Field("Deliver Policy", startOf(c))
	p.FieldIf(push && c.DeliverGroup != "", "Deliver Queue Group", c.DeliverGroup)
	p.Field("Ack Policy", c.AckPolicy.String())
	p.FieldIf(c.AckPolicy != api.AckNone, "Ack Wait", render.Span(c.AckWait))
	p.Field("Replay Policy", c.ReplayPolicy.String())
	p.FieldIf(c.MaxDeliver > 0, "Maximum Deliveries", render.Limit(c.MaxDeliver))
	p.FieldIf(c.SampleFrequency != "", "Sampling Rate", c.SampleFrequency)
	p.FieldIf(c.RateLimit > 0, "Rate Limit", render.Sprintf("%s / second", render.Bytes(c.RateLimit/8)))
	p.FieldIf(c.MaxAckPending > 0, "Max Ack Pending", render.Limit(c.MaxAckPending))
	p.FieldIf(c.MaxWaiting > 0, "Max Waiting Pulls", render.Limit(c.MaxWaiting))
	p.FieldIf(c.Heartbeat > 0, "Idle Heartbeat", render.Span(c.Heartbeat))
	p.FieldIf(push, "Flow Control", c.FlowControl)
	p.FieldIf(c.HeadersOnly, "Headers Only", c.HeadersOnly)
	p.FieldIf(c.InactiveThreshold > 0 && !push, "Inactive Threshold", render.Span(c.InactiveThreshold))
	p.FieldIf(c.MaxRequestExpires > 0, "Max Pull Expire", render.Span(c.MaxRequestExpires))
	p.FieldIf(c.MaxRequestBatch > 0, "Max Pull Batch", render.Limit(c.MaxRequestBatch))
	p.FieldIf(c.MaxRequestMaxBytes > 0, "Max Pull MaxBytes", render.Limit(c.MaxRequestMaxBytes))
	p.FieldIf(len(c.BackOff) > 0, "Backoff", waits(c.BackOff))
	p.FieldIf(c.Replicas > 0, "Replicas", c.Replicas)
	p.FieldIf(c.MemoryStorage, "Memory Storage", c.MemoryStorage)
	if !c.PauseUntil.IsZero() {
		p.Field("Paused Until Deadline", until(p, c.PauseUntil))
	}
	if c.PriorityPolicy != api.PriorityNone {
		p.Field("Priority Policy", c.PriorityPolicy.String())
		p.FieldIf(len(c.PriorityGroups) > 0, "Priority Groups", c.PriorityGroups)
		p.FieldIf(c.PinnedTTL > 0, "Pinned TTL", render.Span(c.PinnedTTL))
	}
	viewOwner(p, "Mirror Target", "_nats.mirror.", c.Metadata)
	viewOwner(p, "Source Target", "_nats.src.", c.Metadata)
	jscmd.ViewMetadata(p, c.Metadata)
}

// viewOwner tells which stream copies through the consumer.
func viewOwner(p *render.Page, title, prefix string, meta map[string]string) {
	stream, account, domain := meta[prefix+"stream"], meta[prefix+"account"], meta[prefix+"domain"]
	if stream == "" && account == "" && domain == "" {
		return
	}
	p.Section(title)
	p.FieldIf(stream != "", "Stream", stream)
	p.FieldIf(account != "", "Account", account)
	p.FieldIf(domain != "", "Domain", domain)
}

func startOf(c api.ConsumerConfig) any {
	switch c.DeliverPolicy {
	case api.DeliverLastPerSubject:
		return "Last Per Subject"
	case api.DeliverByStartTime:
		if c.OptStartTime != nil {
			return render.Sprintf("Since %s", render.At(*c.OptStartTime))
		}
	case api.DeliverByStartSequence:
		return render.Sprintf("From Sequence %s", render.Count(c.OptStartSeq))
	}
	return c.DeliverPolicy.String()
}

// waits is a backoff policy in one line; of a long one both ends are shown.
func waits(list []time.Duration) string {
	words := make([]string, 0, len(list))
	for _, d := range list {
		words = append(words, d.String())
	}
	if len(words) <= 15 {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s, ..., %s (%d total)", strings.Join(words[:5], ", "), strings.Join(words[len(words)-5:], ", "), len(words))
}

func until(p *render.Page, t time.Time) render.Cell {
	left := t.Sub(p.Options().Now)
	if left <= 0 {
		return render.Sprintf("%s (passed)", render.At(t))
	}
	return render.Sprintf("%s (%s remaining)", render.At(t), render.Span(left))
}

func viewCluster(p *render.Page, c *api.ClusterInfo) {
	if c == nil || c.Name == "" {
		return
	}
	p.Section("Cluster Information")
	p.Field("Name", c.Name)
	p.FieldIf(c.RaftGroup != "", "Raft Group", c.RaftGroup)
	jscmd.ViewPeers(p, c)
	jscmd.ViewMigration(p, c.Desired, nil)
}

func viewState(p *render.Page, i api.ConsumerInfo) {
	p.Section("State")
	c := i.Config
	jscmd.ViewHost(p, c.Metadata)
	p.Field("Last Delivered Message", place(p, i, i.Delivered, "Last delivery"))
	p.FieldIf(c.AckPolicy != api.AckNone, "Acknowledgment Floor", place(p, i, i.AckFloor, "Last Ack"))
	if c.MaxAckPending > 0 {
		p.Field("Outstanding Acks", render.Sprintf("%s out of maximum %s", render.Count(i.NumAckPending), render.Count(c.MaxAckPending)))
	} else {
		p.Field("Outstanding Acks", render.Count(i.NumAckPending))
	}
	p.Field("Redelivered Messages", render.Count(i.NumRedelivered))
	p.Field("Unprocessed Messages", render.Count(i.NumPending))
	switch {
	case c.DeliverSubject == "" && c.MaxWaiting > 0:
		p.Field("Waiting Pulls", render.Sprintf("%s of maximum %s", render.Count(i.NumWaiting), render.Count(c.MaxWaiting)))
	case c.DeliverSubject == "":
		p.Field("Waiting Pulls", render.Sprintf("%s of unlimited", render.Count(i.NumWaiting)))
	case i.PushBound && c.DeliverGroup != "":
		p.Field("Active Interest", "Active using Queue Group "+c.DeliverGroup)
	case i.PushBound:
		p.Field("Active Interest", "Active")
	default:
		p.Field("Active Interest", "No interest")
	}
	if i.Paused {
		p.Field("Paused Until", render.Sprintf("%s (%s remaining)", render.At(asOf(p, i).Add(i.PauseRemaining)), render.Span(i.PauseRemaining)))
	}
	if c.PriorityPolicy == api.PriorityPinnedClient && len(i.PriorityGroups) > 0 {
		p.Field("Priority Groups", pins(p, i.PriorityGroups))
	}
}

// asOf is when the server described the consumer.
func asOf(p *render.Page, i api.ConsumerInfo) time.Time {
	if i.TimeStamp.IsZero() {
		return p.Options().Now
	}
	return i.TimeStamp
}

func place(p *render.Page, i api.ConsumerInfo, s api.SequenceInfo, what string) render.Cell {
	if s.Last == nil {
		return render.Sprintf("Consumer sequence: %s Stream sequence: %s", render.Count(s.Consumer), render.Count(s.Stream))
	}
	return render.Sprintf("Consumer sequence: %s Stream sequence: %s %s: %s ago", render.Count(s.Consumer), render.Count(s.Stream), what,
		render.Span(max(asOf(p, i).Sub(*s.Last), 0)))
}

func pins(p *render.Page, groups []api.PriorityGroupState) render.Lines {
	out := make(render.Lines, 0, len(groups))
	for _, g := range groups {
		if g.PinnedClientID == "" {
			out = append(out, g.Group+": No client")
			continue
		}
		out = append(out, fmt.Sprintf("%s: pinned %s at %s", g.Group, g.PinnedClientID, g.PinnedTS.In(p.Options().Location).Format(time.DateTime)))
	}
	return out
}
