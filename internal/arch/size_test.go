package arch

import (
	"go/ast"
	"testing"
)

const (
	maxFile     = 400  // lines
	maxFunction = 70   // lines
	maxPackage  = 4000 // lines without tests
)

// TestRoomsStayReadable keeps files, functions and packages small enough to hold in the head. Tests may be longer.
func TestRoomsStayReadable(t *testing.T) {
	packages := map[string]int{}
	for _, f := range source(t) {
		if f.test {
			continue
		}
		lines := f.set.Position(f.ast.End()).Line
		packages[f.pkg] += lines
		if lines > maxFile {
			t.Errorf("%s has %d lines, at most %d", f.path, lines, maxFile)
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1; n > maxFunction {
				t.Errorf("%s: %s has %d lines, at most %d", f.at(fn), fn.Name.Name, n, maxFunction)
			}
		}
	}
	for pkg, n := range packages {
		if n > maxPackage {
			t.Errorf("%s has %d lines, at most %d", pkg, n, maxPackage)
		}
	}
}
