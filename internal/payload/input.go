package payload

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload/ctxio"
)

// Input says where the bodies of messages come from.
//
// A body argument wins, also an empty one, and then stdin is never touched. Without one, or with the argument "-", stdin is read,
// unless it is a terminal that was not asked for by Force or "-". With neither there is one empty body. What stdout is connected to never
// matters, and @name is a text like any other.
type Input struct {
	Arg      *string   // the body argument; nil when none was given
	Stdin    io.Reader // standard input
	StdinTTY bool      // it is a terminal
	Force    bool      // --force-stdin: read it even so
	Lines    bool      // one body for each line instead of one for all of stdin
	Limit    int64     // the largest body in bytes, so that no more is kept in memory; 0 is none

	Templates      bool // --templates, on by default
	TemplatesAsked bool // the flag was given by hand
}

// FromStdin reports whether the bodies will be read from standard input.
func (in Input) FromStdin() bool {
	if in.Arg != nil && *in.Arg != "-" {
		return false
	}
	return in.Arg != nil || in.Force || !in.StdinTTY
}

// ExpandBody reports whether bodies are templates: one given as argument is, what is piped in only when that was asked for.
func (in Input) ExpandBody() bool {
	return in.Templates && (in.TemplatesAsked || !in.FromStdin())
}

// Text is the template of a body, or the body as it is, without a copy, when bodies are not to be expanded.
func (in Input) Text(b Body, scope Scope) (*Text, error) {
	if !in.ExpandBody() {
		return &Text{what: "body", raw: b.Data, plain: true}, nil
	}
	return Compile("body", string(b.Data), scope)
}

// Body is one body. Data from standard input is valid until the next one is asked for.
type Body struct {
	Data []byte
	Line int // its line in standard input, from 1; 0 for a body that is not a line
}

// Bodies are the bodies of an Input, one after the other.
type Bodies struct {
	in    Input
	ctx   context.Context
	src   *ctxio.Reader
	lines *Lines
	done  bool
}

// Open starts reading. The end of ctx ends a wait for standard input. Nothing is read before Next is called.
func (in Input) Open(ctx context.Context) *Bodies { return &Bodies{in: in, ctx: ctx} }

// Next is the next body; io.EOF after the last. There is exactly one body unless lines were asked for: then there are as
// many as there are lines. An error that wraps nats.ErrMaxPayload is about one line, and the call after goes on behind it.
func (b *Bodies) Next() (Body, error) {
	switch {
	case b.done:
		return Body{}, io.EOF
	case !b.in.FromStdin():
		b.done = true
		if b.in.Arg == nil {
			return Body{}, nil
		}
		return Body{Data: []byte(*b.in.Arg)}, nil
	case b.src == nil:
		b.src = ctxio.NewReader(b.ctx, b.in.Stdin)
	}
	if !b.in.Lines {
		b.done = true
		data, err := ReadWhole(b.src, b.in.Limit)
		if err != nil {
			return Body{}, b.named(err)
		}
		return Body{Data: data}, nil
	}
	if b.lines == nil {
		b.lines = NewLines(b.src)
		b.lines.Limit = b.in.Limit
	}
	line, err := b.lines.Next()
	if err != nil {
		b.done = !errors.Is(err, nats.ErrMaxPayload)
		return Body{}, b.named(err)
	}
	return Body{Data: line, Line: b.lines.Number()}, nil
}

func (b *Bodies) named(err error) error {
	if err == nil || err == io.EOF || b.ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("standard input: %w", err)
}

// Close releases what reading took; standard input stays open.
func (b *Bodies) Close() {
	b.done = true
	if b.src != nil {
		b.src.Close()
	}
}

// ReadWhole reads r to its end, byte for byte. More than limit bytes, if that is not 0, is an error before they fill the memory.
func ReadWhole(r io.Reader, limit int64) ([]byte, error) {
	if limit > 0 {
		r = io.LimitReader(r, limit+1)
	}
	data, err := io.ReadAll(r)
	if err == nil && limit > 0 && int64(len(data)) > limit {
		return nil, tooLong(limit)
	}
	return data, err
}

// tooLong carries the client library's error, whose text people know.
func tooLong(limit int64) error {
	return fail.Newf(fail.Failure, "%w: a message may hold %d bytes", nats.ErrMaxPayload, limit)
}
