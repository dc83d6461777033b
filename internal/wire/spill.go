package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// spill is the part of a backlog that is on disk: a file of at most limit bytes, used as a ring, readable by its owner alone and
// without a name where the system allows it. Pieces are freed in the order in which they were put.
type spill struct {
	dir    string
	limit  int64
	f      *os.File
	named  bool // the file could not be removed while open
	broken bool // nothing more is put; what is there can still be read

	live       int64 // bytes in use
	head, tail int64 // of the ring
	wrap       int64 // where the first lap ended, 0 when tail is in the same lap as head
}

// put writes b and returns where; off is negative when there is no room.
func (s *spill) put(b []byte) (off int64, err error) {
	n := int64(len(b))
	off = s.tail
	switch {
	case s.broken:
		return -1, nil
	case s.wrap == 0 && s.tail+n <= s.limit, s.wrap != 0 && s.tail+n <= s.head:
	case s.wrap == 0 && n <= s.head:
		off = 0
	default:
		return -1, nil
	}
	if err := s.open(); err != nil {
		return -1, err
	}
	if _, err := s.f.WriteAt(b, off); err != nil {
		return -1, fmt.Errorf("writing the backlog: %w", err)
	}
	if off != s.tail {
		s.wrap = s.tail
	}
	s.tail = off + n
	s.live += n
	return off, nil
}

func (s *spill) open() error {
	if s.f != nil {
		return nil
	}
	f, err := os.CreateTemp(s.dir, "nats-backlog-*")
	if err != nil {
		return fmt.Errorf("creating the backlog file: %w", err)
	}
	s.f, s.named = f, os.Remove(f.Name()) != nil
	return nil
}

// get reads what was put at off into b.
func (s *spill) get(b []byte, off int64) error {
	if _, err := s.f.ReadAt(b, off); err != nil {
		return fmt.Errorf("reading the backlog: %w", err)
	}
	return nil
}

// free gives the oldest piece, n bytes at off, back.
func (s *spill) free(off, n int64) {
	s.live -= n
	s.head = off + n
	switch {
	case s.live == 0:
		s.head, s.tail, s.wrap = 0, 0, 0
		// Only to give disk space back early.
		_ = s.f.Truncate(0)
	case s.wrap != 0 && s.head == s.wrap:
		s.head, s.wrap = 0, 0
	}
}

func (s *spill) close() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	if s.named {
		if gone := os.Remove(s.f.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	s.f = nil
	return err
}
