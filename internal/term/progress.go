package term

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/natskit/natskit/internal/clock"
)

// Progress is one line on stderr that tells how far a long piece of work has come. It is drawn only on a terminal, at
// most ten times a second, and leaves nothing behind.
type Progress struct {
	s     *Streams
	clock clock.Clock
	label string
	show  func(int64) string

	mu      sync.Mutex
	total   int64
	done    int64
	started time.Time
	drawn   time.Time
	closed  bool
}

// Progress begins a progress line. total is in the same unit as Add's argument, 0 when it is not known; show turns a
// number of units into text (bytes or counts).
func (s *Streams) Progress(c clock.Clock, label string, total int64, show func(int64) string) *Progress {
	now := c.Now()
	return &Progress{s: s, clock: c, label: label, total: total, show: show, started: now, drawn: now}
}

// Add records n more units done.
func (p *Progress) Add(n int64) {
	if !p.s.ErrTTY {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if now := p.clock.Now(); !p.closed && now.Sub(p.drawn) >= 100*time.Millisecond {
		p.drawn = now
		p.s.setStatus(p.line(now))
	}
}

// Set records that done units are done in all.
func (p *Progress) Set(done int64) {
	p.mu.Lock()
	n := done - p.done
	p.mu.Unlock()
	p.Add(n)
}

// Close removes the line. It may be called more than once.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.s.setStatus("")
	}
}

func (p *Progress) line(now time.Time) string {
	rate := ""
	if el := now.Sub(p.started).Seconds(); el > 0 {
		rate = p.show(int64(float64(p.done)/el)) + "/s"
	}
	if p.total <= 0 {
		return fmt.Sprintf("%s  %s  %s", p.label, p.show(p.done), rate)
	}
	part := float64(p.done) / float64(p.total)
	if part > 1 {
		part = 1
	}
	words := fmt.Sprintf("%3.0f%%  %s of %s  %s", part*100, p.show(p.done), p.show(p.total), rate)
	return p.label + "  " + bar(part, p.s.statusRoom()-utf8.RuneCountInString(p.label+"  "+words)) + words
}

// bar is a bar and a space behind it, as long as there is room for; a short one would say nothing.
func bar(part float64, room int) string {
	const longest, shortest = 24, 6
	cells := min(room-len(" "), longest)
	if cells < shortest {
		return ""
	}
	full := int(part * float64(cells))
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full) + " "
}
