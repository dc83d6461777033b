package sub

import (
	"context"
	"io"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
)

// printer puts messages where the flags want them.
type printer struct {
	e      *env.Env
	o      *subOptions
	feed   *render.Feed
	raw    io.Writer // bodies, dumps
	bodies []byte    // that wait for it
	dump   *payload.DumpDir
	buf    []byte
	tally  *tally
	live   *live // the picture on a terminal

	exec       payload.Exec
	values     payload.Values
	translated int // failures of the translating command
	files      int
	closed     bool
}

func newPrinter(ctx context.Context, e *env.Env, o *subOptions) (*printer, error) {
	p := &printer{e: e, o: o}
	if o.translator != nil {
		p.exec = e.Child()
		p.values.Clock = e.Clock
	}
	var err error
	switch {
	case o.report() || o.graph:
		p.tally = newTally()
		p.live, err = openLive(ctx, p)
		if err != nil {
			return nil, err
		}
	case o.dump == "-" || o.raw:
		p.raw = e.Out.Bytes()
	case o.dump != "":
		p.raw = e.Out.Bytes()
		if p.dump, err = payload.OpenDumpDir(e.Files.Path(o.dump)); err != nil {
			return nil, err
		}
	default:
		p.feed = e.Out.Feed()
	}
	return p, nil
}

// show writes one message; key is what a report by subscription counts it under.
func (p *printer) show(ctx context.Context, m *message, key string) error {
	if p.tally != nil {
		if p.o.reportSubjects {
			p.tally.add(m.subject, m.size())
		} else {
			p.tally.addKey(key, m.size())
		}
		return nil
	}
	if p.o.translator != nil {
		if err := p.translate(ctx, m); err != nil {
			return err
		}
		if m.answer != nil {
			if err := p.translate(ctx, m.answer); err != nil {
				return err
			}
		}
	}
	switch {
	case p.feed != nil:
		return p.feed.Emit(m)
	case p.o.raw:
		if err := p.body(m.data); err != nil || m.answer == nil {
			return err
		}
		return p.body(m.answer.data)
	case p.dump != nil:
		return p.toFile(m)
	}
	return p.toStdout(m)
}

// piece is how many bytes of bodies are collected before they are written.
const piece = 64 << 10

// body adds a body with what stands behind it to what is written next.
func (p *printer) body(data []byte) error {
	p.bodies = append(p.bodies, data...)
	switch {
	case p.o.delimiterSet:
		p.bodies = append(p.bodies, p.o.delimiter...)
	case len(data) > 0 && data[len(data)-1] != '\n':
		p.bodies = append(p.bodies, '\n')
	}
	if len(p.bodies) >= piece {
		return p.spill()
	}
	return nil
}

// spill hands the bodies that were collected on.
func (p *printer) spill() error {
	if len(p.bodies) == 0 {
		return nil
	}
	_, err := p.raw.Write(p.bodies)
	if p.bodies = p.bodies[:0]; cap(p.bodies) > 16*piece {
		p.bodies = nil // one huge body does not keep its memory
	}
	return err
}

func (m *message) msg() *nats.Msg {
	return &nats.Msg{Subject: string(m.subject), Reply: string(m.reply), Header: m.headers(), Data: m.data}
}

func (p *printer) toFile(m *message) error {
	n := m.number
	if m.stored != nil {
		n = m.stored.sequence
	}
	if _, err := p.dump.Write(n, m.msg()); err != nil {
		return err
	}
	if m.answer != nil {
		if _, err := p.dump.WriteReply(n, m.answer.msg()); err != nil {
			return err
		}
	}
	if p.files++; p.files%100 == 0 {
		_, err := io.WriteString(p.raw, ".")
		return err
	}
	return nil
}

func (p *printer) toStdout(m *message) error {
	for ; m != nil; m = m.answer {
		var err error
		if p.buf, err = payload.AppendDump(p.buf[:0], m.msg()); err != nil {
			return err
		}
		if _, err := p.raw.Write(append(p.buf, 0)); err != nil {
			return err
		}
	}
	return nil
}

// translate replaces the body by what the command makes of it. A failure is told and counted, and leaves no body.
func (p *printer) translate(ctx context.Context, m *message) error {
	p.values.Next(int(m.number))
	p.values.Subject, p.values.Reply, p.values.Header = string(m.subject), string(m.reply), m.headers()
	out, err := p.o.translator.Run(ctx, p.exec, &p.values, m.data)
	if len(out.Stderr) > 0 {
		p.e.Say("%s: %s", p.o.translator.Name(), strings.TrimRight(string(out.Stderr), "\n"))
	}
	m.data = out.Stdout
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.translated++
		m.data = nil
		p.e.Say("Error while translating msg body: %s", err)
	}
	return nil
}

// flush writes what waits, for a source that has nothing more for now.
func (p *printer) flush() error {
	if p.feed != nil {
		return p.feed.Flush()
	}
	if err := p.spill(); err != nil {
		return err
	}
	return p.e.Out.Flush()
}

// close ends the output with what there is to say at the end; a report is printed now.
func (p *printer) close(s *summary) error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.live.close()
	switch {
	case p.o.report():
		return p.e.Out.Print(p.tally.report(p.o, 0))
	case p.feed == nil:
		return p.flush()
	case s.Dropped > 0 && p.e.Out.Machine():
		return p.feed.Close(s)
	}
	return p.feed.Close(nil)
}

// verdict is what went wrong beside the messages.
func (p *printer) verdict() error {
	if p.translated > 0 {
		return fail.Partialf("%d bodies were not translated", p.translated)
	}
	return nil
}
