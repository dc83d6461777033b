package shell

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
)

// jsonError is the error as one line of JSON.
func jsonError(err error, code fail.Code) string {
	type body struct {
		Code    fail.Code `json:"code"`
		Kind    string    `json:"kind"`
		Message string    `json:"message"`
		Hint    string    `json:"hint,omitempty"`
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]body{"error": {code, code.Kind(), err.Error(), fail.HintOf(err)}})
	return strings.TrimRight(buf.String(), "\n")
}

// wantsJSON is for errors that come before the format is known: a misspelt flag beside --json.
func wantsJSON(args []string, getenv func(string) string) bool {
	for i, a := range args {
		switch {
		case a == "--":
			return false
		case a == "--json", a == "--format=json", a == "--format=ndjson":
			return true
		case a == "--format" && i+1 < len(args) && (args[i+1] == "json" || args[i+1] == "ndjson"):
			return true
		}
	}
	return getenv("NATS_FORMAT") == "json"
}

// firstLine reads up to the first line end and no further than it must.
func firstLine(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReaderSize(oneByte{r}, 16).ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// oneByte hands out one byte a read, so that what follows the line stays for the command.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.r.Read(p[:1])
}

// newLog is a logger whose lines are narration: the reference's ">>>" lines under --trace, warnings always.
func newLog(e *env.Env, level slog.Level) *slog.Logger {
	return slog.New(&narrator{e: e, level: level})
}

type narrator struct {
	e     *env.Env
	level slog.Level
	attrs []slog.Attr
}

func (n *narrator) Enabled(_ context.Context, l slog.Level) bool { return l >= n.level }

func (n *narrator) Handle(_ context.Context, rec slog.Record) error {
	var b strings.Builder
	b.WriteString(rec.Message)
	add := func(a slog.Attr) bool {
		b.WriteString(" " + a.Key + "=" + a.Value.String())
		return true
	}
	for _, a := range n.attrs {
		add(a)
	}
	rec.Attrs(add)
	n.e.Say("%s", b.String())
	return nil
}

func (n *narrator) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *n
	c.attrs = append(append([]slog.Attr{}, n.attrs...), attrs...)
	return &c
}

func (n *narrator) WithGroup(string) slog.Handler { return n }
