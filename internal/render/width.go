package render

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// width is the number of columns that s takes on a terminal; escape sequences take none.
func width(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return text.StringWidthWithoutEscSequences(s)
		}
	}
	return len(s)
}

// cutTo is the longest beginning of s that takes at most n columns.
func cutTo(s string, n int) string {
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > n {
			return s[:i]
		}
	}
	return s
}

// cutFrom is the longest end of s that takes at most n columns.
func cutFrom(s string, n int) string {
	used := 0
	runes := []rune(s)
	for i := len(runes) - 1; i >= 0; i-- {
		if used += runeWidth(runes[i]); used > n {
			return string(runes[i+1:])
		}
	}
	return s
}

func runeWidth(r rune) int {
	if r >= 0x20 && r < 0x7f {
		return 1
	}
	return text.RuneWidth(r)
}

// elide makes s take at most n columns by leaving out its middle or its end.
func elide(s string, n int, how Elide) string {
	if n <= 0 || width(s) <= n || how == None {
		return s
	}
	if how == End || n < 3 {
		return cutTo(s, n-1) + "…"
	}
	head := cutTo(s, n/2)
	return head + "…" + cutFrom(s, n-1-width(head))
}

func spaces(n int) string {
	if n <= 0 {
		return ""
	}
	return strings.Repeat(" ", n)
}
