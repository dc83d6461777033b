package render_test

import (
	"time"

	"github.com/natskit/natskit/internal/render"
)

// The results below are those of the samples in the specification, with the views that commands will have.

func at(s string) time.Time {
	t, err := time.Parse(time.DateTime, s)
	if err != nil {
		panic(err)
	}
	return t
}

type streamInfo struct {
	Name    string            `json:"name"`
	Created time.Time         `json:"created"`
	LastSeq uint64            `json:"last_seq"`
	MaxAge  time.Duration     `json:"max_age"`
	Labels  map[string]string `json:"metadata"`
}

func (s streamInfo) View(p *render.Page) {
	p.Heading("Information for Stream %s created %s", s.Name, render.At(s.Created))
	p.Field("Subjects", []string{"pa"})
	p.Field("Replicas", 1)
	p.Field("Storage", "File")
	p.FieldIf(true, "Compression", "S2 Compression")
	p.FieldIf(false, "Placement Cluster", "nowhere")
	p.Field("First Sequence", uint64(100))
	p.Section("Options")
	p.Field("Subject Transform", render.Sprintf("%s to %s", render.Subject("pa"), render.Subject("x.pa")))
	p.Field("Republishing", "pa to rp")
	p.Field("Retention", "Limits")
	p.Field("Acknowledgments", true)
	p.Field("Discard Policy", "New Per Subject")
	p.Field("Duplicate Window", 2*time.Minute)
	p.Field("Direct Get", true)
	p.Field("Allows Atomic Batch Publish", false)
	p.Field("Allows Fast Batch Publish", false)
	p.Field("Allows Counters", false)
	p.Field("Allows Msg Delete", true)
	p.Field("Allows Per-Message TTL", true)
	p.Field("Allows Purge", true)
	p.Field("Allows Schedules", false)
	p.Field("Subject Delete Markers TTL", render.Span(time.Minute))
	p.Field("Allows Rollups", true)
	p.Section("Limits")
	p.Field("Maximum Messages", render.Limit(-1))
	p.Field("Maximum Per Subject", render.Limit(3))
	p.Field("Maximum Bytes", render.BytesLimit(-1))
	p.Field("Maximum Age", render.SpanLimit(s.MaxAge))
	p.Field("Maximum Message Size", render.BytesLimit(10240))
	p.Field("Maximum Consumers", render.Limit(7))
	p.Field("Consumer Inactive Threshold", render.SpanLimit(time.Hour))
	p.Field("Consumer Max Ack Pending", render.Limit(5))
	p.Section("Metadata")
	for k, v := range s.Labels {
		p.Field(k, v)
	}
}

var pa = streamInfo{"PA", at("2026-11-21 09:25:03"), 9007199254740993, 90 * time.Minute, map[string]string{"k": "v"}}

const paText = `Information for Stream PA created 2026-11-21 09:25:03

                     Subjects: pa
                     Replicas: 1
                      Storage: File
                  Compression: S2 Compression
               First Sequence: 100

Options:

            Subject Transform: pa to x.pa
                 Republishing: pa to rp
                    Retention: Limits
              Acknowledgments: true
               Discard Policy: New Per Subject
             Duplicate Window: 2m0s
                   Direct Get: true
  Allows Atomic Batch Publish: false
    Allows Fast Batch Publish: false
              Allows Counters: false
            Allows Msg Delete: true
       Allows Per-Message TTL: true
                 Allows Purge: true
             Allows Schedules: false
   Subject Delete Markers TTL: 1m0s
               Allows Rollups: true

Limits:

             Maximum Messages: unlimited
          Maximum Per Subject: 3
                Maximum Bytes: unlimited
                  Maximum Age: 1h30m0s
         Maximum Message Size: 10 KiB
            Maximum Consumers: 7
  Consumer Inactive Threshold: 1h0m0s
     Consumer Max Ack Pending: 5

Metadata:

                            k: v
`

type replication struct {
	Sources []string `json:"sources"`
}

func (replication) View(p *render.Page) {
	p.Section("Replication")
	p.Field("Sources", render.Lines{"NOPE, API Prefix: $JS.far.API", "SRCA"})
	p.Section("Source Information")
	p.Field("Stream Name", "SRCA")
	p.Field("Subject Filter and Transform", "srca to x.srca")
	p.Field("Lag", 0)
	p.Field("Last Seen", 902*time.Millisecond)
	p.Gap()
	p.Field("Stream Name", "NOPE")
	p.Field("Lag", 0)
	p.Field("Last Seen", render.SpanLimit(1<<63-1))
	p.Field("Ext. API Prefix", "$JS.far.API")
	p.Section("Cluster Information")
	p.Field("Name", "C1")
	p.Field("Leader", "")
	p.Field("Replica", render.Sprintf("n2, %s, %s, seen %s ago", render.Warn("outdated"), render.Bad("OFFLINE"), 13830*time.Millisecond))
}

