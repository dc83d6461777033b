package cli

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// TestReadVerbsSpeakEveryFormat runs each verb about streams, consumers, stores and accounts that reads and prints a result, as
// its first example does, in every format: --json is one document and nothing else, csv and tsv are tables with rows as wide as
// their header, and the exit code is that of the text.
func TestReadVerbsSpeakEveryFormat(t *testing.T) {
	t.Parallel()
	groups := strings.Fields("stream consumer kv object counter schema errors account backup")
	instead := map[string]string{"stream find": "stream find --empty", "object get": "object get FILES docs/a.txt --output again --force"}
	seen := 0
	for path, d := range described() {
		group, _, _ := strings.Cut(path, " ")
		if d.Effect != command.Reads || d.Output != command.Value || !slices.Contains(groups, group) || len(d.Examples) == 0 {
			continue
		}
		i := slices.IndexFunc(d.Examples, func(x command.Example) bool { return formatless(x.Line) })
		if i < 0 && instead[path] != "" {
			i = 0
		}
		if i < 0 {
			t.Logf("%s has no example without a format", path)
			continue
		}
		seen++
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			c, line, stdin := stage(t, d, d.Examples[i])
			if instead[path] != "" {
				line = instead[path]
			}
			text := c.Stdin(stdin).Run(line)
			for format, check := range map[string]func(string) error{
				"json": oneDocument, "ndjson": documents, "yaml": yamlDocument, "csv": table(','), "tsv": table('\t'), "md": anything,
			} {
				r := c.Stdin(stdin).Run(line + " --format " + format)
				if r.Code != text.Code {
					t.Errorf("--format %s ends with %d, text with %d: %s", format, r.Code, text.Code, r.Err)
				}
				if err := check(r.Out); err != nil {
					t.Errorf("--format %s: %v\n%s", format, err, r.Out)
				}
			}
			sameJSON(t, c.Stdin(stdin).Run(line+" --json"), text)
		})
	}
	if seen < 30 {
		t.Errorf("only %d verbs were tried", seen)
	}
}

// formatless tells whether an example leaves the format open.
func formatless(line string) bool {
	for _, word := range strings.Fields(line) {
		name, _, _ := strings.Cut(word, "=")
		if slices.Contains(strings.Fields("--json --jq --format --raw --names -n --yaml -j --diagram --dot --help"), name) {
			return false
		}
	}
	return true
}

func sameJSON(t *testing.T, r, text clitest.Result) {
	t.Helper()
	if err := oneDocument(r.Out); err != nil || r.Code != text.Code {
		t.Errorf("--json: %d, %v\n%s", r.Code, err, r.Out)
	}
}

func oneDocument(out string) error {
	d := json.NewDecoder(strings.NewReader(out))
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	if v == nil {
		return errors.New("the document is null")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind the document")
	}
	return nil
}

func documents(out string) error {
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			return errors.New("no JSON: " + line)
		}
	}
	return nil
}

func yamlDocument(out string) error {
	var v any
	return yaml.Unmarshal([]byte(out), &v)
}

// table reads rows that all are as wide as the first, and wants a header.
func table(comma rune) func(string) error {
	return func(out string) error {
		r := csv.NewReader(strings.NewReader(out))
		r.Comma, r.LazyQuotes = comma, comma == '\t'
		rows, err := r.ReadAll()
		if err == nil && (len(rows) == 0 || strings.Join(rows[0], "") == "") {
			return errors.New("there is no header")
		}
		return err
	}
}

func anything(out string) error {
	if strings.TrimSpace(out) == "" {
		return errors.New("nothing is printed")
	}
	return nil
}

// TestFeedsSpeakJSON runs each verb of those groups that shows things as they come, and wants one document a line.
func TestFeedsSpeakJSON(t *testing.T) {
	t.Parallel()
	groups := strings.Fields("stream kv object counter account") // events have cases 109 and 110
	seen := 0
	for path, d := range described() {
		if d.Effect != command.Reads || d.Output != command.Feed || !slices.Contains(groups, d.Path[0]) {
			continue
		}
		i := slices.IndexFunc(d.Examples, func(x command.Example) bool { return formatless(x.Line) })
		if i < 0 {
			t.Errorf("%s has no example without a format", path)
			continue
		}
		seen++
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			c, line, stdin := stage(t, d, d.Examples[i])
			run := c.Stdin(stdin).Start(line + " --json")
			testkit.Eventually(t, time.Minute, "a line on stdout", func() bool { return strings.Contains(run.Out(), "\n") })
			r := run.Interrupt()
			if err := documents(r.Out); err != nil || r.Code != fail.OK {
				t.Errorf("%d, %v\n%s", r.Code, err, r.Err)
			}
		})
	}
	if seen < 4 {
		t.Errorf("only %d verbs were tried", seen)
	}
}
