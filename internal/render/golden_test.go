package render_test

import (
	"testing"

	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func text(t *testing.T, v render.Viewer, o render.Options) string {
	t.Helper()
	return string(viewtest.Show(t, v, o))
}

func TestSamplesOfTheSpecification(t *testing.T) {
	t.Parallel()
	one := streams{{"ORDERS", "", at("2026-11-21 09:19:08"), 7, 455, at("0001-01-01 00:00:00")}}
	for name, row := range map[string]struct {
		v    render.Viewer
		want string
	}{
		"stream info":  {pa, paText},
		"replication":  {replication{}, replicationText},
		"context info": {prod, prodText},
		"streams":      {two, twoText},
		"one stream":   {one, emptyStreams},
		"leaders":      {leaders{}, leadersText},
		"accounts":     {accounts{}, accountsText},
		"service info": {service{"calc"}, serviceText},
		"kv history":   {changes, historyText},
	} {
		if got := text(t, row.v, render.Options{}); got != row.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, row.want)
		}
	}
}

func TestGoldens(t *testing.T) {
	t.Parallel()
	viewtest.Golden(t, "stream_info", pa)
	viewtest.Golden(t, "streams", two)
	viewtest.Golden(t, "context_info", prod)
	viewtest.Golden(t, "service_info", service{"calc"})
	viewtest.Golden(t, "accounts", accounts{})
	viewtest.Golden(t, "everything", everything{})
	viewtest.Golden(t, "messages", messages{{Subject: "orders.new", Body: "a\x1b[2Jb", Seq: 1<<63 + 1}, {Subject: "orders.old", Body: "two\nlines"}})
}

func TestTableFormatOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"csv":      "Name,Description,Created,Messages,Size,Last Message\nEVT,y5,2026-11-21 09:38:55,0,0 B,never\n\n",
		"tsv":      "Name\tDescription\tCreated\tMessages\tSize\tLast Message\nEVT\ty5\t2026-11-21 09:38:55\t0\t0 B\tnever\n\n",
		"md":       "# Streams\n| Name | Description | Created | Messages | Size | Last Message |\n| --- | --- | --- | --- | --- | --- |\n| EVT | y5 | 2026-11-21 09:38:55 | 0 | 0 B | never |\n\n",
		"markdown": "# Streams\n| Name | Description | Created | Messages | Size | Last Message |\n| --- | --- | --- | --- | --- | --- |\n| EVT | y5 | 2026-11-21 09:38:55 | 0 | 0 B | never |\n\n",
		"html":     text(t, two[:1], render.Options{}),
	} {
		if got := text(t, two[:1], render.Options{TableFormat: format}); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", format, got, want)
		}
	}
	// It is a variant of text: the other formats do not care.
	if got := text(t, two[:1], render.Options{TableFormat: "csv", Format: render.Format{Kind: render.Names}}); got != "EVT\n" {
		t.Errorf("names: %q", got)
	}
}

func TestLanguageModels(t *testing.T) {
	t.Parallel()
	got := text(t, service{"calc"}, render.Options{LLM: true, Paint: term.Painter{On: true}})
	want := `# Service Information

- **Service:** calc (QDDvFsbj3oVQrLxsTnIQ2n)
- **Description:** NATS CLI Demo Service (calc)
- **Version:** 1.0.0
- **Metadata:** _nats.client.created.library: natscli
  - _nats.client.created.version: (devel)

## Endpoints

- **Name:** echo
- **Subject:** calc.echo
- **Queue Group:** q

## Statistics for 1 Endpoint(s)

### echo Endpoint Statistics

- **Requests:** 3 in group "q"
- **Processing Time:** 218µs (average 73µs)
- **Started:** 2026-01-02 15:03:59 (6.00s ago)
- **Errors:** 0

### Endpoint Specific Statistics

` + "```\n{\n    \"total_payload\": 7\n}\n```\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	got = text(t, two[:1], render.Options{LLM: true})
	want = "# Streams\n\n| Name | Description | Created | Messages | Size | Last Message |\n| --- | --- | --- | --- | --- | --- |\n| EVT | y5 | 2026-11-21 09:38:55 | 0 | 0 B | never |\n\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestEverythingForLanguageModels(t *testing.T) {
	t.Parallel()
	want := "# Everything about X\n\ngood    |     bad|1,234 of 5678\n12.3% is not much\n\n- **Label:** muted\n\n## Subjects\n\n" +
		"## 14 Subjects in stream ORDERS_OF_THE_WHOLE_WORLD\n\n| Subject | Count | State |\n| --- | ---: | :---: |\n" +
		"| orders.europe.netherlands.amsterdam.new.priority.urgent | 1,234,567 | ok |\n| a\\|b | 1 | one<br>three |\n| total | 1,234,568 |  |\n\n" +
		"| A | B |\n| --- | --- |\n\n- root\n  - first\n    - 1,000\n    - leaf\n  - last\n    - end\n\n" +
		"```\nbody\n\twith a tab\x07\n```\n\n```\n▁▂▃\n---\n```\n\n\nend\n"
	if got := text(t, everything{}, render.Options{LLM: true}); got != want {
		t.Errorf("got:\n%q\nwant:\n%q", got, want)
	}
	fenced := view(func(p *render.Page) { p.Field("", "x"); p.Text("```\na\n```") })
	if got := text(t, fenced, render.Options{LLM: true}); got != "  - x\n\n````\n```\na\n```\n````\n" {
		t.Errorf("%q", got)
	}
}

