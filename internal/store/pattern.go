package store

import (
	"path"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

// All matches every key.
const All = ">"

// CheckKey refuses what cannot be the name of one key.
func CheckKey(key string) error {
	if key == "" {
		return fail.Usagef("the key is empty")
	}
	if strings.ContainsAny(key, "*>") {
		return fail.Usagef("key %q: %w: it is a pattern, and one key is wanted here", key, jetstream.ErrInvalidKey)
	}
	return checkKey(key, "")
}

// CheckPattern refuses what can match no key.
func CheckPattern(pattern string) error {
	if pattern == "" {
		return fail.Usagef("the key pattern is empty")
	}
	if i := strings.IndexByte(pattern, '>'); i >= 0 && (i != len(pattern)-1 || i > 0 && pattern[i-1] != '.') {
		return fail.Usagef("pattern %q: > stands alone at the end", pattern)
	}
	return checkKey(pattern, "*>")
}

func checkKey(key, also string) error {
	if key[0] == '.' || key[len(key)-1] == '.' || strings.Contains(key, "..") {
		return fail.Usagef("key %q: %w: it has an empty part between dots", key, jetstream.ErrInvalidKey)
	}
	for _, r := range key {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-/_=."+also, r) {
			continue
		}
		return fail.Usagef("key %q: %w: keys are made of letters, digits and -/_=.", key, jetstream.ErrInvalidKey)
	}
	return nil
}

// IsPattern tells whether the text stands for more than one key.
func IsPattern(text string) bool { return strings.ContainsAny(text, "*>") }

// patterns are filters for keys: NATS wildcards, and * within a part of a key ("user-*"), which the server does not know and
// which is therefore matched here.
type patterns struct {
	filters []string // for the server, none overlapping another; none means all
	exact   []string // the patterns as they were given
	local   bool     // the server's filters let more through than was asked for
}

func newPatterns(given []string) (patterns, error) {
	p := patterns{exact: given}
	for _, g := range given {
		if err := CheckPattern(g); err != nil {
			return p, err
		}
		parts := strings.Split(g, ".")
		for i, part := range parts {
			if len(part) > 1 && strings.Contains(part, "*") {
				parts[i], p.local = "*", true
			}
		}
		p.filters = append(p.filters, strings.Join(parts, "."))
	}
	p.filters = withoutCovered(p.filters)
	for i, a := range p.filters {
		for _, b := range p.filters[i+1:] {
			if overlap(a, b) {
				p.filters, p.local = nil, true
				return p, nil
			}
		}
	}
	if slices.Contains(p.filters, All) {
		p.filters = nil
	}
	return p, nil
}

// match tells whether the key was asked for.
func (p patterns) match(key string) bool {
	if !p.local {
		return true
	}
	for _, e := range p.exact {
		if matches(e, key) {
			return true
		}
	}
	return false
}

func withoutCovered(filters []string) []string {
	var out []string
	for i, f := range filters {
		covered := slices.ContainsFunc(filters[:i], func(o string) bool { return o == f }) ||
			slices.ContainsFunc(filters, func(o string) bool { return o != f && covers(o, f) })
		if !covered {
			out = append(out, f)
		}
	}
	return out
}

// covers tells whether everything that matches b matches a.
func covers(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i, t := range as {
		switch {
		case t == All:
			return len(bs) > i
		case i >= len(bs), bs[i] == All, t != "*" && t != bs[i]:
			return false
		}
	}
	return len(as) == len(bs)
}

// overlap tells whether some subject matches both.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(as) && i < len(bs); i++ {
		switch {
		case as[i] == All || bs[i] == All:
			return true
		case as[i] != "*" && bs[i] != "*" && as[i] != bs[i]:
			return false
		}
	}
	return len(as) == len(bs)
}

// matches tells whether the key matches the pattern, part by part.
func matches(pattern, key string) bool {
	ps, ks := strings.Split(pattern, "."), strings.Split(key, ".")
	for i, p := range ps {
		if p == All {
			return len(ks) > i
		}
		if i >= len(ks) {
			return false
		}
		if ok, err := path.Match(strings.ReplaceAll(p, "/", "\x00"), strings.ReplaceAll(ks[i], "/", "\x00")); !ok || err != nil {
			return false
		}
	}
	return len(ps) == len(ks)
}
