// Package command is the contract of a command: a verb is a value that declares itself and is run by one function, a group
// is a name over verbs. Building or parsing the tree does nothing.
package command

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/env"
)

// Node is a verb or a group; nothing else implements it.
type Node interface {
	// Attach declares the node below p; when its verb is the one named on the command line, s learns of it.
	Attach(p Parent, s *Selection)
	// Walk visits the node and all below it, parents first; path is the path of the parent.
	Walk(path []string, visit func(Doc))
}

// Parent is where a node is declared: *fisk.Application or *fisk.CmdClause.
type Parent interface {
	Command(name, help string) *fisk.CmdClause
}

// Meta is what verbs and groups have in common.
type Meta struct {
	Name    string   // the canonical word
	Short   string   // imperative, capital, no full stop
	Long    string   // what a person needs to know before using it
	Aliases []string // other words for it
	Hidden  bool     // works but is not listed
	Instead string   // deprecated: the line to type now; a warning says so
}

// Scope says whose connection a verb needs.
type Scope int

// The scopes.
const (
	Local  Scope = iota // none: it works without a server
	User                // an ordinary user
	System              // a user of the system account
)

// Effect says what a verb does to what it is pointed at.
type Effect int

// The effects.
const (
	Reads    Effect = iota
	Writes          // adds or changes
	Destroys        // removes what cannot be brought back: has a --force flag
)

// Output says what a verb writes to stdout, and by that which format flags it gets.
type Output int

// The outputs.
const (
	Value   Output = iota // one result
	Feed                  // results without an end
	Bytes                 // untouched bytes
	Screen                // a full screen
	Check                 // a monitoring check, with its own --format
	Nothing               // nothing
)

// Example is a command line that works, as help shows it and tests run it.
type Example struct {
	Line  string   // the command line, beginning with "nats " (or with a pipe into it)
	Says  string   // part of what it prints; for a Feed, the sign that it worked
	About string   // what it is good for, one short sentence
	Needs []string // lines run before it, without "nats"; "& " in front runs one beside it
}

// Doc is what the documentation and the tree tests know of a node.
type Doc struct {
	Path     []string // the canonical words, from the top
	Meta     Meta
	Group    bool
	Scope    Scope
	Effect   Effect
	Output   Output
	Result   reflect.Type // the type whose JSON a verb prints; nil when it has none
	Names    Names
	Examples []Example
}

// Command is the path as it is typed.
func (d Doc) Command() string { return strings.Join(d.Path, " ") }

// Group is a word over other words.
type Group struct {
	Meta
	Bind  func(*fisk.CmdClause) // only for flags that the surface puts on the group
	Nodes func() []Node         // a func, so that a command line pays only for the branch it names
}

// Attach declares the group, and its nodes only when the command line may mean them.
func (g Group) Attach(p Parent, s *Selection) {
	c := declare(p, g.Meta)
	if g.Bind != nil {
		g.Bind(c)
	}
	if !s.wants(g.Meta) {
		return
	}
	for _, n := range g.Nodes() {
		n.Attach(c, s)
	}
}

// Walk visits the group, then its nodes.
func (g Group) Walk(path []string, visit func(Doc)) {
	path = append(slices.Clone(path), g.Name)
	visit(Doc{Path: path, Meta: g.Meta, Group: true})
	for _, n := range g.Nodes() {
		n.Walk(path, visit)
	}
}

// Each is a node that is made anew for each tree: one whose verbs share the values of flags on their group.
type Each func() Node

// Attach declares a new node.
func (e Each) Attach(p Parent, s *Selection) { e().Attach(p, s) }

// Walk visits a new node.
func (e Each) Walk(path []string, visit func(Doc)) { e().Walk(path, visit) }

// Verb is one command. O holds its options: flags and arguments, filled by the parser.
type Verb[O any] struct {
	Meta
	Scope    Scope
	Effect   Effect
	Output   Output
	Result   any   // zero value of what is printed: its type is the JSON schema of docs and goldens
	Names    Names // which arguments and flags name existing things, for completion
	Examples []Example
	Bind     func(c *fisk.CmdClause, o *O)                    // declare flags and arguments; nothing else
	Check    func(o *O) error                                 // rules across flags; pure; its errors are usage errors
	Run      func(ctx context.Context, e *env.Env, o O) error // do it and print the result, once
}

// Attach declares the verb with its format flags and the one action that records it as selected.
func (v Verb[O]) Attach(p Parent, s *Selection) {
	c := declare(p, v.Meta)
	c.Tag(tags(v.Scope, v.Effect)...)
	o := new(O)
	if v.Bind != nil {
		v.Bind(c, o)
	}
	var f formatFlags
	f.bind(c, v.Output)
	if help := longHelp(v.Meta, v.Examples); help != "" {
		c.HelpLong(help)
	}
	c.Action(func(*fisk.ParseContext) error {
		*s = Selection{
			Path: c.FullCommand(), Doc: v.doc(strings.Fields(c.FullCommand())), Options: o,
			words: s.words, all: s.all, flags: &f,
			check: func() error {
				if v.Check == nil {
					return nil
				}
				return v.Check(o)
			},
			run: func(ctx context.Context, e *env.Env) error { return v.Run(ctx, e, *o) },
		}
		return nil
	})
}

// Walk visits the verb.
func (v Verb[O]) Walk(path []string, visit func(Doc)) {
	visit(v.doc(append(slices.Clone(path), v.Name)))
}

func (v Verb[O]) doc(path []string) Doc {
	d := Doc{Path: path, Meta: v.Meta, Scope: v.Scope, Effect: v.Effect, Output: v.Output, Names: v.Names, Examples: v.Examples}
	if v.Result != nil {
		d.Result = reflect.TypeOf(v.Result)
	}
	return d
}

func declare(p Parent, m Meta) *fisk.CmdClause {
	c := p.Command(m.Name, m.Short)
	for _, a := range m.Aliases {
		c.Alias(a)
	}
	if m.Hidden {
		c.Hidden()
	}
	return c
}

func tags(s Scope, e Effect) []string {
	var out []string
	switch s {
	case User:
		out = append(out, "scope:user")
	case System:
		out = append(out, "scope:system")
	}
	if s != Local {
		if e == Reads {
			out = append(out, "impact:ro")
		} else {
			out = append(out, "impact:rw")
		}
	}
	return out
}

func longHelp(m Meta, examples []Example) string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(m.Long))
	if len(examples) == 0 {
		return b.String()
	}
	if b.Len() > 0 {
		b.WriteString("\n\n")
	}
	b.WriteString("Examples:\n")
	for _, x := range examples {
		b.WriteString("\n")
		if x.About != "" {
			b.WriteString("   # " + x.About + "\n")
		}
		b.WriteString("   " + x.Line + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