func TestEverythingAsFieldsJSON(t *testing.T) {
	t.Parallel()
	want := `{
  "Header": "Everything about X",
  "Lines": [
    "good    |     bad|1,234 of 5678",
    "12.3% is not much"
  ],
  "Label": "muted",
  "Subjects": {
    "Lines": [
      "root",
      "  first",
      "    1,000",
      "    leaf",
      "  last",
      "    end",
      "body",
      "\twith a tab\u0007",
      "▁▂▃",
      "---",
      "end"
    ]
  },
  "14 Subjects in stream ORDERS_OF_THE_WHOLE_WORLD": [
    {
      "Subject": "orders.europe.netherlands.amsterdam.new.priority.urgent",
      "Count": "1,234,567",
      "State": "ok"
    },
    {
      "Subject": "a|b",
      "Count": "1",
      "State": "one\nthree"
    },
    {
      "Subject": "total",
      "Count": "1,234,568",
      "State": ""
    }
  ],
  "Table": []
}
`
	if got := text(t, everything{}, render.Options{FieldsJSON: true}); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	v := view(func(p *render.Page) {
		p.Field("", "a")
		p.Field("L", "b")
		p.Field("", "c")
		p.Field("L", "d")
		p.Field("", "e\u009b")
	})
	want = "{\n  \"\": \"a\",\n  \"L\": [\n    \"b\\nc\",\n    \"d\\ne\\u009b\"\n  ]\n}\n"
	if got := text(t, v, render.Options{FieldsJSON: true}); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFieldsAsJSON(t *testing.T) {
	t.Parallel()
	got := text(t, service{"calc"}, render.Options{FieldsJSON: true, Paint: term.Painter{On: true}})
	want := `{
  "Header": "Service Information",
  "Service": "calc (QDDvFsbj3oVQrLxsTnIQ2n)",
  "Description": "NATS CLI Demo Service (calc)",
  "Version": "1.0.0",
  "Metadata": "_nats.client.created.library: natscli\n_nats.client.created.version: (devel)",
  "Endpoints": {
    "Name": "echo",
    "Subject": "calc.echo",
    "Queue Group": "q"
  },
  "Statistics for 1 Endpoint(s)": {
    "echo Endpoint Statistics": {
      "Requests": "3 in group \"q\"",
      "Processing Time": "218µs (average 73µs)",
      "Started": "2026-01-02 15:03:59 (6.00s ago)",
      "Errors": "0"
    },
    "Endpoint Specific Statistics": {
      "Lines": [
        "{",
        "    \"total_payload\": 7",
        "}"
      ]
    }
  }
}
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	got = text(t, replication{}, render.Options{FieldsJSON: true})
	want = `{
  "Replication": {
    "Sources": "NOPE, API Prefix: $JS.far.API\nSRCA"
  },
  "Source Information": {
    "Stream Name": [
      "SRCA",
      "NOPE"
    ],
    "Subject Filter and Transform": "srca to x.srca",
    "Lag": [
      "0",
      "0"
    ],
    "Last Seen": [
      "902ms",
      "never"
    ],
    "Ext. API Prefix": "$JS.far.API"
  },
  "Cluster Information": {
    "Name": "C1",
    "Leader": "",
    "Replica": "n2, outdated, OFFLINE, seen 13.83s ago"
  }
}
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := text(t, two, render.Options{FieldsJSON: true}); got != twoText {
		t.Errorf("a table is no info screen:\n%s", got)
	}
}

// everything uses each block once.
type everything struct{}

func (everything) View(p *render.Page) {
	p.Heading("Everything about %s", render.Key("X"))
	p.Line("%-8s|%8s|%d of %d", render.Good("good"), render.Bad("bad"), render.Count(1234), 5678)
	p.Note("%s is not much", render.Percent(12.34))
	p.Gap()
	p.Gap()
	p.Field("Label", render.Muted("muted"))
	p.Section("Subjects")
	t := p.Table("14 Subjects in stream ORDERS_OF_THE_WHOLE_WORLD", render.Column{Name: "Subject"}, render.Column{Name: "Count", Align: render.Right}, render.Column{Name: "State", Align: render.Center})
	t.Row(render.Subject("orders.europe.netherlands.amsterdam.new.priority.urgent"), render.Count(1234567), render.Good("ok"))
	t.Separator()
	t.Row(render.Subject("a|b"), render.Count(1), render.Lines{"one", "three"})
	t.Footer("total", render.Count(1234568))
	p.Table("", render.Column{Name: "A"}, render.Column{Name: "B"})
	p.Tree(&render.TreeNode{Label: render.Key("root"), Children: []*render.TreeNode{
		{Label: "first", Children: []*render.TreeNode{{Label: render.Count(1000)}, {Label: "leaf"}}}, {Label: "last", Children: []*render.TreeNode{{Label: "end"}}},
	}})
	p.Text("body\n\twith a tab\x07\n")
	p.Indent(func() { p.Block([]string{"▁▂▃", "---"}) })
	p.Line("")
	p.Line("end")
}

func (everything) JSON() any {
	return []any{map[string]any{"name": "a<b>&c", "seq": uint64(1<<64 - 1), "none": nil, "list": []string{}, "on": "on", "f": 1.5, "text": "one\ntwo"}}
}
