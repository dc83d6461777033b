package store

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// Side is what one bucket holds of a key that differs.
type Side struct {
	Revision uint64    `json:"revision"`
	Created  time.Time `json:"created"`
	Size     int       `json:"size"`
}

// Difference is a key that two buckets do not hold alike. Left or Right is nil where the key is not there.
type Difference struct {
	Key   string `json:"key"`
	State string `json:"state"` // added, removed, changed
	Left  *Side  `json:"left"`
	Right *Side  `json:"right"`
}

// Compared counts what a comparison of buckets found.
type Compared struct {
	Same    uint64 `json:"same"`
	Added   uint64 `json:"added"`
	Removed uint64 `json:"removed"`
	Changed uint64 `json:"changed"`
}

type signature struct {
	side Side
	hash [16]byte
}

// Diff compares the latest values of two buckets by content and hands each difference over: what only the other has, or has
// otherwise, in its order, then what it lacks, sorted. The keys of b are held in memory with a digest of their values.
func (b *Bucket) Diff(ctx context.Context, other *Bucket, match []string, each func(Difference) error) (Compared, error) {
	var out Compared
	mine := map[string]signature{}
	err := b.Read(ctx, Read{Patterns: match}, func(e Entry) error {
		mine[e.Key] = sign(e)
		return nil
	})
	if err != nil {
		return out, err
	}
	done := map[string]bool{}
	err = other.Read(ctx, Read{Patterns: match}, func(e Entry) error {
		right := sign(e)
		left, ok := mine[e.Key]
		switch {
		case done[e.Key]:
			return nil
		case !ok:
			out.Added++
			done[e.Key] = true
			return each(Difference{Key: e.Key, State: "added", Right: &right.side})
		}
		delete(mine, e.Key)
		done[e.Key] = true
		if left.hash == right.hash && left.side.Size == right.side.Size {
			out.Same++
			return nil
		}
		out.Changed++
		return each(Difference{Key: e.Key, State: "changed", Left: &left.side, Right: &right.side})
	})
	if err != nil {
		return out, err
	}
	gone := make([]string, 0, len(mine))
	for k := range mine {
		gone = append(gone, k)
	}
	slices.Sort(gone)
	for _, k := range gone {
		left := mine[k].side
		out.Removed++
		if err := each(Difference{Key: k, State: "removed", Left: &left}); err != nil {
			return out, err
		}
	}
	return out, nil
}

func sign(e Entry) signature {
	sum := sha256.Sum256(e.Value)
	s := signature{side: Side{Revision: e.Revision, Created: e.Created, Size: e.Size}}
	copy(s.hash[:], sum[:])
	return s
}

// Line is one line of a comparison of texts: Mark is a space for what both have, - for what the first has, + for the second.
type Line struct {
	Mark string `json:"mark"`
	Text string `json:"text"`
}

// maxCells bounds the table by which lines are compared; larger texts are shown as one block replaced by another.
const maxCells = 4 << 20

// Lines compares two texts line by line.
func Lines(a, b string) []Line {
	as, bs := splitLines(a), splitLines(b)
	head := 0
	for head < len(as) && head < len(bs) && as[head] == bs[head] {
		head++
	}
	tail := 0
	for tail < len(as)-head && tail < len(bs)-head && as[len(as)-1-tail] == bs[len(bs)-1-tail] {
		tail++
	}
	out := []Line{}
	mark := func(m string, lines []string) {
		for _, l := range lines {
			out = append(out, Line{m, l})
		}
	}
	mark(" ", as[:head])
	out = append(out, middle(as[head:len(as)-tail], bs[head:len(bs)-tail])...)
	mark(" ", as[len(as)-tail:])
	return out
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// middle compares by the longest common subsequence.
func middle(as, bs []string) []Line {
	var out []Line
	n, m := len(as), len(bs)
	if n*m > maxCells {
		for _, l := range as {
			out = append(out, Line{"-", l})
		}
		for _, l := range bs {
			out = append(out, Line{"+", l})
		}
		return out
	}
	lcs := make([][]int32, n+1)
	for i := range lcs {
		lcs[i] = make([]int32, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if as[i] == bs[j] {
				lcs[i][j] = lcs[i+1][j+1] + 1
			} else {
				lcs[i][j] = max(lcs[i+1][j], lcs[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < n || j < m {
		switch {
		case i < n && j < m && as[i] == bs[j]:
			out = append(out, Line{" ", as[i]})
			i, j = i+1, j+1
		case j == m || i < n && lcs[i+1][j] >= lcs[i][j+1]:
			out = append(out, Line{"-", as[i]})
			i++
		default:
			out = append(out, Line{"+", bs[j]})
			j++
		}
	}
	return out
}
