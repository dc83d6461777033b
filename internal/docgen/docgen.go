// Package docgen writes documentation from the command tree: what a command is comes from its Doc, what it takes from the
// parser's model. It returns texts; writing files is the caller's.
package docgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
)

// Source is a command tree, twice: as the parser knows it and as it describes itself.
type Source struct {
	App  *fisk.ApplicationModel
	Tree []command.Node
}

// entry is one command with both of its descriptions.
type entry struct {
	doc   command.Doc
	model *fisk.CmdModel
	above []*fisk.FlagModel // flags of the groups above it
}

// entries are all commands below the named top-level one, itself first, in tree order. Hidden ones are left out.
func (s Source) entries(top string) []entry {
	models := map[string]entry{}
	var walk func(path string, above []*fisk.FlagModel, commands []*fisk.CmdModel)
	walk = func(path string, above []*fisk.FlagModel, commands []*fisk.CmdModel) {
		for _, c := range commands {
			p := strings.TrimSpace(path + " " + c.Name)
			models[p] = entry{model: c, above: above}
			walk(p, slices.Concat(above, c.Flags), c.Commands)
		}
	}
	walk("", nil, s.App.Commands)
	var out []entry
	hidden := ""
	for _, n := range s.Tree {
		n.Walk(nil, func(d command.Doc) {
			p := d.Command()
			if hidden != "" && strings.HasPrefix(p, hidden+" ") || d.Path[0] != top {
				return
			}
			if d.Meta.Hidden {
				hidden = p
				return
			}
			e := models[p]
			e.doc = d
			out = append(out, e)
		})
	}
	return out
}

// Groups are the top-level commands that are not hidden, in help order.
func (s Source) Groups() []string {
	var out []string
	for _, n := range s.Tree {
		n.Walk(nil, func(d command.Doc) {
			if len(d.Path) == 1 && !d.Meta.Hidden {
				out = append(out, d.Path[0])
			}
		})
	}
	return out
}

// Files are all generated documents by their path below docs/.
func (s Source) Files() map[string]string {
	out := map[string]string{"reference/README.md": s.index(), "reference/exit-codes.md": exitCodes(), "man/nats.1": s.manTop()}
	for _, g := range s.Groups() {
		out["reference/"+g+".md"] = s.reference(g)
		out["man/nats-"+g+".1"] = s.man(g)
		if text := s.Cheat(g); text != "" {
			out["cheats/"+g] = text
		}
	}
	return out
}

// Cheat is a page of examples for one top-level command, as `nats cheat` shows it; empty when there are none.
func (s Source) Cheat(top string) string {
	var b strings.Builder
	for _, e := range s.entries(top) {
		for _, x := range e.doc.Examples {
			about := x.About
			if about == "" {
				about = e.doc.Meta.Short
			}
			fmt.Fprintf(&b, "# %s\n%s\n\n", about, x.Line)
		}
	}
	return strings.TrimRight(b.String(), "\n") + trailing(b.Len())
}

func trailing(n int) string {
	if n == 0 {
		return ""
	}
	return "\n"
}

func exitCodes() string {
	var b strings.Builder
	b.WriteString("# Exit codes\n\nUnknown codes mean failure; new ones may be added.\n\n| code | kind | meaning | from |\n|---|---|---|---|\n")
	for _, r := range fail.Table {
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", r.Code, r.Kind, r.Meaning, r.From)
	}
	b.WriteString(`
A command whose normal end is an interrupt (` + "`sub`, `reply`, `serve`, `watch`, `server run`" + ` and the like) ends with 0 on SIGINT or SIGTERM.
With ` + "`--json`" + ` an error is one line of JSON on stderr: ` + "`{\"error\":{\"code\":4,\"kind\":\"not_found\",\"message\":…,\"hint\":…}}`" + `.
`)
	return b.String()
}

func (s Source) index() string {
	var b strings.Builder
	b.WriteString("# Commands\n\n")
	for _, g := range s.Groups() {
		e := s.entries(g)[0]
		fmt.Fprintf(&b, "* [`nats %s`](%s.md): %s\n", g, g, e.doc.Meta.Short)
	}
	b.WriteString("\nExit codes: [exit-codes.md](exit-codes.md)\n\n## Flags of every command\n\n")
	flagTable(&b, s.App.Flags)
	return b.String()
}

func (s Source) reference(top string) string {
	var b strings.Builder
	for i, e := range s.entries(top) {
		level := "##"
		if i == 0 {
			level = "#"
		}
		fmt.Fprintf(&b, "%s nats %s\n\n%s.\n\n", level, e.doc.Command(), e.doc.Meta.Short)
		if len(e.doc.Meta.Aliases) > 0 {
			fmt.Fprintf(&b, "Also: `%s`\n\n", strings.Join(e.doc.Meta.Aliases, "`, `"))
		}
		if long := strings.TrimSpace(e.doc.Meta.Long); long != "" {
			b.WriteString(long + "\n\n")
		}
		if e.doc.Group {
			if flags := visible(e.model.Flags); len(flags) > 0 {
				flagTable(&b, flags)
			}
			continue
		}
		fmt.Fprintf(&b, "```\n%s\n```\n\n", usage(e))
		for _, a := range e.model.Args {
			fmt.Fprintf(&b, "* `%s`: %s\n", a.Name, a.Help)
		}
		if len(e.model.Args) > 0 {
			b.WriteString("\n")
		}
		if flags := visible(slices.Concat(e.model.Flags, e.above)); len(flags) > 0 {
			flagTable(&b, flags)
		}
		if e.doc.Result != nil {
			fmt.Fprintf(&b, "JSON:\n\n```\n%s```\n\n", Shape(e.doc.Result))
		}
		for _, x := range e.doc.Examples {
			about := ""
			if x.About != "" {
				about = "# " + x.About + "\n"
			}
			fmt.Fprintf(&b, "```sh\n%s%s\n```\n\n", about, x.Line)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func visible(flags []*fisk.FlagModel) []*fisk.FlagModel {
	var out []*fisk.FlagModel
	for _, f := range flags {
		if !f.Hidden {
			out = append(out, f)
		}
	}
	return out
}

func flagTable(b *strings.Builder, flags []*fisk.FlagModel) {
	b.WriteString("| flag | default | what |\n|---|---|---|\n")
	for _, f := range visible(flags) {
		env := ""
		if f.Envar != "" {
			env = " (`$" + f.Envar + "`)"
		}
		def := ""
		if d := strings.Join(f.Default, ","); d != "" {
			def = "`" + d + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s%s |\n", spelling(f), def, strings.ReplaceAll(f.Help, "|", `\|`), env)
	}
	b.WriteString("\n")
}

// spelling is a flag as it may be typed: -f, --[no-]flag=VALUE.
func spelling(f *fisk.FlagModel) string {
	name := "--" + f.Name
	if f.IsNegatable() {
		name = "--[no-]" + f.Name
	}
	if f.Short != 0 {
		name = "-" + string(f.Short) + ", " + name
	}
	if !f.IsBoolFlag() {
		place := f.PlaceHolder
		if place == "" {
			place = strings.ToUpper(f.Name)
		}
		name += "=" + place
	}
	return name
}

func usage(e entry) string {
	parts := []string{"nats", e.doc.Command()}
	if len(visible(e.model.Flags)) > 0 {
		parts = append(parts, "[flags]")
	}
	for _, a := range e.model.Args {
		name := "<" + a.Name + ">"
		if a.Cumulative {
			name += "..."
		}
		if !a.Required {
			name = "[" + name + "]"
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, " ")
}
