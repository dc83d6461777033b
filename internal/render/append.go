package render

import (
	"unicode/utf8"

	"github.com/natskit/natskit/internal/term"
)

// clean reports whether term.Visible would leave text as it is.
func clean[T ~string | ~[]byte](text T, keepLayout bool) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c >= 0x20 && c < 0x7f || keepLayout && (c == '\n' || c == '\t') {
			continue
		}
		return false
	}
	return true
}

// AppendVisible appends text of strangers as term.Visible shows it; clean ASCII is copied without an allocation.
func AppendVisible[T ~string | ~[]byte](dst []byte, text T, keepLayout bool) []byte {
	if clean(text, keepLayout) {
		return append(dst, text...)
	}
	return append(dst, term.Visible(string(text), keepLayout)...)
}

const hexDigits = "0123456789abcdef"

// AppendJSONString appends text as a JSON string, as encoding/json writes it but without HTML escaping: bytes that are no
// UTF-8 become U+FFFD. It does not allocate beyond dst.
func AppendJSONString[T ~string | ~[]byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, text[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
		if r == utf8.RuneError && size == 1 || r == 0x2028 || r == 0x2029 {
			dst = append(dst, text[start:i]...)
			dst = appendUnicode(dst, r)
			start = i + size
		}
		i += size
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return appendUnicode(dst, rune(c))
}

func appendUnicode(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendSafeJSON appends a JSON text with the control characters that JSON allows inside strings (DEL, C1, changes of
// direction) escaped: the same document, harmless on a terminal.
func appendSafeJSON(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		if c := text[i]; c < 0x7f {
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == 0x7f, r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069,
			r == utf8.RuneError && size == 1:
			dst = appendUnicode(dst, r)
		default:
			dst = append(dst, text[i:i+size]...)
		}
		i += size
	}
	return dst
}
