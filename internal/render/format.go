package render

import (
	"slices"
	"strings"

	"github.com/natskit/natskit/internal/fail"
)

// Kind is one of the ways to write a result.
type Kind int

// The formats there are. Text is the zero value.
const (
	Text     Kind = iota // for people
	Wide                 // as text, with every column and nothing elided
	JSON                 // indented; a feed writes one compact document a line
	NDJSON               // one compact document a line; lists one element a line
	YAML                 // the JSON tree, respelled
	CSV                  // the first table, exact values
	TSV                  // as CSV, tab separated; tab, line break and backslash are written \t \n \r \\
	Markdown             // the first table
	Names                // its first column
	Template             // a Go template over the JSON tree
	JQ                   // a jq expression over the JSON tree
	Line                 // a format string for each message
)

var kindNames = [...]string{"text", "wide", "json", "ndjson", "yaml", "csv", "tsv", "md", "names", "template", "jq", "line"}

// String is the name of the format as users type it.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

func (k Kind) machine() bool { return k != Text && k != Wide }

func (k Kind) wantsArg() bool { return k == Template || k == JQ || k == Line }

// Format is a Kind with the expression that some kinds take.
type Format struct {
	Kind Kind
	Arg  string
}

// String is the format as ParseFormat reads it.
func (f Format) String() string {
	if f.Kind.wantsArg() {
		return f.Kind.String() + "=" + f.Arg
	}
	return f.Kind.String()
}

// FormatNames are the names of all formats, in the order of the documentation.
func FormatNames() []string { return slices.Clone(kindNames[:]) }

// ParseFormat reads a format as --format takes it: a name, or name=EXPRESSION for template, jq and line. Errors are usage
// errors. The expression itself is compiled by New.
func ParseFormat(s string) (Format, error) {
	name, arg, hasArg := strings.Cut(s, "=")
	if name == "markdown" {
		name = "md"
	}
	i := slices.Index(kindNames[:], name)
	if i < 0 {
		return Format{}, unknownFormat(name)
	}
	k := Kind(i)
	switch {
	case k.wantsArg() && (!hasArg || arg == ""):
		return Format{}, fail.Usagef("format %s needs an expression", name).WithHint("%s", argExample(k))
	case !k.wantsArg() && hasArg:
		return Format{}, fail.Usagef("format %s takes no argument, got %q", name, arg)
	}
	return Format{Kind: k, Arg: arg}, nil
}

func argExample(k Kind) string {
	switch k {
	case Template:
		return `--format 'template={{.name}}'`
	case JQ:
		return `--format 'jq=.name'`
	}
	return `--format 'line=%s %p\n'`
}

func unknownFormat(name string) error {
	var near []string
	for _, n := range kindNames {
		if name != "" && (distance(strings.ToLower(name), n) <= 2 || strings.HasPrefix(n, strings.ToLower(name))) {
			near = append(near, n)
		}
	}
	err := fail.Usagef("unknown format %q", name)
	if len(near) > 0 {
		return err.WithHint("did you mean %s?", strings.Join(near, " or "))
	}
	return err.WithHint("the formats are %s", strings.Join(kindNames[:], ", "))
}

// distance is the number of single letters to change, add or drop that turns a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
