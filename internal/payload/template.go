package payload

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
)

// Scope says which names a template may use.
type Scope int

const (
	// ForPublish has Count, Cnt, TimeStamp, Time, Unix, UnixNano, ID and Random.
	ForPublish Scope = iota
	// ForReply has, on top, what is known of the message being handled: Request, Subject, Reply, Token N and Header "K".
	ForReply
)

// Values are what the templates of one message are expanded with. Texts from strangers stand in them as data: what looks like
// a template in a request stays as it is. One goroutine uses a Values at a time.
type Values struct {
	Count   int         // number of the copy, from 1
	Subject string      // of the message being handled
	Reply   string      // its reply subject
	Header  nats.Header // its headers
	Request string      // its body
	Clock   clock.Clock // what the time functions show; nil is the machine's clock

	now time.Time
}

// Next moves on to copy number count: the time is looked at afresh, and only when a template asks.
func (v *Values) Next(count int) { v.Count, v.now = count, time.Time{} }

// moment is the same for the subject, the headers and the body of one message.
func (v *Values) moment() time.Time {
	if v.now.IsZero() {
		if v.Clock == nil {
			v.Clock = clock.System()
		}
		v.now = v.Clock.Now()
	}
	return v.now
}

// maxRandom bounds {{Random}}: 64 MiB is the largest payload a server can be set to.
const maxRandom = 64 << 20

// Text is a compiled template. It may be expanded by several goroutines at once, each with its own Values.
type Text struct {
	what    string
	raw     []byte
	literal string
	plain   bool
	parts   []part
	pool    *sync.Pool // of *instance
}

// Compile prepares text, the template of what ("body", "subject", "header K"). A text without {{ stays as it is and costs nothing
// to expand; one with the plain names alone never starts the template engine. A text that does not parse, or uses an unknown
// name, is a usage error that names what.
func Compile(what, text string, scope Scope) (*Text, error) {
	t := &Text{what: what, literal: text, raw: []byte(text)}
	if !strings.Contains(text, "{{") {
		t.plain = true
		return t, nil
	}
	if parts, ok := simpleParts(text, scope); ok {
		t.parts = parts
		return t, nil
	}
	// The functions are bound anew for each instance; to parse, only their names matter.
	parsed, err := template.New(what).Funcs((&instance{}).functions(scope)).Parse(text)
	if err == nil {
		err = checkFields(parsed.Root, scope)
	}
	if err != nil {
		return nil, fail.Usagef("%s template: %w", what, tidy(err, what)).WithHint("known names: %s", strings.Join(names(scope), ", "))
	}
	t.pool = &sync.Pool{New: func() any { return newInstance(parsed, scope) }}
	return t, nil
}

// Verbatim is a Text that is never expanded, whatever it looks like.
func Verbatim(what, text string) *Text {
	return &Text{what: what, literal: text, raw: []byte(text), plain: true}
}

// Literal reports whether there is nothing to expand.
func (t *Text) Literal() bool { return t.plain }

// Expand returns the text for one message, built in dst, which may be nil. For a literal it is the text's own memory, not to be
// written to. An error means that nothing may be sent.
func (t *Text) Expand(dst []byte, v *Values) ([]byte, error) {
	if t.plain {
		return t.raw, nil
	}
	if t.parts != nil {
		return t.expandParts(dst[:0], v)
	}
	in := t.pool.Get().(*instance)
	defer t.pool.Put(in)
	in.v, in.out = v, dst[:0]
	err := in.tmpl.Execute(in, in.root)
	out := in.out
	in.v, in.out = nil, nil
	if err != nil {
		return nil, t.failed(err)
	}
	return out, nil
}

// ExpandString is Expand for subjects and header values.
func (t *Text) ExpandString(v *Values) (string, error) {
	if t.plain {
		return t.literal, nil
	}
	out, err := t.Expand(nil, v)
	return string(out), err
}

func (t *Text) failed(err error) error {
	return fail.Newf(fail.Failure, "%s template: %w", t.what, tidy(err, t.what))
}

// tidy takes the engine's own preamble off an error: "template: body:1:2: executing …: why" becomes "line 1: why".
func tidy(err error, what string) error {
	var inner template.ExecError
	if errors.As(err, &inner) {
		text := inner.Error()
		if i := strings.LastIndex(text, ">: "); i >= 0 {
			text = text[i+3:]
		}
		return errors.New(strings.TrimPrefix(text, "error calling "))
	}
	return errors.New(strings.Replace(err.Error(), "template: "+what+":", "line ", 1))
}

