package term

// Style says what a piece of text means; the colour follows from it in one place.
type Style int

// The meanings there are.
const (
	Plain  Style = iota
	Good         // healthy, done, present
	Warn         // worth a look
	Bad          // failed, missing, lost
	Key          // the name of the thing the line is about
	Muted        // there if you look for it
	Accent       // borders and labels, in the colour of the context
)

var codes = [...]string{Plain: "", Good: "32", Warn: "33", Bad: "31", Key: "1", Muted: "2", Accent: "36"}

var schemes = map[string]string{
	"blue": "34", "cyan": "36", "green": "32", "magenta": "35", "red": "31", "yellow": "33",
}

// Paint wraps text in the colour of its meaning when on is set.
func Paint(on bool, s Style, text string) string {
	if !on || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + codes[s] + "m" + text + "\x1b[0m"
}

// Painter paints for one stream with one colour scheme.
type Painter struct {
	On     bool
	Scheme string // a colour name gives the accent; other names leave it plain
}

// Paint colours text by its meaning.
func (p Painter) Paint(s Style, text string) string {
	if s != Accent {
		return Paint(p.On, s, text)
	}
	code, ok := schemes[p.Scheme]
	if !p.On || !ok || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Painter is the painter for stdout.
func (s *Streams) Painter() Painter { return Painter{On: s.Color, Scheme: s.Scheme} }