const replicationText = `Replication:

                       Sources: NOPE, API Prefix: $JS.far.API
                                SRCA

Source Information:

                   Stream Name: SRCA
  Subject Filter and Transform: srca to x.srca
                           Lag: 0
                     Last Seen: 902ms

                   Stream Name: NOPE
                           Lag: 0
                     Last Seen: never
               Ext. API Prefix: $JS.far.API

Cluster Information:

                          Name: C1
                        Leader: 
                       Replica: n2, outdated, OFFLINE, seen 13.83s ago
`

type contextInfo struct {
	Name     string        `json:"name"`
	URL      string        `json:"url"`
	User     string        `json:"user"`
	Password render.Secret `json:"password"`
}

func (c contextInfo) View(p *render.Page) {
	p.Heading("NATS Configuration Context %q", render.Key(c.Name))
	p.Field("Description", "Prod")
	p.Field("Server URLs", c.URL)
	p.Field("Username", c.User)
	p.Field("Password", c.Password)
	p.Field("Path", "/home/u/nats/context/prod.json")
	p.Field("Connection", render.Good("OK"))
	p.Gap()
	p.Line("WARNING: Shell environment overrides in place using %s", "NATS_URL")
}

var prod = contextInfo{"prod", "nats://127.0.0.1:15000", "sys", "hunter2"}

const prodText = `NATS Configuration Context "prod"

  Description: Prod
  Server URLs: nats://127.0.0.1:15000
     Username: sys
     Password: ********
         Path: /home/u/nats/context/prod.json
   Connection: OK

WARNING: Shell environment overrides in place using NATS_URL
`

type stream struct {
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	Messages    uint64    `json:"messages"`
	Bytes       uint64    `json:"bytes"`
	Last        time.Time `json:"last"`
}

type streams []stream

func (s streams) View(p *render.Page) {
	t := p.Table("Streams",
		render.Column{Name: "Name", Elide: render.End}, render.Column{Name: "Description", Drop: 2, Elide: render.End}, render.Column{Name: "Created", Drop: 1},
		render.Column{Name: "Messages"}, render.Column{Name: "Size"}, render.Column{Name: "Last Message"}, render.Column{Name: "Exact", Wide: true})
	for _, x := range s {
		t.Row(x.Name, x.Description, render.At(x.Created), render.Count(x.Messages), render.Bytes(x.Bytes), render.Since(x.Last), x.Messages)
	}
}

var two = streams{
	{"EVT", "y5", at("2026-11-21 09:38:55"), 0, 0, time.Time{}},
	{"ORDERS", "", at("2026-01-01 00:00:00"), 9007199254740993, 34816, at("2026-01-02 15:01:03")},
}

const twoText = `╭────────────────────────────────────────────────────────────────────────────────────────────╮
│                                           Streams                                          │
├────────┬─────────────┬─────────────────────┬───────────────────────┬────────┬──────────────┤
│ Name   │ Description │ Created             │ Messages              │ Size   │ Last Message │
├────────┼─────────────┼─────────────────────┼───────────────────────┼────────┼──────────────┤
│ EVT    │ y5          │ 2026-11-21 09:38:55 │ 0                     │ 0 B    │ never        │
│ ORDERS │             │ 2026-01-01 00:00:00 │ 9,007,199,254,740,993 │ 34 KiB │ 3m2s ago     │
╰────────┴─────────────┴─────────────────────┴───────────────────────┴────────┴──────────────╯

`

// emptyStreams is the table of the specification with the widths that it has there.
const emptyStreams = `╭──────────────────────────────────────────────────────────────────────────────╮
│                                    Streams                                   │
├────────┬─────────────┬─────────────────────┬──────────┬───────┬──────────────┤
│ Name   │ Description │ Created             │ Messages │ Size  │ Last Message │
├────────┼─────────────┼─────────────────────┼──────────┼───────┼──────────────┤
│ ORDERS │             │ 2026-11-21 09:19:08 │ 7        │ 455 B │ never        │
╰────────┴─────────────┴─────────────────────┴──────────┴───────┴──────────────╯

`

type leaders struct{}

func (leaders) View(p *render.Page) {
	t := p.Table("RAFT Leader Report", render.Column{Name: "Server"}, render.Column{Name: "Cluster"}, render.Column{Name: "Streams"}, render.Column{Name: "Distribution"})
	t.Row("n0", "C1", 1, "**")
	t.Row("n3", "C1", 2, "***")
}

const leadersText = `╭───────────────────────────────────────────╮
│             RAFT Leader Report            │
├────────┬─────────┬─────────┬──────────────┤
│ Server │ Cluster │ Streams │ Distribution │
├────────┼─────────┼─────────┼──────────────┤
│ n0     │ C1      │ 1       │ **           │
│ n3     │ C1      │ 2       │ ***          │
╰────────┴─────────┴─────────┴──────────────╯

`

