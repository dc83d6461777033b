package fail

import (
	"slices"
	"strings"
)

// Near lists up to three of the candidates that someone who typed name may have meant, nearest first. A candidate counts
// when it differs by no more than a third of its letters, or begins with what was typed.
func Near(name string, candidates []string) []string {
	type scored struct {
		text string
		dist int
	}
	var found []scored
	low := strings.ToLower(name)
	for _, c := range candidates {
		lc := strings.ToLower(c)
		d := distance(low, lc)
		switch {
		case c == name || low == "":
			continue
		case lc == low:
			return []string{c}
		case len(low) >= 2 && strings.HasPrefix(lc, low):
			d = min(d, 1)
		case d > max(1, max(len(low), len(lc))/3):
			continue
		}
		found = append(found, scored{c, d})
	}
	slices.SortStableFunc(found, func(a, b scored) int {
		if a.dist != b.dist {
			return a.dist - b.dist
		}
		return strings.Compare(a.text, b.text)
	})
	var out []string
	for _, f := range found {
		if !slices.Contains(out, f.text) {
			out = append(out, f.text)
		}
	}
	return out[:min(3, len(out))]
}

// DidYouMean is the hint made of the near names, or empty when there are none; prefix stands before each ("--" for flags).
func DidYouMean(prefix, name string, candidates []string) string {
	near := Near(name, candidates)
	if len(near) == 0 {
		return ""
	}
	for i, n := range near {
		near[i] = prefix + n
	}
	return "did you mean " + strings.Join(near, " or ") + "?"
}

// distance is the edit distance in which swapping two neighbours is one step (optimal string alignment).
func distance(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	if len(ra) > 64 || len(rb) > 64 {
		return max(len(ra), len(rb))
	}
	prev2, prev, cur := make([]int, len(rb)+1), make([]int, len(rb)+1), make([]int, len(rb)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(ra); i++ {
		cur[0] = i
		for j := 1; j <= len(rb); j++ {
			cost := 1
			if ra[i-1] == rb[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && ra[i-1] == rb[j-2] && ra[i-2] == rb[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(rb)]
}
