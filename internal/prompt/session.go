package prompt

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"sync"

	survey "github.com/AlecAivazis/survey/v2/terminal"

	"github.com/natskit/natskit/internal/payload/ctxio"
)

// console is the terminal device: one file on Unix, two on Windows.
type console struct {
	in, out *os.File
	shared  bool // the files belong to somebody else, and stay open
}

func (c *console) close() {
	if c.shared {
		return
	}
	_ = c.in.Close()
	if c.out != c.in {
		_ = c.out.Close()
	}
}

// session is one question on the terminal. It stands between survey and the device for what survey lacks: the end of the context
// ends a read; Ctrl-C is heard even while survey waits for the terminal's answer about the cursor, and that answer does not get
// mixed up with typing; what was typed ahead, or pasted, is kept for the questions that follow; and keys that survey does not know
// vanish, where it would give up or swallow the key behind them.
type session struct {
	c       *console
	src     *ctxio.Reader
	pending *[]byte // read but not handed out yet
	raw     bool    // keys arrive one by one, Ctrl-C as the byte 3
	eofEnds bool    // so does Ctrl-D, as the byte 4
	queries int     // cursor queries that wait for an answer
	stuck   error   // why nothing can be read any more
	unhook  func()
}

func newSession(ctx context.Context, c *console, pending *[]byte) *session {
	s := &session{c: c, src: ctxio.NewReader(ctx, c.in), pending: pending}
	var over sync.WaitGroup
	over.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer over.Done()
		s.c.wake()
	})
	s.unhook = func() {
		if !stop() {
			over.Wait()
		}
	}
	return s
}

func (s *session) end() {
	s.unhook()
	s.src.Close()
}

const (
	ctrlC = 3
	ctrlD = 4
	ctrlU = 0x15
)

// later compiles an expression when it is first used: starting a command must not pay for it.
func later(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// cursorAnswer is what a terminal sends for ESC[6n.
var cursorAnswer = later(`\x1b\[\d+;\d+R`)

// escape is a key that a terminal sends as several bytes: ESC [ …, ESC O …, or ESC and the key that Alt was held with.
var escape = later(`\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O[ -~]|[^\[O\x1b\x00-\x1f])?`)

// known are the keys that survey can tell apart: arrows, Home and End, Delete.
var known = later(`^\x1b(?:[\[O][ABCDFH]|\[3~)$`)

// begun is Escape itself, or the start of a key of which the rest is still to come.
var begun = later(`\x1b(?:[\[O][0-9;? -/]*)?$`)

// clean takes the keys out of what is pending that survey does not know.
func (s *session) clean() {
	have := *s.pending
	if bytes.IndexByte(have, '\x1b') < 0 {
		return
	}
	whole, rest := have, []byte(nil)
	if at := begun().FindIndex(have); at != nil {
		whole, rest = have[:at[0]], have[at[0]:]
	}
	kept := escape().ReplaceAllFunc(whole, func(key []byte) []byte {
		if known().Match(key) || (s.queries > 0 && cursorAnswer().Match(key)) {
			return key
		}
		return nil
	})
	*s.pending = append(kept, rest...)
}

// Read is terminal.FileReader. It hands out no more than one line at a time.
func (s *session) Read(p []byte) (int, error) {
	for s.stuck == nil {
		if from, to := s.ready(); to > from {
			n := copy(p, (*s.pending)[from:to])
			*s.pending = append((*s.pending)[:from], (*s.pending)[from+n:]...)
			if s.queries > 0 && from+n == to {
				s.queries--
			}
			return n, nil
		}
		if s.stuck == nil {
			buf := make([]byte, 256)
			n, err := s.src.Read(buf)
			*s.pending = append(*s.pending, buf[:n]...)
			s.stuck = err
		}
	}
	return 0, s.stuck
}

// ready is the part of what is pending that may be handed out now; none while the answer to a cursor query is still to come. A key
// that ends the question ends it here.
func (s *session) ready() (from, to int) {
	stop := -1
	if s.raw {
		s.clean()
	}
	have := *s.pending
	if s.raw {
		stop = bytes.IndexFunc(have, func(r rune) bool { return r == ctrlC || (s.eofEnds && r == ctrlD) })
	}
	if stop == 0 || (stop > 0 && s.queries > 0) {
		*s.pending = append(have[:0], have[stop+1:]...)
		s.stuck = survey.InterruptErr
		_, _ = s.Write([]byte("\r\n"))
		return 0, 0
	}
	if s.queries > 0 {
		if at := cursorAnswer().FindIndex(have); at != nil {
			return at[0], at[1]
		}
		return 0, 0
	}
	if stop > 0 {
		have = have[:stop]
	}
	if i := bytes.IndexAny(have, "\r\n"); i >= 0 {
		return 0, i + 1
	}
	return 0, len(have)
}

// Write is terminal.FileWriter.
func (s *session) Write(p []byte) (int, error) {
	s.queries += bytes.Count(p, []byte("\x1b[6n"))
	return s.c.out.Write(p)
}

// input and output are what survey wants: files with a descriptor.
type (
	input  struct{ *session }
	output struct{ *session }
)

func (i input) Fd() uintptr  { return descriptor(i.c.in) }
func (o output) Fd() uintptr { return descriptor(o.c.out) }

// descriptor takes the file's number without switching it to blocking mode, which File.Fd may do and which would make reads deaf to
// the end of the context.
func descriptor(f *os.File) (fd uintptr) {
	if c, err := f.SyscallConn(); err == nil {
		_ = c.Control(func(n uintptr) { fd = n })
	}
	return fd
}

func (s *session) stdio() survey.Stdio {
	return survey.Stdio{In: input{s}, Out: output{s}, Err: output{s}}
}
