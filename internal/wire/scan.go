package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// The limits keep a stream of garbage from taking memory: the server's default control line is 4 KiB, its INFO may list hundreds of URLs.
const (
	maxLine  = 1 << 20
	maxFrame = 512 << 20
)

// kind says what a frame is.
type kind uint8

const (
	kindMore kind = iota // the frame is not complete
	kindMsg
	kindPing
	kindPong
	kindOK
	kindErr
	kindInfo
	kindMark // a time mark, which only the backlog writes
)

// A time mark precedes in the backlog what was read from the socket at that time. No frame of the protocol begins with its first byte.
const (
	markByte = 0
	markLen  = 9
)

func putMark(b []byte, t time.Time) {
	b[0] = markByte
	binary.LittleEndian.PutUint64(b[1:], uint64(t.UnixNano()))
}

// scanner splits a buffer into frames. It holds no bytes of its own and starts over at the frame's first byte when more has arrived.
// The control line of the last message is remembered: in a stream of like messages only the first is parsed.
type scanner struct {
	marks bool   // time marks are expected
	need  int    // after kindMore: the length of the frame, 0 when not known yet
	sid   int    // after kindMore, when need is known: the subscription
	size  int    // and the bytes of headers and body
	args  []byte // after kindErr and kindInfo: the rest of the line

	prev  []byte // control line of the message before, in the same buffer
	total int    // length of that message's frame
	hdr   int    // length of its headers
}

// reset must be called when the memory scanned so far is about to be moved or overwritten.
func (s *scanner) reset() { s.prev = nil }

// next looks at the frame at the start of b. For kindMsg it fills m but for At and Lost. n is the length of the frame, 0 for kindMore.
func (s *scanner) next(b []byte, m *Msg) (k kind, n int, err error) {
	if p := len(s.prev); p != 0 && len(b) >= s.total && string(b[:p]) == string(s.prev) {
		end := s.total - 2
		if b[end] != '\r' || b[end+1] != '\n' {
			return kindMore, 0, garbage(b)
		}
		if s.hdr != 0 {
			m.Header = b[p : p+s.hdr : p+s.hdr]
		}
		m.Payload = b[p+s.hdr : end : end]
		return kindMsg, s.total, nil
	}
	if len(b) == 0 {
		s.need = 0
		return kindMore, 0, nil
	}
	switch b[0] | 0x20 {
	case 'm':
		return s.message(b, m, "msg ")
	case 'h':
		return s.message(b, m, "hmsg ")
	case markByte | 0x20:
		if s.marks && b[0] == markByte && len(b) >= markLen {
			m.At = time.Unix(0, int64(binary.LittleEndian.Uint64(b[1:])))
			return kindMark, markLen, nil
		}
		return kindMore, 0, garbage(b)
	}
	return s.control(b)
}

// message parses a control line `MSG subject sid [reply] size` or `HMSG subject sid [reply] headers size` and what follows it.
// It is one long function because, where subjects differ, it runs for every message.
func (s *scanner) message(b []byte, m *Msg, op string) (kind, int, error) {
	s.need = 0
	if !hasPrefixFold(b, op) {
		return kindMore, 0, garbage(b)
	}
	eol := bytes.IndexByte(b, '\n')
	if eol < 0 && len(b) <= maxLine {
		return kindMore, 0, nil
	}
	if eol < len(op) || eol > maxLine {
		return kindMore, 0, garbage(b)
	}
	line := b[:eol]
	if b[eol-1] == '\r' {
		line = b[:eol-1]
	}
	// The sizes stand at the end, so that what is left in the middle is the reply.
	size, at := lastNumber(line)
	hdr := 0
	if op[0] == 'h' && at > 0 {
		hdr, at = lastNumber(line[:at])
	}
	word := len(op) // start of the second word: the sid
	if at > 0 {
		word += bytes.IndexByte(b[len(op):], ' ') + 1
	}
	end, sid := word, 0
	for end < at && end-word < maxDigits && b[end]-'0' <= 9 {
		sid = sid*10 + int(b[end]-'0')
		end++
	}
	var reply []byte
	if end < at && b[end] == ' ' {
		if reply = b[end+1 : at : at]; len(reply) == 0 || bytes.IndexByte(reply, ' ') >= 0 {
			return kindMore, 0, garbage(b)
		}
	} else if end != at {
		return kindMore, 0, garbage(b)
	}
	if end == word || word < len(op)+2 || hdr > size || size > maxFrame {
		return kindMore, 0, garbage(b)
	}
	start := eol + 1
	end = start + size
	s.need, s.sid, s.size = end+2, sid, size
	if len(b) < end+2 {
		return kindMore, 0, nil
	}
	if b[end] != '\r' || b[end+1] != '\n' {
		return kindMore, 0, garbage(b[end:])
	}
	s.prev, s.total, s.hdr = b[:start:start], end+2, hdr
	m.Sid, m.Wire, m.Subject = sid, end+2, b[len(op):word-1:word-1]
	m.Reply, m.Header, m.Payload = reply, nil, b[start+hdr:end:end]
	if hdr > 0 {
		m.Header = b[start : start+hdr : start+hdr]
	}
	return kindMsg, end + 2, nil
}

// maxDigits is that of a number in a control line.
const maxDigits = 10

// lastNumber reads the number at the end of a line; at is where the space before it is, 0 when there is none.
func lastNumber(b []byte) (n, at int) {
	i, scale := len(b)-1, 1
	for i > 0 && len(b)-i <= maxDigits && b[i]-'0' <= 9 {
		n += int(b[i]-'0') * scale
		scale *= 10
		i--
	}
	if i <= 0 || i == len(b)-1 || b[i] != ' ' {
		return 0, 0
	}
	return n, i
}

// control parses the frames that are one line.
func (s *scanner) control(b []byte) (kind, int, error) {
	s.need = 0
	for _, c := range controls {
		if !hasPrefixFold(b, c.op) {
			continue
		}
		eol := bytes.IndexByte(b, '\n')
		if eol < 0 && len(b) <= maxLine {
			return kindMore, 0, nil
		}
		if eol < len(c.op) || eol > maxLine {
			return kindMore, 0, garbage(b)
		}
		s.args = bytes.TrimSpace(b[len(c.op):eol])
		if len(s.args) > 0 && !c.args {
			return kindMore, 0, garbage(b)
		}
		return c.kind, eol + 1, nil
	}
	return kindMore, 0, garbage(b)
}

var controls = [...]struct {
	op   string
	kind kind
	args bool
}{
	{"ping", kindPing, false}, {"pong", kindPong, false}, {"+ok", kindOK, false}, {"-err", kindErr, true}, {"info", kindInfo, true},
}

// hasPrefixFold reports whether b begins with the lower-case ASCII op, as far as b goes.
func hasPrefixFold(b []byte, op string) bool {
	if len(b) >= 4 && op == "msg " && binary.LittleEndian.Uint32(b) == 'M'|'S'<<8|'G'<<16|' '<<24 {
		return true // nearly always
	}
	for i := 0; i < len(op) && i < len(b); i++ {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != op[i] {
			return false
		}
	}
	return true
}

// number reads one to ten digits.
func number(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > maxDigits {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func garbage(b []byte) error {
	return fmt.Errorf("%w: %q", ErrProtocol, b[:min(len(b), 32)])
}
