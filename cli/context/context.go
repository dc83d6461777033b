// Package context holds the commands about contexts: named sets of connection settings.
package context

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
)

// Command is `nats context`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "context", Aliases: []string{"ctx"}, Short: "Manage named sets of connection settings",
			Long: "A context keeps where to connect and as whom under a name. The selected one is used when no other is named with --context.",
		},
		Nodes: func() []command.Node {
			return []command.Node{
				addVerb(), copyVerb(), lsVerb(), rmVerb(), selectVerb(), unselectVerb(), previousVerb(), infoVerb(), validateVerb(),
				editVerb(), protectVerb(), unprotectVerb(), trustVerb(), untrustVerb(),
			}
		},
	}
}

// store is the collection of contexts as seen from the working directory of this command line.
func store(e *env.Env) *contexts.Store {
	dir := e.Files.Path(".")
	if !filepath.IsAbs(dir) {
		return e.Contexts // which asks for the working directory of the process itself
	}
	return e.Contexts.In(dir)
}

// pick loads the context that is meant: name, else --context, else the selected one.
func pick(ctx context.Context, e *env.Env, name string) (*contexts.Stored, error) {
	s := store(e)
	if name != "" {
		return load(ctx, e, s, name)
	}
	if v := e.Request.Context.Values; len(v) > 0 && v[0] != "" && !e.Request.NoContext {
		st, err := load(ctx, e, s, v[0])
		if err != nil {
			return nil, fmt.Errorf("%w (%s)", err, e.Request.Context.From)
		}
		return st, nil
	}
	if !e.Request.NoContext {
		selected, err := s.Selected(ctx)
		if err != nil {
			return nil, err
		}
		if selected != "" {
			st, err := s.Load(ctx, selected)
			if err != nil {
				return nil, fmt.Errorf("%w (selected)", err)
			}
			return st, nil
		}
	}
	return nil, fail.Usagef("no default context and no name supplied").WithHint("name one of nats context ls, or choose it with nats context select")
}

// load takes a name, or the path of a *.json file as --context does.
func load(ctx context.Context, e *env.Env, s *contexts.Store, name string) (*contexts.Stored, error) {
	if strings.HasSuffix(name, ".json") && strings.ContainsAny(name, `/\`) {
		return s.LoadFile(ctx, e.Files.Path(name))
	}
	return s.Load(ctx, name)
}

// unloadable tells people of a context that cannot be read.
func unloadable(e *env.Env, name string, err error) {
	e.Say("Could not load context %s: %s", name, cause(name, err))
}

// cause is the error without the name that stands in front of it already.
func cause(name string, err error) string {
	return strings.TrimPrefix(err.Error(), fmt.Sprintf("context %q: ", name))
}

// isBroken reports whether err is about the file of that context, and not about one that is missing.
func isBroken(err error) (*contexts.BrokenError, bool) {
	var b *contexts.BrokenError
	ok := errors.As(err, &b)
	return b, ok
}

// question asks for what answer, an argument or one of the flags of every command, would have said.
func question(message, answer string) prompt.Question {
	q := prompt.Question{Message: message}
	q.Flag = answer
	return q
}
