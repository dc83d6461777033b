package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/agents"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// result is what a benchmark prints: the report as people, scripts and bench compare read it.
type result struct {
	*meter.Report
	saved []string
}

// JSON is the report alone.
func (r result) JSON() any { return r.Report }

// View shows the lines of the report; formats that need a table get one of the clients.
func (r result) View(p *render.Page) {
	switch p.Options().Kind {
	case render.Text, render.Wide:
	default:
		r.table(p)
		return
	}
	for i, l := range append(r.Text(), r.saved...) {
		if l == "" && i > 0 {
			p.Gap()
			continue
		}
		for _, part := range fold(l, p.Options().Width) {
			p.Line("%s", part)
		}
	}
}

// fold breaks a line between words where it is longer than the terminal is wide; 0 is no terminal. What follows is indented, and
// figures stay with their names.
func fold(line string, width int) []string {
	const indent = "    "
	if width < 2*len(indent) {
		return []string{line}
	}
	var out []string
	for {
		runes := []rune(line)
		if len(runes) <= width {
			return append(out, line)
		}
		head := string(runes[:width])
		margin := len(head) - len(strings.TrimLeft(head, " "))
		cut := -1
		for _, at := range []string{" ~ ", " | ", ", ", " "} {
			if cut = strings.LastIndex(head, at); cut > margin && cut >= len(head)/2+len(indent) {
				cut += len(strings.TrimRight(at, " "))
				break
			}
		}
		if cut <= margin {
			cut = len(head)
		}
		out = append(out, line[:cut])
		line = indent + strings.TrimLeft(line[cut:], " ")
	}
}

func (r result) table(p *render.Page) {
	t := p.Table("", render.Column{Name: "Client"}, render.Column{Name: "Side"}, render.Column{Name: "Agent"}, render.Column{Name: "Messages"}, render.Column{Name: "Bytes"},
		render.Column{Name: "Messages a second"}, render.Column{Name: "Bytes a second"}, render.Column{Name: "Duration"},
		render.Column{Name: "P50"}, render.Column{Name: "P99"}, render.Column{Name: "Max"})
	for _, s := range r.Sides {
		for _, c := range s.Clients {
			row := []any{c.Number, s.Label, c.Agent, render.Count(c.Messages), render.Bytes(c.Bytes), render.Count(c.Rate), render.Bytes(c.BytesPerSecond), render.Span(c.Duration), "", "", ""}
			if l := c.Latency; l != nil {
				row[8], row[9], row[10] = render.Span(l.P50), render.Span(l.P99), render.Span(l.Max)
			}
			t.Row(row...)
		}
	}
}

// world is what a run may touch, from the environment of the command.
func world(e *env.Env) crew.World {
	settings := e.Nats.Effective()
	return crew.World{
		Options: e.Nats.Options, Dial: e.Nats.Dial, Explain: e.Nats.Explain, Timeout: settings.Timeout, Say: e.Say, Tool: e.Build.Version,
		JetStream: func(nc *nats.Conn, opts ...jetstream.JetStreamOpt) (jetstream.JetStream, error) {
			opts = append([]jetstream.JetStreamOpt{jetstream.WithDefaultTimeout(settings.Timeout)}, opts...)
			switch {
			case settings.JSDomain != "":
				return jetstream.NewWithDomain(nc, settings.JSDomain, opts...)
			case settings.JSAPIPrefix != "":
				return jetstream.NewWithAPIPrefix(nc, settings.JSAPIPrefix, opts...)
			}
			return jetstream.New(nc, opts...)
		},
		OldJetStream: func(nc *nats.Conn, opts ...nats.JSOpt) (nats.JetStreamContext, error) {
			opts = append([]nats.JSOpt{nats.MaxWait(settings.Timeout)}, opts...)
			switch {
			case settings.JSDomain != "":
				opts = append(opts, nats.Domain(settings.JSDomain))
			case settings.JSAPIPrefix != "":
				opts = append(opts, nats.APIPrefix(settings.JSAPIPrefix))
			}
			return nc.JetStream(opts...)
		},
	}
}

// reachable refuses a server inside this process for runs that it makes no sense for. What is left to measure there are streams
// and buckets, and what a client library costs.
func reachable(e *env.Env, o common, s crew.Spec) error {
	if _, embedded := e.Nats.Effective().Embedded(); !embedded {
		return nil
	}
	const instead = "nats server run starts a server that others can reach"
	switch {
	case o.agents > 0:
		return fail.Hint(fail.Usagef("an embedded server is of this process alone: agents cannot reach it"), instead)
	case s.Kind == "sub", strings.HasPrefix(s.Kind, "service "):
		return fail.Hint(fail.Usagef("an embedded server is of this process alone: bench %s would wait for others that cannot reach it", s.Kind), instead)
	case s.Kind == crew.ModeFast:
		return fail.Hint(fail.Usagef("fast batches are published by the wire engine, which needs a server with a socket, not an embedded one"), instead)
	case s.Engine == crew.Wire:
		return fail.Hint(fail.Usagef("the wire engine needs a server with a socket: use --engine nats.go for an embedded one"), instead)
	}
	return nil
}

