package account

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/render"
)

// View is the screen of the account.
func (i information) View(p *render.Page) {
	p.Heading("Account Information")
	p.FieldIf(i.User != "" || i.UserName != "", "User", named(i.UserName, i.User))
	p.FieldIf(i.Account != "" || i.AccountName != "", "Account", named(i.AccountName, i.Account))
	p.Field("System Account", i.SystemAccount)
	expires := i.Expires
	if expires <= 0 {
		expires = time.Duration(math.MaxInt64)
	}
	p.Field("Expires", render.SpanLimit(expires))
	i.Connection.view(p)
	viewPermissions(p, i.Permissions)
	if i.JetStream == nil {
		p.Gap()
		p.Line("%s", render.Warn(i.Notice))
		return
	}
	viewJetStream(p, *i.JetStream, i.Connection.MaxPayload)
}

// named is "name (id)", or what there is of them.
func named(name, id string) string {
	switch {
	case name == "":
		return id
	case id == "":
		return name
	}
	return name + " (" + id + ")"
}

func (c connection) view(p *render.Page) {
	p.FieldIf(c.ID > 0, "Client ID", c.ID)
	ip := c.IP
	if c.Local != "" && ip != "" {
		ip += " (local " + c.Local + ")"
	}
	p.FieldIf(ip != "", "Client IP", ip)
	p.Field("RTT", render.Span(c.RTT))
	p.Field("Headers Supported", c.Headers)
	p.Field("Maximum Payload", render.Bytes(uint64(c.MaxPayload)))
	p.FieldIf(c.Cluster != "", "Connected Cluster", c.Cluster)
	p.Field("Connected URL", c.URL)
	p.Field("Connected Address", c.Address)
	p.Field("Connected Server ID", c.ServerID)
	p.Field("Connected Server Version", c.Version)
	p.FieldIf(c.ServerName != c.ServerID && c.ServerName != "", "Connected Server Name", c.ServerName)
	if c.TLS == nil {
		p.Field("TLS Connection", "no")
		return
	}
	p.Field("TLS Version", render.Sprintf("%s using %s", strings.TrimPrefix(c.TLS.Version, "TLS "), c.TLS.Cipher))
	p.Field("TLS Server Name", c.TLS.ServerName)
	if c.TLS.Verified {
		p.Field("TLS Verified", render.Good("issuer "+c.TLS.Issuer))
	} else {
		p.Field("TLS Verified", render.Bad("no"))
	}
}

func viewPermissions(p *render.Page, perms *server.Permissions) {
	if perms == nil || !given(perms.Publish) && !given(perms.Subscribe) && perms.Response == nil {
		return
	}
	p.Section("Connection Permissions")
	p.Indent(func() {
		viewSubjects(p, "Publish", perms.Publish)
		viewSubjects(p, "Subscribe", perms.Subscribe)
		if r := perms.Response; r != nil {
			p.Section("Responses")
			p.Field("Maximum Messages", limit(int64(r.MaxMsgs)))
			p.FieldIf(r.Expires > 0, "Expires", render.Span(r.Expires))
		}
	})
}

func given(s *server.SubjectPermission) bool { return s != nil && len(s.Allow)+len(s.Deny) > 0 }

func viewSubjects(p *render.Page, title string, s *server.SubjectPermission) {
	if !given(s) {
		return
	}
	p.Section(title)
	for _, part := range []struct {
		label    string
		subjects []string
	}{{"Allow", s.Allow}, {"Deny", s.Deny}} {
		p.FieldIf(len(part.subjects) > 0, part.label, render.Lines(slices.Sorted(slices.Values(part.subjects))))
	}
}

func viewJetStream(p *render.Page, s api.JetStreamAccountStats, payload int64) {
	title := "JetStream Account Information"
	if s.Domain != "" {
		title += " for domain " + s.Domain
	}
	p.Section(title)
	p.Section("Account Usage")
	p.FieldIf(s.Domain != "", "Domain", s.Domain)
	p.Field("Storage", render.Bytes(s.Store))
	p.Field("Memory", render.Bytes(s.Memory))
	p.Field("Streams", render.Count(uint64(max(s.Streams, 0))))
	p.Field("Consumers", render.Count(uint64(max(s.Consumers, 0))))
	p.Section("Account Limits")
	p.Field("Max Message Payload", render.Bytes(uint64(payload)))
	if len(s.Tiers) == 0 {
		viewTier(p, "Default", s.JetStreamTier)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Tiers)) {
		viewTier(p, name, s.Tiers[name])
	}
}

func viewTier(p *render.Page, name string, t api.JetStreamTier) {
	l := t.Limits
	p.Indent(func() {
		p.Section("Tier: " + name)
		p.Indent(func() {
			p.Section("Configuration Requirements")
			p.Field("Stream Requires Max Bytes Set", l.MaxBytesRequired)
			p.Field("Consumer Maximum Ack Pending", limit(int64(l.MaxAckPending)))
			p.Section("Stream Resource Usage Limits")
			p.Field("Memory", space(t.Memory, l.MaxMemory, t.ReservedMemory))
			p.Field("Memory Per Stream", bytesLimit(perStream(l.MemoryMaxStreamBytes)))
			p.Field("Storage", space(t.Store, l.MaxStore, t.ReservedStore))
			p.Field("Storage Per Stream", bytesLimit(perStream(l.StoreMaxStreamBytes)))
			p.Field("Streams", render.Sprintf("%s of %s", render.Count(uint64(max(t.Streams, 0))), limit(int64(l.MaxStreams))))
			if l.MaxConsumers > 0 {
				p.Field("Consumers", render.Sprintf("Maximum %s per stream", render.Count(uint64(l.MaxConsumers))))
			} else {
				p.Field("Consumers", "Unlimited")
			}
		})
	})
}

// space is how much of a limit is used, and what is set aside for streams with a maximum size.
func space(used uint64, most int64, reserved uint64) any {
	text := render.Sprintf("%s of %s", render.Bytes(used), bytesLimit(most))
	if reserved == 0 {
		return text
	}
	return render.Sprintf("%s (%s reserved)", text, render.Bytes(reserved))
}

// perStream is the limit of one stream: the server says 0 where there is none.
func perStream(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

func bytesLimit(n int64) any {
	if n < 0 {
		return "Unlimited"
	}
	return render.Bytes(uint64(n))
}

func limit(n int64) any {
	if n < 0 {
		return "Unlimited"
	}
	return render.Count(uint64(n))
}
