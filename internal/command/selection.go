package command

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

// Selection is the verb that a command line named, with its options filled in.
type Selection struct {
	Path    string // canonical words
	Doc     Doc
	Options any // *O of the verb

	words map[string]bool
	all   bool
	flags *formatFlags
	check func() error
	run   func(context.Context, *env.Env) error
}

// NewSelection prepares for a command line. words are its arguments: branches that none of them names are not built.
// Without words the whole tree is.
func NewSelection(words ...string) *Selection {
	s := &Selection{all: len(words) == 0, words: map[string]bool{}}
	for _, w := range words {
		s.words[w] = true
	}
	return s
}

// Whole reports whether the whole tree is built, for help, documentation and completion.
func (s *Selection) Whole() bool { return s.all }

func (s *Selection) wants(m Meta) bool {
	if s.all || s.words[m.Name] {
		return true
	}
	for _, a := range m.Aliases {
		if s.words[a] {
			return true
		}
	}
	return false
}

// Selected reports whether a verb was named.
func (s *Selection) Selected() bool { return s.run != nil }

// Check applies the verb's rules across flags; every error is a usage error.
func (s *Selection) Check() error {
	err := s.check()
	if err == nil || fail.CodeOf(err) == fail.Usage {
		return err
	}
	return &fail.Error{Code: fail.Usage, Err: err, Hint: fail.HintOf(err)}
}

// Run carries the verb out.
func (s *Selection) Run(ctx context.Context, e *env.Env) error { return s.run(ctx, e) }

// Formatter is implemented by options with flags of their own that choose a format, such as --names.
type Formatter interface {
	OutputFormat() string // a format as --format takes it, or empty
}

// Format is the format to print in: the flags, else the verb's own flags, else fallback (from the environment) where the
// verb offers it, else text.
func (s *Selection) Format(fallback string) (render.Format, error) {
	text, err := s.flags.choice()
	if err != nil {
		return render.Format{}, err
	}
	if o, ok := s.Options.(Formatter); ok {
		own := o.OutputFormat()
		if own != "" && text != "" && own != text {
			return render.Format{}, fail.Usagef("--format %s and the flag for %s exclude each other", text, own)
		}
		if text == "" {
			text = own
		}
	}
	if text == "" {
		if f, err := render.ParseFormat(fallback); fallback != "" && err == nil && offers(s.Doc.Output, f) {
			return f, nil
		}
		return render.Format{Kind: render.Text}, nil
	}
	f, err := render.ParseFormat(text)
	if err != nil {
		return f, err
	}
	if !offers(s.Doc.Output, f) {
		return f, fail.Usagef("nats %s does not print %s", s.Path, text)
	}
	return f, nil
}

func offers(o Output, f render.Format) bool {
	switch o {
	case Value:
		return f.Kind != render.Line
	case Feed:
		return f.Kind != render.Wide && f.Kind != render.Names
	}
	return f.Kind == render.Text
}

// formatFlags are --format, --json and --jq of a verb that prints.
type formatFlags struct {
	format    string
	formatSet bool
	json      bool
	jq        string
	jqSet     bool
}

func (f *formatFlags) bind(c *fisk.CmdClause, o Output) {
	var names string
	switch o {
	case Value:
		names = "text, wide, json, ndjson, yaml, csv, tsv, md, names, template=TEXT or jq=EXPR"
	case Feed:
		names = "text, json, ndjson, yaml, csv, tsv, md, template=TEXT, jq=EXPR or line=FORMAT"
	default:
		return
	}
	c.Flag("format", "Print as "+names).PlaceHolder("FORMAT").IsSetByUser(&f.formatSet).StringVar(&f.format)
	j := c.Flag("json", "Print JSON, the same as --format json")
	if !hasShort(c, 'j') {
		j.Short('j')
	}
	j.UnNegatableBoolVar(&f.json)
	c.Flag("jq", "Print what the jq expression EXPR makes of the JSON").PlaceHolder("EXPR").IsSetByUser(&f.jqSet).StringVar(&f.jq)
}

func hasShort(c *fisk.CmdClause, short rune) bool {
	for _, f := range c.Model().Flags {
		if f.Short == short {
			return true
		}
	}
	return false
}

func (f *formatFlags) choice() (string, error) {
	if f == nil {
		return "", nil
	}
	var out []string
	if f.formatSet {
		out = append(out, f.format)
	}
	if f.json && !(f.formatSet && f.format == "json") {
		out = append(out, "json")
	}
	if f.jqSet {
		out = append(out, "jq="+f.jq)
	}
	switch len(out) {
	case 0:
		return "", nil
	case 1:
		return out[0], nil
	}
	if f.json && f.jqSet && len(out) == 2 && !f.formatSet {
		return out[1], nil // --json --jq EXPR says the same twice
	}
	return "", fail.Usagef("--format, --json and --jq exclude each other")
}
