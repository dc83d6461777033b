// Package env is everything a command may touch: it arrives as one argument, so that a test can replace the world.
package env

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// Env is the world of one command line.
type Env struct {
	IO       *term.Streams
	Out      *render.Renderer // set per verb from its format flags
	Prompt   prompt.Prompter
	Nats     Connector
	Contexts *contexts.Store // the named contexts on disk
	Clock    clock.Clock
	Log      *slog.Logger // stderr; Debug under --trace
	Files    Files
	Exec     Runner // editors, --translate, reply --command
	Getenv   func(string) string
	Environ  func() []string // the environment that children inherit, before secrets are taken out
	Build    Build

	// Settings resolves the effective settings without connecting. Verbs that connect have them from Nats.Effective;
	// this is for the commands about contexts, where a broken context is the subject and not an obstacle.
	Settings func(context.Context) (contexts.Resolved, error)
	// Request is what the command line and the environment said of the connection, before any context was read.
	Request contexts.Request

	// HoldInterrupts makes ^C an editor's until release is called; nil where nobody sends signals.
	HoldInterrupts func() (release func())

	ShowSecrets bool // --show-secrets
	UTC         bool // --utc: times for people in UTC
}

// Connector is the way to the network, and the only one for commands.
type Connector interface {
	// Conn is the shared connection: made on first use, closed when the command ends.
	Conn(context.Context) (*nats.Conn, error)
	// JetStream is nats.go's JetStream over Conn with domain, prefix and tracing applied.
	JetStream(context.Context) (jetstream.JetStream, error)
	// Manager is jsm.go's manager over Conn with the same settings.
	Manager(context.Context) (*jsm.Manager, error)
	// Dial makes a private connection with the same settings; the caller closes it.
	Dial(context.Context, ...nats.Option) (*nats.Conn, error)
	// Options are the settings as nats.go understands them, credentials resolved, for other engines of the protocol.
	Options(context.Context) (nats.Options, error)
	// Deadline bounds ctx by --timeout.
	Deadline(context.Context) (context.Context, context.CancelFunc)
	// Explain makes an error of connecting with Options name the server, the origin of the setting and the way out.
	Explain(error) error
	// Allowed ends the returned context when the server refuses something, with the violation as its cause, so that a
	// request that is not let through fails at once; contexts.Refusal then gives the reason.
	Allowed(context.Context) (context.Context, context.CancelFunc)
	// Effective are the settings in force, with their origins.
	Effective() contexts.Resolved
}

// Runner runs a program: argv, never a shell.
type Runner = payload.Runner

// Build says which binary this is.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"`
}

// BuildInfo reads the build from the binary; version is what the linker was told and wins when set.
func BuildInfo(version string) Build {
	b := Build{Version: "(devel)"}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.time":
				b.Date = s.Value
			}
		}
	}
	if version != "" {
		b.Version = version
	}
	return b
}

// Say writes one line of narration to stderr, "15:04:05 text".
func (e *Env) Say(format string, args ...any) {
	now := e.Clock.Now()
	if e.UTC {
		now = now.UTC()
	}
	e.IO.Say(now, format, args...)
}

// Child is how programs are run for messages: in the environment of this process without the secrets of the connection.
func (e *Env) Child() payload.Exec {
	secrets := contexts.SecretsOf(e.Nats.Effective())
	x := payload.Exec{Run: e.Exec, Environ: e.Environ()}
	for _, pair := range x.Environ {
		key, value, _ := strings.Cut(pair, "=")
		if value != "" && slices.Contains(secrets, value) {
			x.Secrets = append(x.Secrets, key)
		}
	}
	return x
}
