package env

import (
	"os"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/term"
)

// System is the world of the process itself. What depends on the command line is filled in by the shell.
func System() *Env {
	return &Env{
		IO: term.System(os.Getenv), Clock: clock.System(), Getenv: os.Getenv, Environ: os.Environ, Exec: payload.System,
		Files: Files{Stdin: os.Stdin},
	}
}
