package sub

import "bytes"

// ignore makes a function that tells whether a subject matches one of the patterns.
func ignore(patterns []string) func(subject []byte) bool {
	if len(patterns) == 0 {
		return func([]byte) bool { return false }
	}
	return func(subject []byte) bool {
		for _, p := range patterns {
			if covers([]byte(p), subject) {
				return true
			}
		}
		return false
	}
}

// covers reports whether the subject matches the pattern: * stands for one token, > for one or more at the end.
func covers(pattern, subject []byte) bool {
	for {
		p, prest, pmore := bytes.Cut(pattern, []byte{'.'})
		s, srest, smore := bytes.Cut(subject, []byte{'.'})
		switch {
		case string(p) == ">" && !pmore:
			return true
		case string(p) != "*" && !bytes.Equal(p, s):
			return false
		case !pmore || !smore:
			return pmore == smore
		}
		pattern, subject = prest, srest
	}
}