type accounts struct{}

func (accounts) View(p *render.Page) {
	cols := []render.Column{{Name: "Account"}, {Name: "Connections"}, {Name: "In Msgs"}, {Name: "Out Msgs"}, {Name: "In Bytes"}, {Name: "Out Bytes"}, {Name: "Subs"}}
	t := p.Table("2 Accounts Overview", cols...)
	t.Row("APP", 5, 0, 0, render.Bytes(0), render.Bytes(0), 44)
	t.Footer("", 5)
}

const accountsText = `╭──────────────────────────────────────────────────────────────────────────╮
│                            2 Accounts Overview                           │
├─────────┬─────────────┬─────────┬──────────┬──────────┬───────────┬──────┤
│ Account │ Connections │ In Msgs │ Out Msgs │ In Bytes │ Out Bytes │ Subs │
├─────────┼─────────────┼─────────┼──────────┼──────────┼───────────┼──────┤
│ APP     │ 5           │ 0       │ 0        │ 0 B      │ 0 B       │ 44   │
├─────────┼─────────────┼─────────┼──────────┼──────────┼───────────┼──────┤
│         │ 5           │         │          │          │           │      │
╰─────────┴─────────────┴─────────┴──────────┴──────────┴───────────┴──────╯

`

type service struct {
	Name string `json:"name"`
}

func (s service) View(p *render.Page) {
	p.Heading("Service Information")
	p.Field("Service", render.Sprintf("%s (%s)", s.Name, "QDDvFsbj3oVQrLxsTnIQ2n"))
	p.Field("Description", "NATS CLI Demo Service (calc)")
	p.Field("Version", "1.0.0")
	p.Field("Metadata", render.Lines{"_nats.client.created.library: natscli", "_nats.client.created.version: (devel)"})
	p.Section("Endpoints")
	p.Indent(func() {
		p.Field("Name", "echo")
		p.Field("Subject", render.Subject("calc.echo"))
		p.Field("Queue Group", "q")
	})
	p.Section("Statistics for 1 Endpoint(s)")
	p.Indent(func() {
		p.Section("echo Endpoint Statistics")
		p.Field("Requests", render.Sprintf("%s in group %q", render.Count(3), "q"))
		p.Field("Processing Time", render.Sprintf("%s (average %s)", 218*time.Microsecond, 73*time.Microsecond))
		p.Field("Started", render.Sprintf("%s (%s)", render.At(at("2026-01-02 15:03:59")), render.Since(at("2026-01-02 15:03:59"))))
		p.Field("Errors", 0)
		p.Section("Endpoint Specific Statistics")
		p.Indent(func() { p.Text("{\n    \"total_payload\": 7\n}") })
	})
}

const serviceText = `Service Information

          Service: calc (QDDvFsbj3oVQrLxsTnIQ2n)
      Description: NATS CLI Demo Service (calc)
          Version: 1.0.0
         Metadata: _nats.client.created.library: natscli
                   _nats.client.created.version: (devel)

Endpoints:

               Name: echo
            Subject: calc.echo
        Queue Group: q

Statistics for 1 Endpoint(s):

  echo Endpoint Statistics:

           Requests: 3 in group "q"
    Processing Time: 218µs (average 73µs)
            Started: 2026-01-02 15:03:59 (6.00s ago)
             Errors: 0

  Endpoint Specific Statistics:

    {
        "total_payload": 7
    }
`

type entry struct {
	Key      string    `json:"key"`
	Revision uint64    `json:"revision"`
	Op       string    `json:"operation"`
	Created  time.Time `json:"created"`
	Value    string    `json:"value"`
}

type history []entry

func (h history) View(p *render.Page) {
	t := p.Table("History for CFG > a", render.Column{Name: "Key"}, render.Column{Name: "Revision", Align: render.Right}, render.Column{Name: "Op"},
		render.Column{Name: "Created"}, render.Column{Name: "Length"}, render.Column{Name: "Value"})
	for _, e := range h {
		t.Row(e.Key, e.Revision, e.Op, e.Created, len(e.Value), e.Value)
	}
}

var changes = history{
	{"a", 1, "PUT", at("2026-11-21 09:36:35"), "v1"},
	{"a", 8, "DELETE", at("2026-11-21 09:36:36"), ""},
}

const historyText = `╭────────────────────────────────────────────────────────────────╮
│                       History for CFG > a                      │
├─────┬──────────┬────────┬─────────────────────┬────────┬───────┤
│ Key │ Revision │ Op     │ Created             │ Length │ Value │
├─────┼──────────┼────────┼─────────────────────┼────────┼───────┤
│ a   │        1 │ PUT    │ 2026-11-21 09:36:35 │ 2      │ v1    │
│ a   │        8 │ DELETE │ 2026-11-21 09:36:36 │ 0      │       │
╰─────┴──────────┴────────┴─────────────────────┴────────┴───────╯

`
