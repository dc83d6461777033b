// Package viewtest compares how a result looks, in every format, with a golden file that people read.
package viewtest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// Now is the time it is in every golden file.
var Now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

const updateFlag = "update"

func init() {
	if flag.Lookup(updateFlag) == nil {
		flag.Bool(updateFlag, false, "write golden files instead of comparing with them")
	}
}

// Updating reports whether the test was run with -update.
func Updating() bool {
	f := flag.Lookup(updateFlag)
	return f != nil && f.Value.String() == "true"
}

type section struct {
	name   string
	format render.Format
	width  int
	tty    bool
	color  bool
}

var sections = []section{
	{name: "text"},
	{name: "text, 60 columns", width: 60, tty: true},
	{name: "text, 200 columns", width: 200, tty: true},
	{name: "text, coloured", tty: true, color: true},
	{name: "wide", format: render.Format{Kind: render.Wide}},
	{name: "json", format: render.Format{Kind: render.JSON}},
	{name: "ndjson", format: render.Format{Kind: render.NDJSON}},
	{name: "yaml", format: render.Format{Kind: render.YAML}},
	{name: "csv", format: render.Format{Kind: render.CSV}},
	{name: "tsv", format: render.Format{Kind: render.TSV}},
	{name: "md", format: render.Format{Kind: render.Markdown}},
	{name: "names", format: render.Format{Kind: render.Names}},
	{name: "template={{json .}}", format: render.Format{Kind: render.Template, Arg: "{{json .}}"}},
	{name: "jq=.", format: render.Format{Kind: render.JQ, Arg: "."}},
	{name: `line=%n %s %p\n`, format: render.Format{Kind: render.Line, Arg: `%n %s %p\n`}},
}

// Golden prints v in every format: text for a pipe, for terminals of 60 and 200 columns and in colour, and each machine
// format once, at the time Now in UTC. The result is compared with testdata/<name>.txtar of the calling package, which
// go test -update writes. A format that v does not have is an error that stands in the file. ESC is written ␛.
func Golden(t *testing.T, name string, v render.Viewer) {
	t.Helper()
	got := &txtar.Archive{Comment: []byte("How this result looks in every format; go test -update writes this file.\n")}
	for _, s := range sections {
		got.Files = append(got.Files, txtar.File{Name: s.name, Data: Show(t, v, s.options())})
	}
	path := filepath.Join("testdata", name+".txtar")
	if Updating() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	// Through txtar and back, so that both sides end their sections in the same way.
	for _, m := range mismatches(txtar.Parse(txtar.Format(got)), txtar.Parse(data)) {
		t.Errorf("%s: %s", path, m)
	}
}

func (s section) options() render.Options {
	return render.Options{Format: s.format, Width: s.width, TTY: s.tty, Paint: term.Painter{On: s.color, Scheme: "cyan"}}
}

// Show prints v with the given options, at the time Now in UTC unless the options say otherwise. An error becomes the
// last line of what is returned.
func Show(t *testing.T, v render.Viewer, o render.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	o.Out = &out
	if o.Clock == nil {
		o.Clock = clock.NewManual(Now)
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	r, err := render.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Print(v); err != nil {
		out.WriteString("error: " + err.Error() + "\n")
	}
	return bytes.ReplaceAll(out.Bytes(), []byte{0x1b}, []byte("␛"))
}

// mismatches says, for each section, how got is not want.
func mismatches(got, want *txtar.Archive) []string {
	expected := map[string]string{}
	for _, f := range want.Files {
		expected[f.Name] = string(f.Data)
	}
	var out []string
	for _, f := range got.Files {
		if w, ok := expected[f.Name]; !ok {
			out = append(out, fmt.Sprintf("no section %q", f.Name))
		} else if w != string(f.Data) {
			out = append(out, fmt.Sprintf("%s differs at %s", f.Name, difference(string(f.Data), w)))
		}
		delete(expected, f.Name)
	}
	for _, f := range want.Files {
		if _, left := expected[f.Name]; left {
			out = append(out, fmt.Sprintf("section %q is not written any more", f.Name))
		}
	}
	return out
}

// difference is the first line that differs, and both texts whole.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(g) && i < len(w) && g[i] == w[i] {
		i++
	}
	line := func(lines []string) string {
		if i < len(lines) {
			return lines[i]
		}
		return "(end)"
	}
	return "line " + render.HumaneCount(uint64(i+1)) + ":\n got: " + line(g) + "\nwant: " + line(w) + "\n\ngot all:\n" + got + "\nwant all:\n" + want
}
