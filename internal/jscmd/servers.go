package jscmd

import "strings"

// WithoutDomain cuts the labels that end all the names, but never a whole name.
func WithoutDomain(list []string) []string {
	if len(list) < 2 {
		return list
	}
	for {
		var tail string
		for i, n := range list {
			at := strings.LastIndexByte(n, '.')
			if at <= 0 || i > 0 && n[at:] != tail {
				return list
			}
			tail = n[at:]
		}
		for i := range list {
			list[i] = strings.TrimSuffix(list[i], tail)
		}
	}
}

// Stars shows a share of all, one for each begun tenth.
func Stars(part, all int) string {
	if all == 0 {
		return ""
	}
	return strings.Repeat("*", (part*10+all-1)/all)
}
