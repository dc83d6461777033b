package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/choria-io/fisk"
	archive "github.com/nats-io/jsm.go/backup"

	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

type validateOptions struct {
	source   string
	progress bool
}

func validateVerb() command.Node {
	return command.Verb[validateOptions]{
		Meta: command.Meta{
			Name: "validate", Short: "Prove that a backup is whole and can be restored",
			Long: "The archive is read to its end and each entry checked as a server would on restore. Where the backup has a manifest, the files are compared with their SHA-256 in it first.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: proof{},
		Examples: []command.Example{
			{Line: "nats backup validate --help", Says: "source", About: "With a backup at hand: nats backup validate ./ORDERS"},
		},
		Bind: func(c *fisk.CmdClause, o *validateOptions) {
			c.Arg("source", "The directory of the backup").Required().StringVar(&o.source)
			c.Flag("progress", "Show progress on a terminal").Default("true").BoolVar(&o.progress)
		},
		Run: runValidate,
	}
}

// proof is what was found in a backup that is whole.
type proof struct {
	Entries   int    `json:"entries"`
	Consumers int    `json:"consumers"`
	Messages  uint64 `json:"messages"`
	Subjects  int    `json:"num_subjects"`
	FirstSeq  uint64 `json:"first_seq"`
	LastSeq   uint64 `json:"last_seq"`
	Files     int    `json:"files_in_manifest"` // 0 when there is no manifest
}

// View is one line.
func (r proof) View(p *render.Page) {
	p.Line("OK: %s entries, %s consumers, %s messages, %s subjects, sequences %s to %s", render.Count(r.Entries), render.Count(r.Consumers), render.Count(r.Messages),
		render.Count(r.Subjects), render.Count(r.FirstSeq), render.Count(r.LastSeq))
}

func runValidate(_ context.Context, e *env.Env, o validateOptions) error {
	dir, err := directory(e, o.source)
	if err != nil {
		return err
	}
	manifest, err := backup.Prove(dir)
	if err != nil && !errors.Is(err, backup.ErrNoManifest) {
		return fmt.Errorf("backup %s: %w", o.source, err)
	}
	bar := progressBar{e: e, label: "Reading " + o.source, on: o.progress}
	report, err := archive.Verify(dir, archive.ScanNotify(bar.notify))
	bar.close()
	if err != nil {
		return fmt.Errorf("backup %s: %w", o.source, err)
	}
	return e.Out.Print(proof{
		Entries: report.Entries, Consumers: report.Consumers, Messages: report.Messages, Subjects: report.NumSubjects, FirstSeq: report.FirstSeq, LastSeq: report.LastSeq,
		Files: len(manifest.Files),
	})
}
