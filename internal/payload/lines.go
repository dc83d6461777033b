package payload

import (
	"bufio"
	"fmt"
	"io"
)

const lineBuffer = 64 << 10

// Lines reads lines of any length. A line is shown where it lies in the buffer, so reading allocates nothing per line.
type Lines struct {
	Limit int64 // the longest line in bytes; 0 is none

	r      *bufio.Reader
	long   []byte // a line larger than the buffer; kept for the next one
	number int
}

// NewLines returns a reader of the lines of r.
func NewLines(r io.Reader) *Lines { return &Lines{r: bufio.NewReaderSize(r, lineBuffer)} }

// Next is the next line without its \n or \r\n, valid until the call after; io.EOF after the last. An empty line is an empty
// slice, a last line without an end counts as a line, and an empty input has none. A line past the limit is an error that
// wraps nats.ErrMaxPayload; the call after goes on behind it.
func (l *Lines) Next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line, err = l.collect(line)
	}
	if err != nil && (err != io.EOF || len(line) == 0) {
		return nil, err
	}
	l.number++
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	}
	if l.Limit > 0 && int64(len(line)) > l.Limit {
		return nil, fmt.Errorf("line %d: %w", l.number, tooLong(l.Limit))
	}
	return line, nil
}

// collect puts together a line that is larger than the buffer. What lies past the limit is read but not kept.
func (l *Lines) collect(start []byte) ([]byte, error) {
	l.long = append(l.long[:0], start...)
	for {
		more, err := l.r.ReadSlice('\n')
		if l.Limit == 0 || int64(len(l.long)) <= l.Limit+2 {
			l.long = append(l.long, more...)
		}
		if err != bufio.ErrBufferFull {
			return l.long, err
		}
	}
}

// Number is the number of the line last returned, from 1.
func (l *Lines) Number() int { return l.number }
