package errors

import (
	"context"
	stderrors "errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type editOptions struct {
	file  string
	code  uint64
	given bool
	entry string
}

func editVerb() command.Node {
	return command.Verb[editOptions]{
		Meta: command.Meta{
			Name: "edit", Aliases: []string{"vi", "add", "new"}, Short: "Edit or add an error in a list",
			Long: "The error is edited as JSON in $VISUAL or $EDITOR; --entry takes it from a file instead. Without a code a new error gets the next free number. The file is made when it is missing. Then the whole list is checked: what was edited is saved, also when something else in the list is wrong.",
		},
		Scope: command.Local, Effect: command.Writes, Output: command.Value, Result: saved{},
		Examples: []command.Example{
			{Line: `printf '{"constant":"AErr","code":400,"error_code":10000,"description":"a"}' | nats errors edit list.json --entry -`, Says: "Validated 1 errors", About: "Add an error without an editor"},
		},
		Bind: func(c *fisk.CmdClause, o *editOptions) {
			c.Arg("file", "The file that holds the list").Required().StringVar(&o.file)
			c.Arg("code", "Number of the error to edit; without it a new one is made").IsSetByUser(&o.given).SetValue(flagval.NewUint64(&o.code).Max(65535))
			c.Flag("entry", "Take the error from this file instead of an editor; - is standard input").PlaceHolder("FILE").StringVar(&o.entry)
		},
		Check: func(o *editOptions) error {
			if o.file == "-" {
				return fail.Usagef("the list must be in a file: standard input cannot be saved to")
			}
			return nil
		},
		Run: runEdit,
	}
}

// saved is what was written, and what is wrong with the list as it is now.
type saved struct {
	File  string            `json:"file"`
	Added bool              `json:"added"`
	Error server.ErrorsData `json:"error"`
	List  verdict           `json:"list"`
}

// View says what was done, then judges the list.
func (s saved) View(p *render.Page) {
	if wordy(p) {
		verb := "Changed"
		if s.Added {
			verb = "Added"
		}
		p.Line("%s error %d (%s) in %s", verb, s.Error.ErrCode, s.Error.Constant, s.File)
	}
	s.List.View(p)
}

func runEdit(ctx context.Context, e *env.Env, o editOptions) error {
	list, mode, err := open(e, o.file)
	if err != nil {
		return err
	}
	at, before, err := target(list, o)
	if err != nil {
		return err
	}
	after, err := changed(ctx, e, o, before, at < len(list))
	if err != nil {
		return err
	}
	added := at == len(list)
	if added {
		list = append(list, after)
	} else {
		list[at] = after
	}
	data, err := encode(list)
	if err != nil {
		return fmt.Errorf("writing %s: %w", o.file, err)
	}
	if err := e.Files.WriteFile(o.file, data); err != nil {
		return fmt.Errorf("writing %s: %w", o.file, err)
	}
	if mode != 0 {
		if err := os.Chmod(e.Files.Path(o.file), mode); err != nil {
			return fmt.Errorf("writing %s: %w", o.file, err)
		}
	}
	s := saved{File: o.file, Added: added, Error: after.ErrorsData, List: judge(list)}
	if err := e.Out.Print(s); err != nil {
		return err
	}
	return s.List.err()
}

// open reads the list and the mode of its file; a file that is not there is an empty list of mode 0.
func open(e *env.Env, file string) ([]entry, fs.FileMode, error) {
	info, err := os.Stat(e.Files.Path(file))
	if stderrors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	} else if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", file, err)
	}
	list, err := load(e, file)
	return list, info.Mode().Perm(), err
}

// target is the place in the list and what stands there; a new error is past the end and has the next number.
func target(list []entry, o editOptions) (int, entry, error) {
	if o.given {
		at := slices.IndexFunc(list, func(x entry) bool { return uint64(x.ErrCode) == o.code })
		if at < 0 {
			return 0, entry{}, fail.NotFoundf("there is no error %d in %s", o.code, o.file).WithHint("nats errors add %s makes a new one", o.file)
		}
		return at, list[at], nil
	}
	next := lowest
	for _, x := range list {
		next = max(next, int(x.ErrCode)+1)
	}
	if next > 65535 {
		return 0, entry{}, fail.Newf(fail.Failure, "%s has no free number: 65535 is taken", o.file)
	}
	raw, err := indented(server.ErrorsData{ErrCode: uint16(next)})
	return len(list), entry{ErrorsData: server.ErrorsData{ErrCode: uint16(next)}, raw: raw}, err
}

// changed is the error after the edit, valid by itself.
func changed(ctx context.Context, e *env.Env, o editOptions, before entry, exists bool) (entry, error) {
	check := func(text string) error {
		x, err := strict([]byte(text), before.raw)
		if err != nil {
			return err
		}
		if why := reasons(x.ErrorsData); len(why) > 0 {
			return stderrors.New(strings.Join(why, "; "))
		}
		return nil
	}
	var data []byte
	var err error
	if o.entry != "" {
		if data, err = e.Files.ReadFile(o.entry); err != nil {
			return entry{}, fmt.Errorf("reading %s: %w", o.entry, err)
		}
		if err := check(string(data)); err != nil {
			return entry{}, fail.Usagef("--entry %s: %w", o.entry, err)
		}
		return strict(data, before.raw)
	}
	message := "New error"
	if exists {
		message = fmt.Sprintf("Error %d", before.ErrCode)
	}
	text, err := indented(before.raw)
	if err != nil {
		return entry{}, err
	}
	if data, err = e.Prompt.Edit(ctx, prompt.Question{Flag: "--entry", Message: message, Suffix: ".json", Validate: check}, text); err != nil {
		return entry{}, err
	}
	return strict(data, before.raw)
}
