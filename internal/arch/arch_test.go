// Package arch holds no code: its tests read the source of the whole module and hold it to the layers and rules that
// docs/ARCHITECTURE.md describes.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/natskit/natskit/"

// file is one Go file of the module, parsed.
type file struct {
	path    string // slash-separated, from the root of the module
	pkg     string // directory, from the root
	test    bool
	ast     *ast.File
	set     *token.FileSet
	imports map[string]string // name used in the file → import path
}

func source(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || name == "bin" || name == "dist" || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		f := file{path: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), ast: parsed, set: set, imports: map[string]string{}}
		for _, i := range parsed.Imports {
			ip, _ := strconv.Unquote(i.Path.Value)
			name := importName(ip)
			if i.Name != nil {
				name = i.Name.Name
			}
			f.imports[name] = ip
		}
		out = append(out, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 30 {
		t.Fatalf("only %d files were found: the test looks in the wrong place", len(out))
	}
	return out
}

// importName guesses the package name of a path: enough for the rules, which name the packages they are about.
func importName(ip string) string {
	base := path.Base(ip)
	if len(base) > 1 && base[0] == 'v' && base[1] >= '0' && base[1] <= '9' {
		base = path.Base(path.Dir(ip))
	}
	return strings.TrimSuffix(base, ".go")
}

func (f file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

func (f file) in(dirs ...string) bool {
	for _, d := range dirs {
		if f.pkg == d || strings.HasPrefix(f.pkg, d+"/") {
			return true
		}
	}
	return false
}

func (f file) own() []string {
	var out []string
	for _, ip := range f.imports {
		if own, ok := strings.CutPrefix(ip, module); ok {
			out = append(out, own)
		}
	}
	return out
}

func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// group is the command group that a package below cli belongs to: its first two path elements.
func group(pkg string) string {
	parts := strings.Split(pkg, "/")
	if len(parts) < 2 || parts[0] != "cli" {
		return ""
	}
	return parts[1]
}

func TestLayers(t *testing.T) {
	domain := []string{"js", "sys", "payload", "meter", "wire", "embedded", "chart", "flagval", "fail", "clock", "fleet", "backup", "micro", "consumers", "store", "jsconf", "publish"}
	for _, f := range source(t) {
		for _, imp := range f.own() {
			switch {
			case under(imp, "nats"):
				t.Errorf("%s imports %s: nothing imports the command", f.path, imp)
			case f.pkg == "nats" && !f.test && imp != "cli":
				t.Errorf("%s imports %s: main imports cli and the standard library only", f.path, imp)
			case imp == "cli" && !f.in("nats") && f.pkg != "cli":
				t.Errorf("%s imports cli: only main and cli's own tests do", f.path)
			case f.in("cli") && f.pkg != "cli" && under(imp, "cli") && group(imp) != group(f.pkg):
				t.Errorf("%s imports %s: groups do not import each other", f.path, imp)
			case f.in("internal", "contexts") && !f.test && under(imp, "cli"):
				t.Errorf("%s imports %s: the machinery is below the groups", f.path, imp)
			case f.pkg != "cli" && f.in("cli") && !f.test && imp == "internal/shell" && f.pkg != "cli/meta":
				t.Errorf("%s imports %s: a command does not know the shell", f.path, imp)
			}
			if f.test {
				continue
			}
			for _, d := range domain {
				if f.in("internal/"+d) && slices.Contains([]string{"internal/env", "internal/render", "internal/prompt", "internal/command", "internal/shell"}, imp) {
					if d == "chart" && imp == "internal/render" {
						continue // charts are blocks of a page
					}
					t.Errorf("%s imports %s: domain packages return values and errors", f.path, imp)
				}
			}
			if f.in("contexts") && !slices.Contains([]string{"internal/fail", "internal/clock"}, imp) && !under(imp, "contexts") {
				t.Errorf("%s imports %s: the context library stands on fail and clock", f.path, imp)
			}
		}
	}
}

// fences says which packages may import a library.
var fences = []struct {
	library string
	allowed []string
	tests   bool // also outside, in tests
}{
	{"github.com/AlecAivazis/survey/v2", []string{"internal/prompt"}, false},
	{"github.com/jedib0t/go-pretty/v6", []string{"internal/render", "internal/term"}, false},
	{"github.com/dustin/go-humanize", []string{"internal/render"}, false},
	{"golang.org/x/term", []string{"internal/term", "internal/prompt"}, false},
	{"github.com/itchyny/gojq", []string{"internal/render", "internal/js"}, false},
	{"github.com/rogpeppe/go-internal/testscript", []string{"internal/testkit"}, true},
	{"github.com/creack/pty", []string{"internal/testkit"}, true},
	{"github.com/choria-io/fisk", []string{"internal/shell", "internal/command", "internal/flagval", "internal/docgen", "internal/asking", "internal/backupcmd", "internal/fleetcmd", "internal/streamcmd", "cli"}, true},
}

func TestFences(t *testing.T) {
	for _, f := range source(t) {
		for _, ip := range f.imports {
			for _, fence := range fences {
				if under(ip, fence.library) && !f.in(fence.allowed...) && !(f.test && fence.tests) {
					t.Errorf("%s imports %s: only %s may", f.path, ip, strings.Join(fence.allowed, ", "))
				}
			}
		}
	}
}

// symbols that only some packages may use: library path, name, where.
var symbols = []struct {
	path, name string
	allowed    []string
}{
	{"github.com/nats-io/nats-server/v2/server", "NewServer", []string{"internal/embedded", "internal/testkit"}},
	{"github.com/nats-io/nats-server/v2/server", "Run", nil},
	{"github.com/choria-io/fisk", "New", []string{"internal/shell"}},
	{"github.com/choria-io/fisk", "Newf", nil},
	{"github.com/choria-io/fisk", "EnableFileExpansion", []string{"internal/shell"}},
}

// methods of fisk that only the harness may call, wherever the receiver comes from.
var methods = map[string][]string{
	"PreAction":   {"internal/shell", "internal/command"},
	"Terminate":   {"internal/shell", "internal/command"},
	"Action":      {"internal/shell", "internal/command"},
	"GenericExit": nil,
}

func TestSymbols(t *testing.T) {
	for _, f := range source(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok {
				for _, s := range symbols {
					if f.imports[x.Name] == s.path && sel.Sel.Name == s.name && !f.in(s.allowed...) {
						t.Errorf("%s uses %s.%s: only %v may", f.at(n), x.Name, s.name, s.allowed)
					}
				}
			}
			if allowed, ok := methods[sel.Sel.Name]; ok && !f.in(allowed...) && f.in("cli", "internal") {
				if x, ok := sel.X.(*ast.Ident); !ok || f.imports[x.Name] == "" {
					t.Errorf("%s calls %s: only %v may", f.at(n), sel.Sel.Name, allowed)
				}
			}
			return true
		})
	}
}

