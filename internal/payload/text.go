package payload

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// IsText reports whether b can be shown as it is: UTF-8 of printable characters, spaces, tabs and line breaks. Nothing is text.
func IsText(b []byte) bool {
	for i := 0; i < len(b); {
		c := b[i]
		if c < utf8.RuneSelf {
			if (c < ' ' && c != '\n' && c != '\t' && c != '\r') || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if (r == utf8.RuneError && size == 1) || !(unicode.IsPrint(r) || unicode.IsSpace(r) || r == '\u200d' || r == '\ufeff') {
			return false
		}
		i += size
	}
	return true
}

// Preview shows the start of a body in at most about most bytes of it; 0 shows all. Text is returned as it is; anything else
// quoted with escapes and its length, so that it may be printed anywhere. cut says that some was left out.
func Preview(b []byte, most int) (text string, cut bool) {
	part := b
	if most > 0 && len(b) > most {
		part, cut = b[:most], true
		// Not in the middle of a character, which would make binary of text.
		for i := 0; i < utf8.UTFMax-1 && len(part) > 0; i++ {
			if r, size := utf8.DecodeLastRune(part); r != utf8.RuneError || size != 1 {
				break
			}
			part = part[:len(part)-1]
		}
		if len(part) == 0 || !IsText(part) {
			part = b[:most]
		}
	}
	switch {
	case IsText(part) && cut:
		return string(part) + fmt.Sprintf("… (%d bytes)", len(b)), true
	case IsText(part):
		return string(part), false
	case cut:
		return strconv.Quote(string(part)) + fmt.Sprintf("… (%d bytes)", len(b)), true
	}
	return strconv.Quote(string(part)) + fmt.Sprintf(" (%d bytes)", len(b)), false
}
