package arch

import (
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deps.txt anew")

// TestDependencies: the modules linked into the command are a reviewed list; each has its reason in docs/adr/0001-dependencies.md.
func TestDependencies(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "../../nats")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	have := strings.Fields(string(out))
	slices.Sort(have)
	have = slices.Compact(have)
	have = slices.DeleteFunc(have, func(m string) bool { return m+"/" == module })
	if *update {
		if err := os.WriteFile("deps.txt", []byte(strings.Join(have, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := os.ReadFile("deps.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(listed))
	for _, m := range have {
		if !slices.Contains(want, m) {
			t.Errorf("%s is linked into nats and not listed in deps.txt", m)
		}
	}
	for _, m := range want {
		if !slices.Contains(have, m) {
			t.Errorf("%s is listed in deps.txt and not linked", m)
		}
	}
	reasons, err := os.ReadFile("../../docs/adr/0001-dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range want {
		if !strings.Contains(string(reasons), m) {
			t.Errorf("%s has no reason in docs/adr/0001-dependencies.md", m)
		}
	}
}
