package cli

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/term"
)

// FuzzArguments: no argument list makes the program panic, and every one ends with a code of the table. Commands that need
// a server run with a context that is already cancelled, so that nothing is done to anything.
func FuzzArguments(f *testing.F) {
	for _, line := range []string{
		"pub foo bar", "sub foo --count=-5", "--server", "rtt 0", "stream add --subjects", "kv put b k -", "pub foo - -- -x",
		"context rm", "bench pub x --clients 0 --msgs 1", "req a b --replies 0 -r", "--jq=. stream ls", "stream info --format template={{", "help stream",
		"latency --server-b x --rate 0", "sub --translate ' ' x", "-H a:b pub", "pub x --send-on=zzz --count 1e9",
	} {
		f.Add(strings.ReplaceAll(line, " ", "\x00"))
	}
	program := Program("")
	f.Fuzz(func(t *testing.T, joined string) {
		args := strings.Split(joined, "\x00")
		for _, a := range args {
			if strings.HasPrefix(a, "--fisk-introspect") || strings.HasPrefix(a, "--completion") || strings.HasPrefix(a, "--help-") {
				t.Skip("these print to the process's own stdout")
			}
		}
		sel, err := program.Parse(args)
		if err != nil {
			if code := fail.CodeOf(err); code != fail.Usage {
				t.Fatalf("%q: exit code %d for %v", args, code, err)
			}
			return
		}
		if sel.Doc.Scope == command.Local || sel.Path == "server run" {
			return
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(fail.ErrInterrupted)
		var errs strings.Builder
		home := t.TempDir()
		program.Run(ctx, args, &env.Env{
			IO:    &term.Streams{In: strings.NewReader(""), Out: io.Discard, Err: &errs},
			Clock: clock.System(), Exec: payload.System, Files: env.Files{Dir: home, Stdin: strings.NewReader("")}, Environ: func() []string { return nil },
			Getenv: func(k string) string { return map[string]string{"HOME": home, "NATS_URL": "nats://127.0.0.1:1"}[k] },
		})
		if strings.Contains(errs.String(), "internal error") {
			t.Fatalf("%q: %s", args, errs.String())
		}
	})
}
