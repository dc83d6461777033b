//go:build unix

package ptytest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// screen is as much of a terminal as prompts and full-screen programs need: text, cursor movement, erasing, the alternate
// screen and the questions about the cursor. Every character is one column wide; colours and scroll regions are ignored.
type screen struct {
	cols, rows int
	cells      [][]rune
	row, col   int
	mark       [2]int   // the saved cursor
	saved      [][]rune // the main screen while the alternate one is on
	savedAt    [2]int

	plain, raw strings.Builder
	pending    []byte // an escape sequence or character that is not complete
	answers    []byte
}

func newScreen(cols, rows int) *screen {
	s := &screen{cols: cols, rows: rows}
	s.cells = s.blank()
	return s
}

func (s *screen) blank() [][]rune {
	cells := make([][]rune, s.rows)
	for i := range cells {
		cells[i] = s.blankLine()
	}
	return cells
}

func (s *screen) blankLine() []rune { return []rune(strings.Repeat(" ", s.cols)) }

func (s *screen) resize(cols, rows int) {
	old := s.cells
	s.cols, s.rows = cols, rows
	s.cells = s.blank()
	for i := range min(len(old), rows) {
		copy(s.cells[i], old[i])
	}
	s.row, s.col = min(s.row, rows-1), min(s.col, cols-1)
}

func (s *screen) text() string {
	lines := make([]string, len(s.cells))
	for i, l := range s.cells {
		lines[i] = strings.TrimRight(string(l), " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// write draws the bytes and returns what the terminal answers to questions in them.
func (s *screen) write(b []byte) (answers []byte) {
	s.raw.Write(b)
	s.pending = append(s.pending, b...)
	for len(s.pending) > 0 {
		n := s.step(s.pending)
		if n == 0 {
			break
		}
		s.pending = s.pending[n:]
	}
	answers, s.answers = s.answers, nil
	return answers
}

// step draws one character or sequence and returns its length; 0 when it is not complete.
func (s *screen) step(b []byte) int {
	if b[0] == 0x1b {
		return s.escape(b)
	}
	if !utf8.FullRune(b) {
		return 0
	}
	r, n := utf8.DecodeRune(b)
	switch r {
	case '\n':
		s.plain.WriteByte('\n')
		s.down()
	case '\r':
		s.col = 0
	case '\b':
		s.col = max(s.col-1, 0)
	case '\t':
		s.plain.WriteByte('\t')
		s.col = min(s.col/8*8+8, s.cols-1)
	default:
		if r >= ' ' {
			s.plain.WriteRune(r)
			s.put(r)
		}
	}
	return n
}

func (s *screen) put(r rune) {
	if s.col >= s.cols {
		s.col = 0
		s.down()
	}
	s.cells[s.row][s.col] = r
	s.col++ // one behind the last column: the next character wraps
}

func (s *screen) down() {
	if s.row++; s.row >= s.rows {
		s.row = s.rows - 1
		s.cells = append(s.cells[1:], s.blankLine())
	}
}

func (s *screen) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				s.control(string(b[2:i]), b[i])
				return i + 1
			}
		}
		return 0
	case ']': // a title or a link, up to BEL or ESC \
		for i := 2; i < len(b); i++ {
			if b[i] == 0x07 {
				return i + 1
			}
			if b[i] == 0x1b && i+1 < len(b) {
				return i + 2
			}
		}
		return 0
	case '(', ')': // character sets
		if len(b) < 3 {
			return 0
		}
		return 3
	case '7':
		s.mark = [2]int{s.row, s.col}
	case '8':
		s.row, s.col = s.mark[0], s.mark[1]
	case 'M':
		s.row = max(s.row-1, 0)
	}
	return 2
}

// control obeys ESC [ parameters final.
func (s *screen) control(parameters string, final byte) {
	private := strings.HasPrefix(parameters, "?")
	n := func(i, missing int) int {
		fields := strings.Split(strings.TrimPrefix(parameters, "?"), ";")
		if i >= len(fields) {
			return missing
		}
		v, err := strconv.Atoi(fields[i])
		if err != nil {
			return missing
		}
		return v
	}
	step := max(n(0, 1), 1)
	switch final {
	case 'A', 'F':
		s.row = max(s.row-step, 0)
	case 'B', 'E':
		s.row = min(s.row+step, s.rows-1)
	case 'C':
		s.col = min(s.col+step, s.cols-1)
	case 'D':
		s.col = max(min(s.col, s.cols-1)-step, 0)
	case 'G':
		s.col = min(step, s.cols) - 1
	case 'd':
		s.row = min(step, s.rows) - 1
	case 'H', 'f':
		s.row, s.col = min(step, s.rows)-1, min(max(n(1, 1), 1), s.cols)-1
	case 'J':
		s.eraseScreen(n(0, 0))
	case 'K':
		s.eraseLine(n(0, 0))
	case 's':
		s.mark = [2]int{s.row, s.col}
	case 'u':
		s.row, s.col = s.mark[0], s.mark[1]
	case 'n':
		s.answer(n(0, 0))
	case 'h', 'l':
		if private && (n(0, 0) == 1049 || n(0, 0) == 47) {
			s.alternate(final == 'h')
		}
	}
	if final == 'E' || final == 'F' {
		s.col = 0
	}
}

func (s *screen) answer(question int) {
	switch question {
	case 5: // are you well
		s.answers = append(s.answers, "\x1b[0n"...)
	case 6: // where is the cursor
		s.answers = fmt.Appendf(s.answers, "\x1b[%d;%dR", s.row+1, min(s.col, s.cols-1)+1)
	}
}

func (s *screen) eraseLine(how int) {
	from, to := min(s.col, s.cols), s.cols
	switch how {
	case 1:
		from, to = 0, min(s.col+1, s.cols)
	case 2:
		from = 0
	}
	for i := from; i < to; i++ {
		s.cells[s.row][i] = ' '
	}
}

func (s *screen) eraseScreen(how int) {
	from, to := s.row+1, s.rows
	switch how {
	case 1:
		from, to = 0, s.row
		s.eraseLine(1)
	case 2, 3:
		from = 0
	default:
		s.eraseLine(0)
	}
	for i := from; i < to; i++ {
		s.cells[i] = s.blankLine()
	}
}

func (s *screen) alternate(on bool) {
	switch {
	case on && s.saved == nil:
		s.saved, s.savedAt = s.cells, [2]int{s.row, s.col}
		s.cells = s.blank()
	case !on && s.saved != nil:
		saved := s.saved
		s.saved = nil
		s.row, s.col = s.savedAt[0], s.savedAt[1]
		s.cells = saved
		s.resize(s.cols, s.rows)
	}
}
