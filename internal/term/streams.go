// Package term owns the three standard streams: what they are connected to, how wide they are, whether they take colour,
// and who may write a line at which moment. Everything a person sees passes through it; data on stdout does so untouched.
package term

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	xterm "golang.org/x/term"
)

// Streams are the standard streams of a command and what is known of them.
type Streams struct {
	In  io.Reader
	Out io.Writer // results, and nothing else
	Err io.Writer // talk: narration, warnings, progress, hints, errors

	InTTY, OutTTY, ErrTTY bool

	Width  int // columns of the terminal behind Out; 0 for a pipe or file, which is never cut
	Height int // rows of that terminal; 0 when there is none

	Color    bool   // paint stdout
	ErrColor bool   // paint stderr
	Scheme   string // the user's --colors: the accent of borders and labels, or a box style

	mu     sync.Mutex
	status string // the progress line now on the terminal, without its end
}

// System describes the process's own streams. Colour is decided here once: NO_COLOR and TERM=dumb turn it off,
// CLICOLOR_FORCE turns it on for pipes too, else a terminal gets it.
func System(getenv func(string) string) *Streams {
	s := &Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY: IsTerminal(os.Stdin), OutTTY: IsTerminal(os.Stdout), ErrTTY: IsTerminal(os.Stderr),
	}
	if s.OutTTY {
		s.Width, s.Height = size(os.Stdout, getenv)
	}
	s.Color, s.ErrColor = wantsColor(getenv, s.OutTTY), wantsColor(getenv, s.ErrTTY)
	return s
}

func wantsColor(getenv func(string) string, tty bool) bool {
	switch {
	case getenv("NO_COLOR") != "":
		return false
	case getenv("CLICOLOR_FORCE") != "" && getenv("CLICOLOR_FORCE") != "0":
		return true
	case getenv("TERM") == "dumb":
		return false
	}
	return tty
}

// IsTerminal reports whether f is a terminal; anything but an *os.File is not.
func IsTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && xterm.IsTerminal(int(file.Fd()))
}

// size asks the terminal, then COLUMNS and LINES, and settles for 80 by 24.
func size(f *os.File, getenv func(string) string) (int, int) {
	if w, h, err := xterm.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
		return w, h
	}
	w, err := strconv.Atoi(getenv("COLUMNS"))
	if err != nil || w <= 0 {
		w = 80
	}
	h, err := strconv.Atoi(getenv("LINES"))
	if err != nil || h <= 0 {
		h = 24
	}
	return w, h
}

// Say writes one line of narration to stderr as "15:04:05 text". The text may hold what strangers sent: control characters are shown, not obeyed.
func (s *Streams) Say(now time.Time, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if s.ErrTTY {
		text = Visible(text, true)
	}
	s.Line(now.Format("15:04:05") + " " + text)
}

// Warn writes "nats: warning: text" to stderr.
func (s *Streams) Warn(format string, args ...any) {
	s.Line(Paint(s.ErrColor, Warn, "nats: warning:") + " " + Visible(fmt.Sprintf(format, args...), true))
}

// Hint writes "nats: hint: text" to stderr, but only to a person: a log has no use for it.
func (s *Streams) Hint(format string, args ...any) {
	if s.ErrTTY {
		s.Line(Paint(s.ErrColor, Muted, "nats: hint:") + " " + Visible(fmt.Sprintf(format, args...), true))
	}
}

// Line writes one whole line to stderr, above the progress line if there is one.
func (s *Streams) Line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == "" {
		_, _ = io.WriteString(s.Err, text+"\n")
		return
	}
	_, _ = io.WriteString(s.Err, "\r\x1b[K"+text+"\n"+s.status)
}

// setStatus replaces the progress line; empty removes it. Only terminals have one.
func (s *Streams) setStatus(text string) {
	if !s.ErrTTY {
		return
	}
	if r, room := []rune(text), s.statusRoom(); len(r) > room {
		text = string(r[:room])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == s.status {
		return
	}
	s.status = text
	_, _ = io.WriteString(s.Err, "\r\x1b[K"+text)
}

// Visible replaces control characters, and bytes that are no UTF-8, by visible escapes such as \x1b, so that nothing a
// stranger sent can move the cursor, set a title or hide text. Line breaks and tabs stay when keepLayout is set.
func Visible(text string, keepLayout bool) string {
	clean := true
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 || c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 8)
	for i, r := range text {
		switch {
		case keepLayout && (r == '\n' || r == '\t'):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == 0xFFFD && !strings.HasPrefix(text[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			// C1 controls, and the characters that turn the direction of the text after them.
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// statusRoom is how long a progress line may be, in columns: one that wraps could not be taken back, nor one that the ^C of an
// interrupt makes wrap.
func (s *Streams) statusRoom() int {
	if room := s.errWidth() - 1 - len("^C"); room > 0 {
		return room
	}
	return math.MaxInt
}

// errWidth is the width of the terminal behind stderr now, 0 when it cannot be told.
func (s *Streams) errWidth() int {
	if f, ok := s.Err.(*os.File); ok {
		if w, _, err := xterm.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return s.Width
}
