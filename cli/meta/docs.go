package meta

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/docgen"
	"github.com/natskit/natskit/internal/env"
)

func docsGroup(model func() *fisk.ApplicationModel, tree func() []command.Node) command.Node {
	return command.Group{
		Meta:  command.Meta{Name: "docs", Short: "Write the documentation of the commands", Hidden: true},
		Nodes: func() []command.Node { return []command.Node{docsWriteVerb(model, tree)} },
	}
}

type docsWriteOptions struct {
	dir string
}

func docsWriteVerb(model func() *fisk.ApplicationModel, tree func() []command.Node) command.Node {
	return command.Verb[docsWriteOptions]{
		Meta:   command.Meta{Name: "write", Short: "Write reference pages, man pages and cheats below a directory"},
		Effect: command.Writes, Output: command.Nothing,
		Examples: []command.Example{{Line: "nats docs write --dir docs", Says: "files below docs", About: "What make docs does"}},
		Bind: func(c *fisk.CmdClause, o *docsWriteOptions) {
			c.Flag("dir", "Directory to write below").Default("docs").StringVar(&o.dir)
		},
		Run: func(ctx context.Context, e *env.Env, o docsWriteOptions) error {
			files := docgen.Source{App: model(), Tree: tree()}.Files()
			return writeDocs(e, o.dir, files)
		},
	}
}

func writeDocs(e *env.Env, dir string, files map[string]string) error {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, generated := range []string{"reference", "man", "cheats"} {
		if err := os.RemoveAll(e.Files.Path(filepath.Join(dir, generated))); err != nil {
			return fmt.Errorf("clearing %s: %w", generated, err)
		}
	}
	for _, name := range names {
		target := e.Files.Path(filepath.Join(dir, filepath.FromSlash(name)))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	e.Say("wrote %d files below %s", len(files), dir)
	return nil
}
