package meter

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// table is rows of cells under headings, for Markdown and HTML alike.
type table struct {
	title string
	head  []string
	rows  [][]string
}

// tables are the figures of the report for documents.
func (r *Report) tables() []table {
	var out []table
	for i := range r.Sides {
		s := &r.Sides[i]
		out = append(out, s.summary())
		if len(s.Agents) > 0 {
			t := table{title: s.Label + ": machines", head: []string{"Machine", "Clients", "Messages", "msgs/sec", "Throughput"}}
			for _, a := range s.Agents {
				t.rows = append(t.rows, []string{a.Name, fmt.Sprint(a.Total.Clients), Commas(a.Total.Messages), rate(a.Total.Rate), IEC(a.Total.BytesPerSecond) + "/sec"})
			}
			out = append(out, t)
		}
		if len(s.Steps) > 0 {
			t := table{title: s.Label + ": steps", head: []string{"Intended msgs/sec", "Reached msgs/sec", "Messages", "P50", "P99", "Max"}}
			for _, st := range s.Steps {
				row := []string{rate(st.From), rate(st.Rate), Commas(st.Messages), "", "", ""}
				if st.To != st.From {
					row[0] += " to " + rate(st.To)
				}
				if l := st.Latency; l != nil {
					row[3], row[4], row[5] = Micros(float64(l.P50)), Micros(float64(l.P99)), Micros(float64(l.Max))
				}
				t.rows = append(t.rows, row)
			}
			out = append(out, t)
		}
		if len(s.Clients) > 1 {
			out = append(out, s.clients())
		}
	}
	return out
}

func (s *Side) summary() table {
	t := table{title: s.Label, head: []string{"Figure", "Value"}}
	add := func(k, v string) { t.rows = append(t.rows, []string{k, v}) }
	n := s.Total
	add("Engine", s.Engine)
	add("Clients", fmt.Sprint(n.Clients))
	add("Messages", Commas(n.Messages))
	add("Bytes", Commas(n.Bytes))
	add("Duration", Brief(n.Duration))
	add("Messages a second", rate(n.Rate))
	add("Throughput", IEC(n.BytesPerSecond)+"/sec")
	if l := n.Latency; l != nil {
		add("Latency covers", l.Covers)
		for _, p := range l.figures() {
			add(p[0], p[1])
		}
	}
	if l := n.Lag; l != nil {
		add("Sent later than intended, P99", Micros(float64(l.P99)))
	}
	if d := n.Delivery; d != nil {
		add("Delivery", strings.TrimPrefix(d.text(), "Delivery: "))
	}
	if n.Denied > 0 {
		add("Denied", Commas(n.Denied))
	}
	if n.Unconfirmed > 0 {
		add("Not confirmed", Commas(n.Unconfirmed))
	}
	return t
}

func (l *Latency) figures() [][2]string {
	return [][2]string{
		{"Latency min", Micros(float64(l.Min))}, {"Latency avg", Micros(l.Avg)}, {"Latency P50", Micros(float64(l.P50))},
		{"Latency P90", Micros(float64(l.P90))}, {"Latency P99", Micros(float64(l.P99))},
		{"Latency P99.9", Micros(float64(l.P999))}, {"Latency max", Micros(float64(l.Max))}, {"Latency stddev", Micros(l.Stddev)},
	}
}

func (s *Side) clients() table {
	t := table{title: s.Label + ": clients", head: []string{"Client", "Messages", "msgs/sec", "Throughput", "P50", "P99", "Max"}}
	for _, c := range s.Clients {
		row := []string{strings.TrimSpace(fmt.Sprintf("%s %d", c.Agent, c.Number)), Commas(c.Messages), rate(c.Rate), IEC(c.BytesPerSecond) + "/sec", "", "", ""}
		if l := c.Latency; l != nil {
			row[4], row[5], row[6] = Micros(float64(l.P50)), Micros(float64(l.P99)), Micros(float64(l.Max))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// settings are the configuration and the place of the run as a table.
func (r *Report) settings() table {
	t := table{title: "Settings", head: []string{"Setting", "Value"}}
	var keys []string
	for k := range r.Config {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		t.rows = append(t.rows, []string{k, fmt.Sprint(r.Config[k])})
	}
	t.rows = append(t.rows, []string{"machine", fmt.Sprintf("%s/%s, %d CPUs", r.Host.OS, r.Host.Arch, r.Host.CPUs)},
		[]string{"tool", "nats " + r.Host.Tool})
	if r.Host.Server != "" {
		t.rows = append(t.rows, []string{"server", "nats-server " + r.Host.Server})
	}
	return t
}

func (r *Report) verdict() string {
	out := fmt.Sprintf("Run %s, started %s: %s.", r.RunID, r.Started.UTC().Format("2006-01-02 15:04:05 MST"), r.Outcome)
	for _, e := range r.Errors {
		out += " " + e + "."
	}
	return out
}

// WriteMarkdown writes the report as a Markdown document of tables.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# nats bench " + cell(r.Bench) + "\n\n" + cell(r.verdict()) + "\n")
	for _, t := range append(r.tables(), r.settings()) {
		b.WriteString("\n## " + cell(t.title) + "\n\n")
		b.WriteString("| " + strings.Join(t.head, " | ") + " |\n|" + strings.Repeat(" --- |", len(t.head)) + "\n")
		for _, row := range t.rows {
			for i := range row {
				row[i] = cell(row[i])
			}
			b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		}
	}
	for i, n := range r.Notes {
		if i == 0 {
			b.WriteString("\n## Notes\n\n")
		}
		b.WriteString("* " + cell(n) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell keeps a text inside its cell and its paragraph.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\r", " ", "\n", " ", "<", "&lt;").Replace(text)
}
