// Package near guesses what a misspelt name was meant to be.
package near

import (
	"slices"
	"strings"
)

// Names is which of names could be meant by name, which is none of them: best first, at most three.
func Names(name string, names []string) []string {
	type candidate struct {
		name string
		far  int
	}
	var found []candidate
	low := strings.ToLower(name)
	for _, n := range names {
		other := strings.ToLower(n)
		far := distance(low, other)
		if len(low) > 1 && (strings.HasPrefix(other, low) || strings.HasPrefix(low, other)) {
			far = min(far, 1)
		}
		if far <= max(1, len(low)/3) && n != name {
			found = append(found, candidate{n, far})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.far - b.far })
	var out []string
	for _, c := range found[:min(3, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// distance is the number of letters to insert, delete, change or swap with their neighbour to get from a to b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before, last []int
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before, last, row = last, row, make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(y)]
}
