package term

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"

	xterm "golang.org/x/term"
)

// ErrNoTerminal says that a full screen was asked for where there is none.
var ErrNoTerminal = errors.New("there is no terminal to draw on")

// Screen is the alternate screen of a terminal: what was there before comes back when it closes.
type Screen struct {
	s      *Streams
	out    *os.File
	mu     sync.Mutex
	closed bool
	resize chan struct{}
	stop   func()
}

// OpenScreen switches stdout to its alternate screen and hides the cursor. It fails with ErrNoTerminal off a terminal.
func (s *Streams) OpenScreen(ctx context.Context) (*Screen, error) {
	out, ok := s.Out.(*os.File)
	if !ok || !s.OutTTY {
		return nil, ErrNoTerminal
	}
	sc := &Screen{s: s, out: out, resize: make(chan struct{}, 1)}
	sc.stop = watchResize(ctx, sc.resize)
	_, err := out.WriteString("\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H")
	return sc, err
}

// Size is the terminal's current width and height.
func (sc *Screen) Size() (width, height int) {
	if w, h, err := xterm.GetSize(int(sc.out.Fd())); err == nil && w > 0 && h > 0 {
		return w, h
	}
	return sc.s.Width, sc.s.Height
}

// Resized delivers when the window changed its size.
func (sc *Screen) Resized() <-chan struct{} { return sc.resize }

// Draw replaces the picture. Lines past the bottom are left out; each line is expected to fit the width.
func (sc *Screen) Draw(text string) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.closed {
		return nil
	}
	_, h := sc.Size()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if h > 0 && len(lines) > h {
		lines = lines[:h]
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(l)
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err := sc.out.WriteString(b.String())
	return err
}

// Close brings the earlier screen back. It may be called more than once, also from a deferred call during a panic.
func (sc *Screen) Close() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.closed {
		return
	}
	sc.closed = true
	sc.stop()
	_, _ = sc.out.WriteString("\x1b[?25h\x1b[?1049l")
}
