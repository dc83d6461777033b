package flagval

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/payload"
)

// Header is a flag value: repeatable K:V headers. The same key again adds a value; keys keep their case.
type Header struct{ p *nats.Header }

// NewHeader is a value that adds to p, which may be nil at first.
func NewHeader(p *nats.Header) *Header { return &Header{p} }

// Set parses one header and adds it.
func (v *Header) Set(s string) error {
	key, value, err := payload.ParseHeader(s)
	if err != nil {
		return err
	}
	if *v.p == nil {
		*v.p = nats.Header{}
	}
	(*v.p)[key] = append((*v.p)[key], value)
	return nil
}

// String is what was added so far.
func (v *Header) String() string {
	if v.p == nil {
		return ""
	}
	return strings.Join(payload.HeaderLines(*v.p), ", ")
}

// IsCumulative tells fisk that the flag may be repeated.
func (v *Header) IsCumulative() bool { return true }

// ParsePair reads key=value or key:value. Only the first separator counts, so values may hold both; the key is trimmed and
// must not be empty.
func ParsePair(s string) (key, value string, err error) {
	i := strings.IndexAny(s, "=:")
	if i < 0 || strings.TrimSpace(s[:i]) == "" {
		return "", "", fmt.Errorf("invalid pair %q: give key=value or key:value", s)
	}
	return strings.TrimSpace(s[:i]), s[i+1:], nil
}

// Map is a flag value: repeatable key=value pairs. The same key again replaces the value.
type Map struct{ p *map[string]string }

// NewMap is a value that adds to p, which may be nil at first.
func NewMap(p *map[string]string) *Map { return &Map{p} }

// Set parses one pair and stores it.
func (v *Map) Set(s string) error {
	key, value, err := ParsePair(s)
	if err != nil {
		return err
	}
	if *v.p == nil {
		*v.p = map[string]string{}
	}
	(*v.p)[key] = value
	return nil
}

// String is what was stored so far, sorted.
func (v *Map) String() string {
	if v.p == nil {
		return ""
	}
	pairs := make([]string, 0, len(*v.p))
	for k, val := range *v.p {
		pairs = append(pairs, k+"="+val)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ", ")
}

// IsCumulative tells fisk that the flag may be repeated.
func (v *Map) IsCumulative() bool { return true }

// SplitList cuts a list at commas and white space; empty parts vanish.
func SplitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// CheckSubject tells what is wrong with a subject, as the server would judge it: tokens parted by dots, none empty, no
// space or control character; with wildcards, * for one token and > for the rest at the end.
func CheckSubject(s string, wildcards bool) error {
	bad := func(why string) error { return fmt.Errorf("invalid subject %q: %s", s, why) }
	if s == "" {
		return bad("it is empty")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return bad("spaces and control characters are not allowed")
	}
	for token, rest := "", s; rest != ""; {
		var more bool
		token, rest, more = strings.Cut(rest, ".")
		switch {
		case token == "" || (more && rest == ""):
			return bad("there is an empty token: a dot at the start or end, or two in a row")
		case !wildcards && (token == "*" || token == ">"):
			return bad("wildcards are not allowed here")
		case token == ">" && more:
			return bad("> stands for the rest, so it must be last")
		}
	}
	return nil
}

// Subjects is a flag or argument value: subjects, repeatable, each value a list at commas and white space.
type Subjects struct {
	p       *[]string
	literal bool
}

// NewSubjects is a value that adds to p. Subjects may hold wildcards and are checked.
func NewSubjects(p *[]string) *Subjects { return &Subjects{p: p} }

// Literal refuses wildcards.
func (v *Subjects) Literal() *Subjects { v.literal = true; return v }

// Set adds the subjects of one list.
func (v *Subjects) Set(s string) error {
	list := SplitList(s)
	if len(list) == 0 {
		return fmt.Errorf("invalid subject %q: it is empty", s)
	}
	for _, subject := range list {
		if err := CheckSubject(subject, !v.literal); err != nil {
			return err
		}
	}
	*v.p = append(*v.p, list...)
	return nil
}

// String is the list so far.
func (v *Subjects) String() string {
	if v.p == nil {
		return ""
	}
	return strings.Join(*v.p, ",")
}

// IsCumulative tells fisk that the flag may be repeated, and an argument take all that follows.
func (v *Subjects) IsCumulative() bool { return true }
