package device

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
)

// state is the directory in which a device keeps what must survive a restart.
type state string

func (s state) file(name string) string { return filepath.Join(string(s), name) }

// home is the state directory, made if it is not there: --state, else one below $XDG_STATE_HOME or ~/.local/state.
func (o *agentOptions) home(e *env.Env) (state, error) {
	dir := o.state
	if dir != "" {
		dir = e.Files.Path(dir)
	} else {
		root := e.Getenv("XDG_STATE_HOME")
		if root == "" {
			home := e.Getenv("HOME")
			if home == "" {
				var err error
				if home, err = os.UserHomeDir(); err != nil {
					return "", fail.Usagef("no home directory for the state: pass --state DIR")
				}
			}
			root = filepath.Join(home, ".local", "state")
		}
		name := "agent"
		if o.id != "" {
			name = "agent-" + o.id
		}
		dir = filepath.Join(root, "nats", "fleet", o.name, name)
	}
	return state(dir), os.MkdirAll(dir, 0o700)
}

// id is the id that the directory keeps; the first time it is made up of the machine's name and something nobody else has.
func (s state) id() (string, error) {
	path := s.file("id")
	text, err := os.ReadFile(path)
	switch id := strings.TrimSpace(string(text)); {
	case err == nil:
		if err := fleet.CheckID(id); err != nil {
			return "", fail.Hint(fail.Newf(fail.Failure, "%s: %w", path, err), "remove the file, or pass --id ID")
		}
		return id, nil
	case !errors.Is(err, os.ErrNotExist):
		return "", err
	}
	id := plain(hostname()) + "-" + strings.ToLower(rand.Text()[:8])
	return id, os.WriteFile(path, []byte(id+"\n"), 0o600)
}

// hostname is the name of the machine, without its domain.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "device"
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}

// plain is a name with what an id may hold, cut short.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), 40)]
}
