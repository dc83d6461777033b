package jscmd

import (
	"context"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/payload"
)

// Translator puts bodies through the user's command, or leaves them as they are when there is none.
type Translator struct {
	e       *env.Env
	command *payload.Command
}

// NewTranslator prepares a command line; an empty one leaves bodies as they are. {{Stream}} in it is the stream.
func NewTranslator(e *env.Env, line, stream string) (*Translator, error) {
	t := &Translator{e: e}
	if line == "" {
		return t, nil
	}
	named := regexp.MustCompile(`\{\{\s*Stream\s*\}\}`).ReplaceAllLiteralString(line, stream)
	var err error
	t.command, err = payload.ParseTranslate(named)
	return t, err
}

// Body is what the command makes of a body. What it says on stderr is narration.
func (t *Translator) Body(ctx context.Context, subject string, h nats.Header, body []byte) ([]byte, error) {
	if t.command == nil {
		return body, nil
	}
	out, err := t.command.Run(ctx, payload.Exec{Run: payload.Runner(t.e.Exec), Environ: t.e.Environ()}, &payload.Values{Subject: subject, Header: h, Clock: t.e.Clock}, body)
	if len(out.Stderr) > 0 {
		t.e.Say("%s: %s", t.command.Name(), strings.TrimSpace(string(out.Stderr)))
	}
	return out.Stdout, err
}
