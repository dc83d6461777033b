//go:build unix

package suite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// starts is how often each program is started.
const starts = 40

// startup compares `nats --version` with a main that only imports the same libraries.
func (s *suite) startup() {
	programs := []struct {
		name string
		cmd  []string
	}{
		{"a main that imports the same libraries", []string{buildBare(s.t)}},
		{"nats --version", []string{s.ours, "--version"}},
		{"nats --help", []string{s.ours, "--help"}},
		{"peer --version", []string{s.peer, "--version"}},
	}
	cpu, rss := make([][]time.Duration, len(programs)), make([][]int64, len(programs))
	for range starts {
		for i, p := range programs {
			if p.cmd[0] == "" {
				continue
			}
			cmd := s.program(p.cmd...)
			if err := cmd.Run(); err != nil {
				s.t.Fatalf("%s: %v", p.name, err)
			}
			c, r := cmd.used()
			cpu[i], rss[i] = append(cpu[i], c), append(rss[i], r)
		}
	}
	fmt.Printf("\n| start, median of %d | CPU ms | above bare | MiB resident | above bare |\n|---|---:|---:|---:|---:|\n", starts)
	for i, p := range programs {
		if len(cpu[i]) > 0 {
			c, r := median(cpu[i]), median(rss[i])
			fmt.Printf("| %s | %.1f | %+.1f | %.1f | %+.1f |\n", p.name, ms(c), ms(c-median(cpu[0])), mib(r), mib(r-median(rss[0])))
		}
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func mib(n int64) float64        { return float64(n) / (1 << 20) }

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	Standard                bool
}

// buildBare makes the main to compare with: it imports every library that the program imports, and names every function,
// variable and type of theirs that the program names, so that the linker keeps the same; it does nothing.
func buildBare(t *testing.T) string {
	t.Helper()
	root := module(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,Standard", "./nats")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	var mine []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.Dir, root+string(filepath.Separator)) {
			mine = append(mine, p)
		}
	}
	load := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	named := names{t: t, load: load, refs: map[string]map[string]bool{}}
	for _, p := range mine {
		for _, f := range p.GoFiles {
			named.read(filepath.Join(p.Dir, f))
		}
	}
	// It has to be in the module, to be built with its versions; directories with _ are no packages of it.
	dir, err := os.MkdirTemp(filepath.Join(root, "internal", "meter", "suite"), "_bare")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, named.source(), 0o600); err != nil {
		t.Fatal(err)
	}
	return build(t, "bare", file)
}

// names are the identifiers of libraries that the program uses, by package.
type names struct {
	t    *testing.T
	load types.Importer
	refs map[string]map[string]bool
}

// read adds those of a file.
func (n names) read(file string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	imported := map[string]*types.Package{}
	for _, im := range f.Imports {
		path := strings.Trim(im.Path.Value, `"`)
		if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") || strings.HasPrefix(path, "github.com/natskit/") {
			continue
		}
		p, err := n.load.Import(path)
		if err != nil {
			n.t.Fatal(err)
		}
		if n.refs[path] == nil {
			n.refs[path] = map[string]bool{}
		}
		name := p.Name()
		if im.Name != nil {
			name = im.Name.Name
		}
		imported[name] = p
	}
	ast.Inspect(f, func(node ast.Node) bool {
		sel, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && imported[x.Name] != nil {
			if o := imported[x.Name].Scope().Lookup(sel.Sel.Name); o != nil {
				n.add(o)
			}
		}
		return true
	})
}

// add writes down how a main would name an object; constants and what is generic leave nothing for the linker to keep.
func (n names) add(o types.Object) {
	at := n.refs[o.Pkg().Path()]
	switch o := o.(type) {
	case *types.Func:
		if sig, ok := o.Type().(*types.Signature); ok && sig.TypeParams().Len() == 0 {
			at["%s."+o.Name()] = true
		}
	case *types.Var:
		at["&%s."+o.Name()] = true
	case *types.TypeName:
		if named, ok := o.Type().(*types.Named); !ok || named.TypeParams().Len() == 0 {
			at["(*%s."+o.Name()+")(nil)"] = true
		}
	}
}

// source is the text of the main.
func (n names) source() []byte {
	var imports, body strings.Builder
	for i, path := range slices.Sorted(maps.Keys(n.refs)) {
		alias := fmt.Sprintf("p%d", i)
		if len(n.refs[path]) == 0 {
			alias = "_"
		}
		fmt.Fprintf(&imports, "\t%s %q\n", alias, path)
		for _, form := range slices.Sorted(maps.Keys(n.refs[path])) {
			fmt.Fprintf(&body, "\t\t"+form+",\n", alias)
		}
	}
	return fmt.Appendf(nil, "package main\n\nimport (\n\t\"os\"\n%s)\n\nfunc main() {\n\tif len(os.Args) > 1 { // never: it keeps what it names\n\t\tkeep = []any{\n%s\t\t}\n\t}\n}\n\nvar keep []any\n", imports.String(), body.String())
}