// instance is a template bound to its own functions, so that expansions can go on side by side.
type instance struct {
	tmpl *template.Template
	root any
	v    *Values
	out  []byte
}

func newInstance(parsed *template.Template, scope Scope) *instance {
	in := &instance{}
	in.root = publishing{in}
	if scope == ForReply {
		in.root = replying{publishing{in}}
	}
	// Clone cannot fail for a text template that parsed.
	in.tmpl = template.Must(parsed.Clone()).Funcs(in.functions(scope))
	return in
}

// Write lets the template engine append to what is being built.
func (in *instance) Write(p []byte) (int, error) {
	in.out = append(in.out, p...)
	return len(p), nil
}

func (in *instance) functions(scope Scope) template.FuncMap {
	p := publishing{in}
	f := template.FuncMap{
		"Count": p.Count, "Cnt": p.Cnt, "TimeStamp": p.TimeStamp, "Time": p.Time,
		"Unix": p.Unix, "UnixNano": p.UnixNano, "ID": p.ID, "Random": p.Random,
	}
	if scope == ForReply {
		r := replying{p}
		f["Request"], f["Subject"], f["Reply"], f["Token"], f["Header"] = r.Request, r.Subject, r.Reply, r.Token, r.Header
	}
	return f
}

// publishing is the dot of a template: each function exists as a field too.
type publishing struct{ in *instance }

func (p publishing) Count() int        { return p.in.v.Count }
func (p publishing) Cnt() int          { return p.in.v.Count }
func (p publishing) TimeStamp() string { return p.in.v.moment().Format(time.RFC3339) }
func (p publishing) Time() string      { return p.in.v.moment().Format(time.Kitchen) }
func (p publishing) Unix() int64       { return p.in.v.moment().Unix() }
func (p publishing) UnixNano() int64   { return p.in.v.moment().UnixNano() }
func (p publishing) ID() string        { return nuid.Next() }

func (p publishing) Random(least, most int) (string, error) {
	out, err := appendRandom(nil, least, most)
	return string(out), err
}

// replying adds the message that is being handled.
type replying struct{ publishing }

func (r replying) Request() string          { return r.in.v.Request }
func (r replying) Subject() string          { return r.in.v.Subject }
func (r replying) Reply() string            { return r.in.v.Reply }
func (r replying) Token(n int) string       { return token(r.in.v.Subject, n) }
func (r replying) Header(key string) string { return r.in.v.Header.Get(key) }

// token is the n-th part of a subject, from 0; empty past its end.
func token(subject string, n int) string {
	for ; n > 0; n-- {
		_, rest, ok := strings.Cut(subject, ".")
		if !ok {
			return ""
		}
		subject = rest
	}
	if n < 0 {
		return ""
	}
	first, _, _ := strings.Cut(subject, ".")
	return first
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// appendRandom appends letters and digits, between least and most of them; the two may be swapped.
func appendRandom(dst []byte, least, most int) ([]byte, error) {
	if least > most {
		least, most = most, least
	}
	switch {
	case least < 0:
		return nil, errors.New("a length cannot be negative")
	case most > maxRandom:
		return nil, fmt.Errorf("longer than %d letters", maxRandom)
	}
	for range least + rand.IntN(most-least+1) {
		dst = append(dst, letters[rand.IntN(len(letters))])
	}
	return dst, nil
}

func names(scope Scope) []string {
	list := []string{"Count", "Cnt", "TimeStamp", "Time", "Unix", "UnixNano", "ID", "Random min max"}
	if scope == ForReply {
		list = append(list, "Request", "Subject", "Reply", "Token n", "Header name")
	}
	return list
}

// checkFields finds fields that do not exist before anything is sent. Inside range, with and define the dot may be anything, so
// only what stands outside them is looked at; the rest shows when it is expanded.
func checkFields(node parse.Node, scope Scope) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, inner := range n.Nodes {
			if err := checkFields(inner, scope); err != nil {
				return err
			}
		}
	case *parse.ActionNode:
		return checkFields(n.Pipe, scope)
	case *parse.IfNode:
		for _, inner := range []parse.Node{n.Pipe, n.List, n.ElseList} {
			if err := checkFields(inner, scope); err != nil {
				return err
			}
		}
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			for _, arg := range c.Args {
				if err := checkFields(arg, scope); err != nil {
					return err
				}
			}
		}
	case *parse.FieldNode:
		if known := names(scope); !slices.ContainsFunc(known, func(k string) bool { k, _, _ = strings.Cut(k, " "); return k == n.Ident[0] }) {
			return fmt.Errorf("there is no field %s", strconv.Quote("."+n.Ident[0]))
		}
	}
	return nil
}
