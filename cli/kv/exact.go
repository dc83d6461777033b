package kv

import "strconv"

// exact is a number without commas: revisions are typed back into commands.
func exact(n uint64) string { return strconv.FormatUint(n, 10) }
