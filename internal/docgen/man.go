package docgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/fail"
)

// man is the manual page, section 1, of one top-level command with all its verbs; roff by the macros of man(7).
func (s Source) man(top string) string {
	all := s.entries(top)
	var b strings.Builder
	fmt.Fprintf(&b, ".TH NATS-%s 1\n.SH NAME\nnats-%s \\- %s\n", strings.ToUpper(top), top, roff(all[0].doc.Meta.Short))
	if all[0].doc.Group {
		if long := strings.TrimSpace(all[0].doc.Meta.Long); long != "" {
			fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", paragraphs(long))
		}
		manFlags(&b, "OPTIONS OF THE GROUP", all[0].model.Flags)
		b.WriteString(".SH COMMANDS\n")
	}
	for _, e := range all {
		if e.doc.Group {
			continue
		}
		fmt.Fprintf(&b, ".SS %s\n%s.\n", roff(usage(e)), roff(e.doc.Meta.Short))
		if long := strings.TrimSpace(e.doc.Meta.Long); long != "" {
			fmt.Fprintf(&b, ".PP\n%s\n", paragraphs(long))
		}
		for _, a := range e.model.Args {
			fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(a.Name), roff(a.Help))
		}
		for _, f := range visible(slices.Concat(e.model.Flags, e.above)) {
			manFlag(&b, f)
		}
		for _, x := range e.doc.Examples {
			fmt.Fprintf(&b, ".PP\n.nf\n\\&    %s\n.fi\n", roff(x.Line))
		}
	}
	b.WriteString(".SH SEE ALSO\n.BR nats (1)\n")
	return b.String()
}

// manTop is nats(1): the commands, the flags that all have, the exit codes.
func (s Source) manTop() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH NATS 1\n.SH NAME\nnats \\- %s\n.SH SYNOPSIS\n.B nats\n[flags] <command> [flags] [arguments]\n.SH COMMANDS\n", roff(s.App.Help))
	for _, g := range s.Groups() {
		fmt.Fprintf(&b, ".TP\n.BR nats-%s (1)\n%s\n", g, roff(s.entries(g)[0].doc.Meta.Short))
	}
	manFlags(&b, "OPTIONS", s.App.Flags)
	b.WriteString(".SH EXIT STATUS\n")
	for _, r := range fail.Table {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", r.Code, roff(r.Meaning))
	}
	return b.String()
}

func manFlags(b *strings.Builder, title string, flags []*fisk.FlagModel) {
	flags = visible(flags)
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, f := range flags {
		manFlag(b, f)
	}
}

func manFlag(b *strings.Builder, f *fisk.FlagModel) {
	help := f.Help
	if f.Envar != "" {
		help += " ($" + f.Envar + ")"
	}
	fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(spelling(f)), roff(help))
}

// roff escapes what the formatter would take for itself.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

func paragraphs(text string) string {
	var out []string
	for _, p := range strings.Split(text, "\n\n") {
		var lines []string
		for _, l := range strings.Split(p, "\n") {
			lines = append(lines, roff(strings.TrimSpace(l)))
		}
		out = append(out, strings.Join(lines, "\n"))
	}
	return strings.Join(out, "\n.PP\n")
}
