package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
)

// described are all nodes of the tree by their path.
func described() map[string]command.Doc {
	out := map[string]command.Doc{}
	for _, n := range Tree() {
		n.Walk(nil, func(d command.Doc) { out[d.Command()] = d })
	}
	return out
}

// models are all commands as the parser knows them, by their path.
func models() (*fisk.ApplicationModel, map[string]*fisk.CmdModel) {
	app := Program("").Model()
	out := map[string]*fisk.CmdModel{}
	var walk func(path string, commands []*fisk.CmdModel)
	walk = func(path string, commands []*fisk.CmdModel) {
		for _, c := range commands {
			p := strings.TrimSpace(path + " " + c.Name)
			out[p] = c
			walk(p, c.Commands)
		}
	}
	walk("", app.Commands)
	return app, out
}

func TestEveryVerbIsDescribed(t *testing.T) {
	_, parsed := models()
	for path, d := range described() {
		short := []rune(d.Meta.Short)
		if len(short) == 0 || !unicode.IsUpper(short[0]) || strings.HasSuffix(d.Meta.Short, ".") {
			t.Errorf("%s: Short %q must begin with a capital and end without a full stop", path, d.Meta.Short)
		}
		m := parsed[path]
		if m == nil {
			t.Errorf("%s is not in the parser's tree", path)
			continue
		}
		if d.Group {
			continue
		}
		if len(d.Examples) == 0 && !d.Meta.Hidden && d.Meta.Instead == "" {
			t.Errorf("%s has no example", path)
		}
		if (d.Output == command.Value || d.Output == command.Feed) && d.Result == nil {
			t.Errorf("%s prints a result but does not say of which type", path)
		}
		if d.Effect == command.Destroys && flag(m.Flags, "force") == nil {
			t.Errorf("%s destroys and has no --force", path)
		}
		for _, f := range m.Flags {
			if f.Name != strings.ToLower(f.Name) || strings.Contains(f.Name, "_") {
				t.Errorf("%s: flag --%s is not kebab-case", path, f.Name)
			}
			if f.Help == "" {
				t.Errorf("%s: flag --%s has no help", path, f.Name)
			}
		}
	}
}

// TestAliasesAreUnique: the parser takes the last of two equal words without a word.
func TestAliasesAreUnique(t *testing.T) {
	app, parsed := models()
	allowed := map[string]string{"auth account": "i"} // imports and info, as in the surface
	check := func(path string, commands []*fisk.CmdModel) {
		seen := map[string]string{}
		for _, c := range commands {
			for _, w := range append([]string{c.Name}, c.Aliases...) {
				if other, ok := seen[w]; ok && allowed[path] != w {
					t.Errorf("%s: %q means both %s and %s", path, w, other, c.Name)
				}
				seen[w] = c.Name
			}
		}
	}
	check("", app.Commands)
	for path, c := range parsed {
		check(path, c.Commands)
	}
}

// TestPromptsNameFlagsThatExist reads the questions in the source: each names the flag or argument that answers it.
func TestPromptsNameFlagsThatExist(t *testing.T) {
	_, parsed := models()
	known := map[string]bool{}
	for path, c := range parsed {
		group := strings.Fields(path)[0]
		for _, f := range c.Flags {
			known[group+" --"+f.Name] = true
		}
		for _, a := range c.Args {
			known[group+" "+a.Name] = true
		}
	}
	question := regexp.MustCompile(`Flag:\s*"([^"]+)"`)
	for path, d := range described() {
		if !d.Group && len(d.Path) > 1 {
			continue
		}
		dir := strings.Join(append([]string{packageOf(d.Path[0])}, d.Path[1:]...), "/") // a sub-group may be a package of its own
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			src, err := os.ReadFile(dir + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range question.FindAllStringSubmatch(string(src), -1) {
				if !known[d.Path[0]+" "+m[1]] {
					t.Errorf("%s/%s asks a question answered by %q, which nats %s does not have", dir, e.Name(), m[1], path)
				}
			}
		}
	}
}

// packageOf is the directory of a top-level command.
func packageOf(name string) string {
	switch name {
	case "publish":
		return "pub"
	case "subscribe":
		return "sub"
	case "service":
		return "micro"
	}
	return name
}

type surface struct {
	GlobalFlags []surfaceFlag    `json:"global_flags"`
	Commands    []surfaceCommand `json:"commands"`
}

type surfaceCommand struct {
	Path    string        `json:"path"`
	Aliases []string      `json:"aliases"`
	Hidden  bool          `json:"hidden"`
	Tags    []string      `json:"tags"`
	Args    []surfaceArg  `json:"args"`
	Flags   []surfaceFlag `json:"flags"`
}

type surfaceArg struct {
	Name       string `json:"name"`
	Required   bool   `json:"required"`
	Cumulative bool   `json:"cumulative"`
}