// forbidden in commands: everything they touch arrives in their arguments.
var forbidden = map[string][]string{
	"os":        {"Exit", "Stdout", "Stderr", "Stdin", "Args", "Getenv", "LookupEnv", "Environ", "Setenv"},
	"fmt":       {"Print", "Println", "Printf"},
	"log":       {"*"},
	"time":      {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"},
	"os/signal": {"*"},
	"context":   {"Background", "TODO"},
}

func TestCommandsTouchOnlyWhatTheyAreGiven(t *testing.T) {
	for _, f := range source(t) {
		if f.test || !f.in("cli") {
			continue
		}
		allowBackground := f.path == "cli/cli.go"
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if !ok {
					return true
				}
				names := forbidden[f.imports[x.Name]]
				if (slices.Contains(names, n.Sel.Name) || slices.Contains(names, "*")) && !allowBackground {
					t.Errorf("%s uses %s.%s: commands are given their streams, clock, environment and context", f.at(n), x.Name, n.Sel.Name)
				}
			case *ast.CallExpr:
				if x, ok := n.Fun.(*ast.Ident); ok && x.Name == "panic" {
					t.Errorf("%s panics: commands return errors", f.at(n))
				}
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s has an init function", f.at(n))
				}
			}
			return true
		})
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if !isError(v) && !isEmbed(g) {
					t.Errorf("%s: package-level variable %s; state lives as long as one command line", f.at(v), v.Names[0].Name)
				}
			}
		}
	}
}

func isError(v *ast.ValueSpec) bool { return strings.HasPrefix(v.Names[0].Name, "err") }

func isEmbed(g *ast.GenDecl) bool {
	return g.Doc != nil && strings.Contains(g.Doc.Text()+comment(g), "go:embed")
}

func comment(g *ast.GenDecl) string {
	var b strings.Builder
	for _, c := range g.Doc.List {
		b.WriteString(c.Text)
	}
	return b.String()
}

func TestGroupsExportOnlyCommand(t *testing.T) {
	for _, f := range source(t) {
		if f.test || !f.in("cli") || f.pkg == "cli" {
			continue
		}
		for name, o := range exported(f.ast) {
			if name != "Command" {
				t.Errorf("%s exports %s: a group exports Command alone", f.at(o), name)
			}
		}
	}
}

// exported lists the exported identifiers declared at the top of a file. Methods do not count.
func exported(f *ast.File) map[string]ast.Node {
	out := map[string]ast.Node{}
	add := func(id *ast.Ident) {
		if id.IsExported() {
			out[id.Name] = id
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					add(s.Name)
				case *ast.ValueSpec:
					for _, n := range s.Names {
						add(n)
					}
				}
			}
		}
	}
	return out
}

// TestFileNames guards a trap: a file whose name ends in a system or processor is built only there, silently.
func TestFileNames(t *testing.T) {
	systems := strings.Fields("aix android darwin dragonfly freebsd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos unix " +
		"386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x wasm")
	for _, f := range source(t) {
		name := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test")
		if _, last, ok := strings.Cut(name, "_"); ok {
			parts := strings.Split(last, "_")
			if slices.Contains(systems, parts[len(parts)-1]) {
				t.Errorf("%s is built for %s only: name the file otherwise and use a build tag", f.path, parts[len(parts)-1])
			}
		}
	}
}

// TestSleep: waiting for time to pass is no synchronisation, in code or in tests.
func TestSleep(t *testing.T) {
	for _, f := range source(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if x, ok := sel.X.(*ast.Ident); ok && f.imports[x.Name] == "time" {
					t.Errorf("%s sleeps: wait for the condition", f.at(n))
				}
			}
			return true
		})
	}
}

func TestTopLevel(t *testing.T) {
	want := strings.Fields("cli contexts docs internal nats go.mod go.sum Makefile README.md LICENSE CHANGELOG.md")
	generated := strings.Fields("bin dist")
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || slices.Contains(generated, name) {
			continue
		}
		have = append(have, name)
		if !slices.Contains(want, name) {
			t.Errorf("%s does not belong at the top level", name)
		}
	}
	for _, w := range want {
		if !slices.Contains(have, w) {
			t.Errorf("%s is missing at the top level", w)
		}
	}
}
