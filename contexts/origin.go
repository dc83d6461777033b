package contexts

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jsm.go"
)

// OriginKind is the kind of place a value came from; the higher one wins.
type OriginKind int

// The places, weakest first.
const (
	FromDefault OriginKind = iota
	FromContext
	FromEnv
	FromFlag
)

// Origin is where a value came from: which context, variable or flag.
type Origin struct {
	Kind OriginKind
	Name string // of the context, variable or flag, with or without its $ or --; words with a space are shown as they are
}

// String reads `default`, `context "prod"`, `$NATS_URL` or `--server`.
func (o Origin) String() string {
	switch o.Kind {
	case FromContext:
		return fmt.Sprintf("context %q", o.Name)
	case FromEnv:
		return "$" + strings.TrimPrefix(o.Name, "$")
	case FromFlag:
		if strings.Contains(o.Name, " ") {
			return o.Name
		}
		return "--" + strings.TrimPrefix(o.Name, "--")
	}
	return "default"
}

// Given is what the command line or the environment said of one setting. An explicitly empty flag is Values [""].
type Given struct {
	Values []string
	From   Origin
}

// said is the non-empty values; an explicitly empty flag says nothing, and that silence also covers the variable.
func (g Given) said() []string {
	out := make([]string, 0, len(g.Values))
	for _, v := range g.Values {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}

// Request is everything a command line and its environment said about connecting.
type Request struct {
	Context   Given // --context or $NATS_CONTEXT: a name, or the path of a *.json file
	NoContext bool  // no context at all, not even the selected one
	Settings  map[Key]Given
	Password  func() ([]byte, error) // reads --password-stdin or asks; called once, by Resolve; nil when not wanted
}

// Effective is one setting in effect.
type Effective struct {
	Key   Key
	Value string
	From  Origin
}

func parseBool(v string) (bool, error) {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", v)
	}
	return b, nil
}

// parseTimeout is strict about what jsm.ParseDuration lets pass: everything must be number and unit, and the sum positive.
func parseTimeout(v string) (time.Duration, error) {
	rest := v
	for rest != "" {
		n := strings.IndexFunc(rest, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
		if n <= 0 {
			return 0, fmt.Errorf("invalid duration %q: write 500ms, 5s or 1m30s", v)
		}
		rest = rest[n:]
		n = strings.IndexAny(rest, "0123456789.")
		if n < 0 {
			n = len(rest)
		}
		switch rest[:n] {
		case "ns", "us", "µs", "ms", "s", "m", "h", "d", "D", "w", "W", "M", "y", "Y":
		default:
			return 0, fmt.Errorf("invalid duration %q: unknown unit %q", v, rest[:n])
		}
		rest = rest[n:]
	}
	d, err := jsm.ParseDuration(v)
	if err != nil {
		return 0, fmt.Errorf("invalid duration %q: write 500ms, 5s or 1m30s", v)
	}
	if d <= 0 {
		return 0, fmt.Errorf("invalid duration %q: must be more than 0", v)
	}
	return d, nil
}
