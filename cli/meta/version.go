package meta

import (
	"context"
	"runtime"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

type versionOptions struct{}

func versionVerb() command.Node {
	return command.Verb[versionOptions]{
		Meta:   command.Meta{Name: "version", Short: "Show which nats this is", Long: "For scripts that only want the number there is nats --version."},
		Output: command.Value, Result: build{},
		Examples: []command.Example{{Line: "nats version --json", Says: `"version"`, About: "For a bug report"}},
		Run: func(_ context.Context, e *env.Env, _ versionOptions) error {
			return e.Out.Print(build{Build: e.Build, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH})
		},
	}
}

type build struct {
	env.Build
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// View lists what is known of the binary.
func (b build) View(p *render.Page) {
	p.Heading("nats %s", b.Version)
	p.FieldIf(b.Commit != "", "Commit", b.Commit)
	p.FieldIf(b.Date != "", "Date", b.Date)
	p.Field("Go", b.Go)
	p.Field("Platform", b.Platform)
}
