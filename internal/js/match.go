package js

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/natskit/natskit/internal/fail"
)

// Match is what messages are searched for. All conditions that are set must hold.
type Match struct {
	Pattern    string // a regular expression
	Fixed      bool   // Pattern is plain text
	IgnoreCase bool
	Subjects   bool     // Pattern is searched in subjects too
	Headers    bool     // and in header lines
	Bodies     bool     // and in bodies
	Named      []string // NAME or NAME:PATTERN: a header that must be there
	Where      string   // a jq expression over subject, seq, time, headers, body and size that must be true
	Invert     bool     // select what does not match
}

// Matcher tells whether a message matches.
type Matcher struct {
	pattern *regexp.Regexp
	plain   []byte // instead of pattern
	m       Match
	named   []namedHeader
	where   *gojq.Code
}

type namedHeader struct {
	name    string
	pattern *regexp.Regexp // nil: the header must be there
}

// Compile prepares the search; what cannot be understood is a usage error.
func (m Match) Compile() (*Matcher, error) {
	c := &Matcher{m: m}
	var err error
	switch text := m.Pattern; {
	case text == "":
	case m.Fixed && !m.IgnoreCase:
		c.plain = []byte(text)
	default:
		if m.Fixed {
			text = regexp.QuoteMeta(text)
		}
		if m.IgnoreCase {
			text = "(?i)" + text
		}
		if c.pattern, err = regexp.Compile(text); err != nil {
			return nil, fail.Usagef("pattern: %w", err)
		}
		if prefix, whole := c.pattern.LiteralPrefix(); whole {
			c.plain, c.pattern = []byte(prefix), nil
		}
	}
	for _, n := range m.Named {
		h := namedHeader{}
		name, text, with := strings.Cut(n, ":")
		if h.name = strings.TrimSpace(name); h.name == "" {
			return nil, fail.Usagef("--header %q: give NAME or NAME:PATTERN", n)
		}
		if with {
			if h.pattern, err = regexp.Compile(strings.TrimSpace(text)); err != nil {
				return nil, fail.Usagef("--header %q: %w", n, err)
			}
		}
		c.named = append(c.named, h)
	}
	if m.Where != "" {
		q, err := gojq.Parse(m.Where)
		if err != nil {
			return nil, fail.Usagef("--where: %w", err)
		}
		if c.where, err = gojq.Compile(q); err != nil {
			return nil, fail.Usagef("--where: %w", err)
		}
	}
	return c, nil
}

// Test reports whether the message matches.
func (c *Matcher) Test(m *DirectMessage) (bool, error) {
	yes := c.text(m) && c.headers(m)
	if yes && c.where != nil {
		var err error
		if yes, err = c.holds(m); err != nil {
			return false, err
		}
	}
	return yes != c.m.Invert, nil
}

func (c *Matcher) found(b []byte) bool {
	if c.pattern == nil {
		return bytes.Contains(b, c.plain)
	}
	return c.pattern.Match(b)
}

func (c *Matcher) text(m *DirectMessage) bool {
	switch {
	case c.pattern == nil && c.plain == nil:
		return true
	case c.m.Bodies && c.found(m.Data), c.m.Subjects && c.found([]byte(m.Subject)):
		return true
	case c.m.Headers:
		for name, values := range m.Header {
			for _, v := range values {
				if c.found([]byte(name + ": " + v)) {
					return true
				}
			}
		}
	}
	return false
}

func (c *Matcher) headers(m *DirectMessage) bool {
	for _, want := range c.named {
		ok := false
		for name, values := range m.Header {
			if !strings.EqualFold(name, want.name) {
				continue
			}
			for _, v := range values {
				ok = ok || want.pattern == nil || want.pattern.MatchString(v)
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// holds runs the expression. One that fails on a message, because it is of another form, does not hold for it; false and null
// do not hold either, everything else does.
func (c *Matcher) holds(m *DirectMessage) (bool, error) {
	v, ok := c.where.Run(Document(m)).Next()
	if !ok {
		return false, nil
	}
	switch v := v.(type) {
	case error:
		return false, nil
	case bool:
		return v, nil
	case nil:
		return false, nil
	}
	return true, nil
}

// Document is a message for expressions: subject, seq, time, headers as lists of values, size in bytes of the body, and the
// body parsed when it is JSON, else as text.
func Document(m *DirectMessage) map[string]any {
	headers := map[string]any{}
	for k, values := range m.Header {
		list := make([]any, 0, len(values))
		for _, v := range values {
			list = append(list, v)
		}
		headers[k] = list
	}
	return map[string]any{
		"subject": m.Subject, "seq": int(m.Sequence), "time": m.Time.UTC().Format(time.RFC3339Nano), "headers": headers, "size": len(m.Data), "body": bodyValue(m.Data),
	}
}

func bodyValue(b []byte) any {
	if t := bytes.TrimLeft(b, " \t\r\n"); len(t) > 0 && bytes.IndexByte([]byte(`{["-0123456789tfn`), t[0]) >= 0 {
		var v any
		if json.Unmarshal(b, &v) == nil {
			return v
		}
	}
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