type surfaceFlag struct {
	Name       string   `json:"name"`
	Short      string   `json:"short"`
	Envar      string   `json:"envar"`
	Default    []string `json:"default"`
	Values     []string `json:"values"`
	Boolean    bool     `json:"boolean"`
	Negatable  bool     `json:"negatable"`
	Cumulative bool     `json:"cumulative"`
	Hidden     bool     `json:"hidden"`
	Required   bool     `json:"required"`
}

func flag(flags []*fisk.FlagModel, name string) *fisk.FlagModel {
	for _, f := range flags {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// list reads a file of lines; what follows a # is the reason.
func list(t *testing.T, name string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, l := range strings.Split(string(data), "\n") {
		line, why, _ := strings.Cut(l, "#")
		if line = strings.TrimSpace(line); line != "" {
			out[line] = strings.TrimSpace(why)
		}
	}
	return out
}

// TestSurface: every command line of the reference is accepted with the same meaning. pending.txt lists the commands that
// are not built yet and may only shrink; differences.txt lists what is deliberately otherwise, each with its reason.
func TestSurface(t *testing.T) {
	data, err := os.ReadFile("testdata/surface.json")
	if err != nil {
		t.Fatal(err)
	}
	var want surface
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	pending, differs := list(t, "testdata/pending.txt"), list(t, "testdata/differences.txt")
	used := map[string]bool{}
	app, have := models()
	report := func(what, format string, args ...any) {
		if why, ok := differs[what]; ok && why != "" {
			used[what] = true
			return
		}
		t.Errorf("%s: %s", what, fmt.Sprintf(format, args...))
	}
	checkFlags("", want.GlobalFlags, app.Flags, report)
	known := map[string]bool{}
	for _, c := range want.Commands {
		known[c.Path] = true
		m, built := have[c.Path]
		_, waiting := pending[c.Path]
		switch {
		case built && waiting:
			t.Errorf("%s is built: take it out of pending.txt", c.Path)
		case !built && !waiting:
			t.Errorf("%s is missing and not in pending.txt", c.Path)
		case built:
			checkCommand(c, m, report)
		}
	}
	for p := range pending {
		if !known[p] {
			t.Errorf("pending.txt lists %s, which the surface does not have", p)
		}
	}
	for d := range differs {
		if !used[d] {
			t.Errorf("differences.txt lists %s, which does not differ", d)
		}
	}
}

func checkCommand(want surfaceCommand, have *fisk.CmdModel, report func(what, format string, args ...any)) {
	for _, a := range want.Aliases {
		if !slices.Contains(have.Aliases, a) {
			report(want.Path, "alias %s is missing", a)
		}
	}
	if want.Hidden != have.Hidden {
		report(want.Path+" hidden", "hidden is %v, want %v", have.Hidden, want.Hidden)
	}
	for _, tag := range want.Tags {
		if !slices.Contains(have.Tags, tag) {
			report(want.Path+" tags", "tag %s is missing, has %v", tag, have.Tags)
		}
	}
	for i, a := range want.Args {
		if i >= len(have.Args) || have.Args[i].Name != a.Name {
			report(want.Path+" "+a.Name, "argument %d is not %s", i+1, a.Name)
			continue
		}
		if h := have.Args[i]; h.Required != a.Required || h.Cumulative != a.Cumulative {
			report(want.Path+" "+a.Name, "required %v and cumulative %v, want %v and %v", h.Required, h.Cumulative, a.Required, a.Cumulative)
		}
	}
	checkFlags(want.Path, want.Flags, have.Flags, report)
}

func checkFlags(path string, want []surfaceFlag, have []*fisk.FlagModel, report func(what, format string, args ...any)) {
	for _, w := range want {
		what := strings.TrimSpace(path + " --" + w.Name)
		h := flag(have, w.Name)
		if h == nil {
			report(what, "is missing")
			continue
		}
		short := ""
		if h.Short != 0 {
			short = string(h.Short)
		}
		if w.Short != "" && short != w.Short {
			report(what, "short is %q, want %q", short, w.Short)
		}
		if h.Envar != w.Envar && w.Envar != "" {
			report(what, "variable is %q, want %q", h.Envar, w.Envar)
		}
		if h.IsBoolFlag() != w.Boolean || (w.Negatable && !h.IsNegatable()) {
			report(what, "boolean %v and negatable %v, want %v and %v", h.IsBoolFlag(), h.IsNegatable(), w.Boolean, w.Negatable)
		}
		if h.Cumulative != w.Cumulative {
			report(what, "cumulative is %v, want %v", h.Cumulative, w.Cumulative)
		}
		if h.Required != w.Required || h.Hidden != w.Hidden {
			report(what, "required %v and hidden %v, want %v and %v", h.Required, h.Hidden, w.Required, w.Hidden)
		}
		if strings.Join(w.Default, "") != "" && !slices.Equal(h.Default, w.Default) {
			report(what, "default is %q, want %q", h.Default, w.Default)
		}
		for _, v := range w.Values {
			if err := h.Value.Set(v); err != nil {
				report(what, "value %s is refused: %v", v, err)
				break
			}
		}
	}
}
