// Package backup is the commands about backups of streams.
package backup

import (
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/jsm.go"
	archive "github.com/nats-io/jsm.go/backup"

	"github.com/natskit/natskit/internal/backupcmd"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// Command is `nats backup`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "backup", Short: "Make, restore, prove and edit backups of streams",
			Long: "The backup of a stream is a directory with its configuration, an archive of its messages and consumers, and a manifest with the SHA-256 of both. edit, info, validate and lookup need no server; archives of servers before 2.15 can only be restored.",
		},
		Nodes: func() []command.Node {
			return []command.Node{
				backupcmd.Stream(command.Meta{Name: "stream"}),
				backupcmd.Account(command.Meta{Name: "account"}),
				command.Group{
					Meta: command.Meta{Name: "restore", Short: "Restore streams from their backups"},
					Nodes: func() []command.Node {
						return []command.Node{backupcmd.RestoreStream(command.Meta{Name: "stream"}), backupcmd.RestoreAccount(command.Meta{Name: "account"})}
					},
				},
				editVerb(),
				infoVerb(),
				validateVerb(),
				lookupVerb(),
			}
		},
	}
}

// directory is where the backup is; what is no directory is told apart from what is no backup.
func directory(e *env.Env, name string) (string, error) {
	path := e.Files.Path(name)
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fail.NotFoundf("backup %s does not exist", name)
	case err != nil:
		return "", err
	case !st.IsDir():
		return "", fail.Usagef("%s is no directory: name the directory of the backup", name)
	}
	if _, err := jsm.SnapshotDataPath(path); errors.Is(err, os.ErrNotExist) {
		return "", fail.NotFoundf("%s holds no backup: there is no %s in it", name, jsm.SnapshotDataFile)
	} else if err != nil {
		return "", fmt.Errorf("backup %s: %w", name, err)
	}
	return path, nil
}

// progressBar shows how much of the archive was read; on no terminal it shows nothing.
type progressBar struct {
	e     *env.Env
	label string
	on    bool
	bar   *term.Progress
}

func (b *progressBar) notify(p archive.Progress) {
	if !b.on {
		return
	}
	if b.bar == nil {
		b.bar = b.e.IO.Progress(b.e.Clock, b.label, int64(p.BytesTotal())*int64(p.Passes()), func(n int64) string { return render.HumaneBytes(uint64(n)) })
	}
	b.bar.Set(int64(p.BytesTotal())*int64(p.Pass()-1) + int64(p.BytesRead()))
}

func (b *progressBar) close() {
	if b.bar != nil {
		b.bar.Close()
	}
}