// execute carries a run out: introduction, progress, report, files.
func execute(ctx context.Context, e *env.Env, o common, spec crew.Spec, args settings) error {
	if err := reachable(e, o, spec); err != nil {
		return err
	}
	if err := writable(e, o, spec); err != nil {
		return err
	}
	introduce(e, spec, args)
	r, err := measure(ctx, e, o, spec)
	if r == nil {
		return err
	}
	if _, embedded := e.Nats.Effective().Embedded(); embedded && len(r.Sides) > 0 {
		r.Notes = append(r.Notes, "The server ran inside this process: there was no network, and both shared the processor time")
	}
	return publishReport(e, o, r, err, e.Out.Print)
}

// measure runs the benchmark with a progress line.
func measure(ctx context.Context, e *env.Env, o common, spec crew.Spec) (*meter.Report, error) {
	w := world(e)
	if o.progress {
		var line *term.Progress
		w.Watch = func(sides []crew.Progress, over bool) {
			var done, total int64
			for _, s := range sides {
				for _, c := range s.Clients {
					done, total = done+c.Done, total+c.Total
				}
			}
			if line == nil {
				label := sides[0].Label
				if len(sides) > 1 {
					label = "Core NATS, both sides"
				}
				line = e.IO.Progress(e.Clock, label, total, meter.Commas)
			}
			line.Set(done)
			if over {
				line.Close()
			}
		}
	}
	if o.agents == 0 || spec.Clients == 0 {
		return load.Run(ctx, w, spec)
	}
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return agents.Control(ctx, w, nc, o.group, int(o.agents), spec)
}

// publishReport writes the files, prints the result and returns the error of the run, or the first of its own.
func publishReport(e *env.Env, o common, r *meter.Report, err error, print func(render.Viewer) error) error {
	for _, s := range r.Sides {
		for _, c := range s.Clients {
			if c.Error != "" {
				e.Say("Error from client %d: %s", c.Number, c.Error)
			}
		}
	}
	saved, saveErr := save(e, o, r)
	if perr := print(result{r, saved}); err == nil {
		err = perr
	}
	if err == nil {
		err = saveErr
	} else if saveErr != nil {
		e.Say("%s", saveErr)
	}
	return err
}

// writable tries the files that the run is to write, before it begins: what was measured would be lost. A histogram needs latencies.
func writable(e *env.Env, o common, s crew.Spec) error {
	if k, ok := crew.KindOf(s.Kind); o.hdr != "" && ok && k.Covers == "" && !s.Stamp {
		err := fail.Usagef("--hdr %s: bench %s measures no latencies", o.hdr, s.Kind)
		if s.Kind == "sub" {
			return fail.Hint(err, "--latency reads those that bench pub --latency makes possible")
		}
		return err
	}
	for _, name := range append([]string{o.csv, o.hdr}, o.reports...) {
		if name == "" {
			continue
		}
		d, err := e.Files.Create(name)
		if err != nil {
			if where := (*fs.PathError)(nil); errors.As(err, &where) { // it tells of a temporary name
				err = where.Err
			}
			return fmt.Errorf("%s cannot be written: %w", name, err)
		}
		d.Discard()
	}
	return nil
}

// save writes the files that were asked for, and returns a line for each.
func save(e *env.Env, o common, r *meter.Report) ([]string, error) {
	var said []string
	var errs []error
	file := func(name, what string, write func(io.Writer) error) {
		if name == "" || len(r.Sides) == 0 {
			return
		}
		var b bytes.Buffer
		err := write(&b)
		if err == nil {
			err = e.Files.WriteFile(name, b.Bytes())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("saving %s: %w", name, err))
			return
		}
		said = append(said, fmt.Sprintf("Saved %s %s", what, name))
	}
	file(o.csv, "metric data in csv file", r.WriteCSV)
	file(o.hdr, "latency histogram in", func(w io.Writer) error { return r.WriteHDR(w, o.hdr) })
	for _, name := range o.reports {
		file(name, "report in", func(w io.Writer) error { return writeReport(w, r, name) })
	}
	return said, errors.Join(errs...)
}

func writeReport(w io.Writer, r *meter.Report, name string) error {
	format, err := reportFormat(name)
	if err != nil {
		return err
	}
	switch format {
	case "md":
		return r.WriteMarkdown(w)
	case "html":
		return r.WriteHTML(w)
	}
	data, err := r.JSON()
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// load fills what a body says into a run.
func (o *body) load(e *env.Env, s *crew.Spec) error {
	s.Header, s.Random = o.header, o.random
	if o.payload == "" {
		return nil
	}
	data, err := e.Files.ReadFile(o.payload)
	if err != nil {
		return fmt.Errorf("payload file %s: %w", o.payload, err)
	}
	if len(data) == 0 {
		return fail.Usagef("payload file %s is empty", o.payload)
	}
	s.Payload = data
	return nil
}
