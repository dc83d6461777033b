package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/docgen"
)

// TestDocsAreFresh: the generated pages are what the tree says today; `make docs` writes them.
func TestDocsAreFresh(t *testing.T) {
	want := docgen.Source{App: model(), Tree: Tree()}.Files()
	root := filepath.Join("..", "docs")
	for name, text := range want {
		have, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Errorf("docs/%s: %v; run make docs", name, err)
		} else if string(have) != text {
			t.Errorf("docs/%s is not fresh; run make docs", name)
		}
	}
	for _, dir := range []string{"reference", "man", "cheats"} {
		_ = filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				rel, _ := filepath.Rel(root, p)
				if _, ok := want[filepath.ToSlash(rel)]; !ok {
					t.Errorf("docs/%s is of no command; run make docs", rel)
				}
			}
			return nil
		})
	}
}

// TestLinksResolve: every relative link of every Markdown page leads to a file.
func TestLinksResolve(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	pages := []string{filepath.Join("..", "README.md"), filepath.Join("..", "CHANGELOG.md")}
	err := filepath.WalkDir(filepath.Join("..", "docs"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".md") {
			pages = append(pages, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}
