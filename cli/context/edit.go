package context

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/kballard/go-shellquote"
	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/prompt"
)

type editOptions struct {
	name string
	file string
}

func editVerb() command.Node {
	return command.Verb[editOptions]{
		Meta: command.Meta{
			Name: "edit", Aliases: []string{"vi"}, Short: "Change a context in your editor",
			Long: `$VISUAL, else $EDITOR, is opened on the context as commented YAML, with its secrets, in a file that nobody else can read and that is removed afterwards. A text that cannot be stored is opened again. A context whose file cannot be read is opened as it stands.

Without a terminal the editor runs once, for scripts such as EDITOR='sed -i s/old/new/'; --file needs no editor.`,
		},
		Effect: command.Writes, Output: command.Value, Result: detailsShape{},
		Names:    command.Names{"name": command.Contexts},
		Examples: []command.Example{{Line: `printf 'url: nats://staging.example.net\n' | nats context edit dev --file -`, Says: "staging.example.net", About: "The new text from a pipe, to the exclusion of all other settings", Needs: []string{"context add dev"}}},
		Bind: func(c *fisk.CmdClause, o *editOptions) {
			c.Arg("name", "Name of the context").Required().StringVar(&o.name)
			c.Flag("file", "Take the new text from FILE instead of an editor; - is standard input").PlaceHolder("FILE").StringVar(&o.file)
		},
		Run: runEdit,
	}
}

func runEdit(ctx context.Context, e *env.Env, o editOptions) error {
	s := store(e)
	st, err := s.Load(ctx, o.name)
	if b, broken := isBroken(err); broken && b.Path == s.Path(o.name) {
		err = mend(ctx, e, o, b)
	} else if err == nil {
		err = change(ctx, e, o, s, st)
	}
	if err != nil {
		return err
	}
	if st, err = s.Load(ctx, o.name); err != nil {
		return err
	}
	return show(ctx, e, st, false)
}

// change has the user edit the settings. Saving belongs to what may send the text back to the editor: nothing typed is lost.
func change(ctx context.Context, e *env.Env, o editOptions, s *contexts.Store, st *contexts.Stored) error {
	if st.ReadOnly {
		return s.Save(ctx, st) // which says so
	}
	before, err := st.EditText()
	if err != nil {
		return err
	}
	q := question(fmt.Sprintf("Edit context %q", st.Name), "--file")
	q.Suffix = ".yaml"
	q.Validate = func(text string) error {
		if text == string(before) {
			return nil
		}
		edited, err := st.Edited([]byte(text))
		if err != nil {
			return err
		}
		return s.Save(ctx, edited)
	}
	_, err = edit(ctx, e, o, q, before)
	return err
}

// mend has the user edit a file that cannot be read as a context until it can.
func mend(ctx context.Context, e *env.Env, o editOptions, b *contexts.BrokenError) error {
	data, err := os.ReadFile(b.Path)
	if err != nil {
		return err
	}
	e.Say("Could not load context %s: %s", o.name, b.Err)
	q := question(fmt.Sprintf("Edit context %q", o.name), "--file")
	q.Suffix = ".json"
	q.Validate = func(text string) error {
		if _, err := natscontext.NewFromBytesRaw([]byte(text)); err != nil {
			return fail.Newf(fail.Failure, "context %q: %w", o.name, err)
		}
		return nil
	}
	text, err := edit(ctx, e, o, q, data)
	if err != nil {
		return err
	}
	return e.Files.WriteFile(b.Path, text)
}

// edit takes the new text from --file, or opens the editor on the terminal, again and again while the text is refused. Without a
// terminal a $VISUAL or $EDITOR that needs none runs once.
func edit(ctx context.Context, e *env.Env, o editOptions, q prompt.Question, text []byte) ([]byte, error) {
	if o.file != "" {
		text, err := e.Files.ReadFile(o.file)
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		return text, q.Validate(string(text))
	}
	if !e.Prompt.Available() {
		for _, name := range []string{"VISUAL", "EDITOR"} {
			if line := strings.TrimSpace(e.Getenv(name)); line != "" {
				return editOnce(ctx, e, q, name, line, text)
			}
		}
	}
	return e.Prompt.Edit(ctx, q, text)
}

// editOnce runs the editor on a private file that is removed on every path.
func editOnce(ctx context.Context, e *env.Env, q prompt.Question, variable, line string, text []byte) (edited []byte, err error) {
	argv, err := shellquote.Split(line)
	if err != nil || len(argv) == 0 || argv[0] == "" {
		return nil, fail.Usagef("$%s %q is not a command line", variable, line)
	}
	dir, err := e.Files.TempDir()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "context"+q.Suffix)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	_, stderr, exit, err := e.Exec(ctx, append(argv, path), payload.CleanEnviron(e.Environ()), nil)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fail.Newf(fail.Failure, "editor %s: %w", argv[0], err)
	case exit != 0:
		return nil, fail.Newf(fail.Failure, "editor %s: exit status %d%s", argv[0], exit, said(stderr))
	}
	if edited, err = os.ReadFile(path); err != nil {
		return nil, fail.Newf(fail.Failure, "editor %s: it left no file behind", argv[0])
	}
	return edited, q.Validate(string(edited))
}

// said is the first line of what a program complained of.
func said(stderr []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(stderr)), "\n")
	if line == "" {
		return ""
	}
	return ": " + line
}
