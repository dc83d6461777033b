package subjects

import (
	"hash/maphash"
	"slices"
)

// set tells which subjects were listed. It keeps eight bytes for each: two of a million subjects have the same once in thirty
// million listings. It is rarely asked, and then put in order.
type set struct {
	full  bool // nothing is added any more
	seed  maphash.Seed
	first []uint64            // sorted after the first question
	later map[uint64]struct{} // added since; nil before the first question
}

// mergeAt is how many may stand apart: they need several times the memory.
const mergeAt = 100_000

// room makes room for n subjects.
func (s *set) room(n int) { s.first = slices.Grow(s.first, n) }

func (s *set) sum(subject string) uint64 {
	if s.seed == (maphash.Seed{}) {
		s.seed = maphash.MakeSeed()
	}
	return maphash.String(s.seed, subject)
}

func (s *set) add(subject string) {
	switch {
	case s.full:
		return
	case s.later == nil:
		s.first = append(s.first, s.sum(subject))
		return
	}
	s.later[s.sum(subject)] = struct{}{}
	if len(s.later) < mergeAt {
		return
	}
	for sum := range s.later {
		s.first = append(s.first, sum)
	}
	slices.Sort(s.first)
	clear(s.later)
}

func (s *set) has(subject string) bool {
	if len(s.first) == 0 && len(s.later) == 0 {
		return false
	}
	if s.later == nil {
		slices.Sort(s.first)
		s.later = map[uint64]struct{}{}
	}
	sum := s.sum(subject)
	if _, yes := slices.BinarySearch(s.first, sum); yes {
		return true
	}
	_, yes := s.later[sum]
	return yes
}
