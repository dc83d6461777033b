package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// renderYAML spells the JSON tree of v as YAML: the same keys in the same order, every digit of a number kept. The items
// of a feed are documents of one stream.
//
// A general YAML encoder takes 8 µs for each value (measured: 9 s for a list of 100,000 streams). A JSON tree needs little
// of it, so that little is written here, and a fuzz test reads it back with a real parser.
func (r *Renderer) renderYAML(b *bytes.Buffer, v Viewer, feed *feedState) error {
	t, err := r.orderedTree(v)
	if err != nil {
		return err
	}
	out := b.AvailableBuffer()
	if feed != nil {
		out = append(out, "---\n"...)
	}
	switch v := t.(type) {
	case *object:
		if len(v.members) > 0 {
			out = yamlMap(out, v, 0, false)
			break
		}
		out = append(out, "{}\n"...)
	case []any:
		if len(v) > 0 {
			out = yamlList(out, v, 0, false)
			break
		}
		out = append(out, "[]\n"...)
	default:
		out = append(yamlScalar(out, v, 2), '\n')
	}
	b.Write(out)
	return nil
}

// yamlMap appends the members of a map that is not empty, each at the column indent. inline says that the first of them
// stands behind the dash of a list.
func yamlMap(dst []byte, o *object, indent int, inline bool) []byte {
	for _, m := range o.members {
		if !inline {
			dst = append(dst, spaces(indent)...)
		}
		inline = false
		key := yamlString(nil, m.key)
		if len(key) > 1000 { // longer ones must be announced
			dst = append(append(append(dst, "? "...), key...), '\n')
			dst = append(dst, spaces(indent)...)
			key = nil
		}
		dst = append(append(dst, key...), ':')
		dst = yamlValue(dst, m.value, indent+2, false)
	}
	return dst
}

func yamlList(dst []byte, list []any, indent int, inline bool) []byte {
	for _, e := range list {
		if !inline {
			dst = append(dst, spaces(indent)...)
		}
		inline = false
		dst = append(dst, '-')
		dst = yamlValue(dst, e, indent+2, true)
	}
	return dst
}

// yamlValue appends what follows a colon or a dash, with its line break. indent is the column of what is inside the value.
func yamlValue(dst []byte, v any, indent int, dash bool) []byte {
	o, isMap := v.(*object)
	list, isList := v.([]any)
	switch {
	case isMap && len(o.members) == 0:
		return append(dst, " {}\n"...)
	case isList && len(list) == 0:
		return append(dst, " []\n"...)
	case !isMap && !isList:
		return append(yamlScalar(append(dst, ' '), v, indent), '\n')
	}
	if dash {
		dst = append(dst, ' ')
	} else {
		dst = append(dst, '\n')
	}
	if isMap {
		return yamlMap(dst, o, indent, dash)
	}
	return yamlList(dst, list, indent, dash)
}

// yamlScalar appends a value of one piece without a line break at its end. Text of several lines becomes a block where a
// block shows it unchanged.
func yamlScalar(dst []byte, v any, indent int) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case json.Number:
		return append(dst, v...)
	case string:
		if !blockSafe(v) {
			return yamlString(dst, v)
		}
		text, ended := strings.CutSuffix(v, "\n")
		dst = append(dst, '|')
		if !ended {
			dst = append(dst, '-')
		}
		for l := range strings.SplitSeq(text, "\n") {
			dst = append(dst, '\n')
			if l != "" {
				dst = append(append(dst, spaces(indent)...), l...)
			}
		}
		return dst
	}
	return fmt.Append(dst, v) // true and false
}

// yamlString appends a string on one line: bare where every reader of YAML 1.1 and 1.2 takes it for that string, else as
// a JSON string, which is one of YAML too.
func yamlString(dst []byte, s string) []byte {
	if bareSafe(s) {
		return append(dst, s...)
	}
	start := len(dst)
	dst = AppendJSONString(dst, s)
	if !printable(s) {
		dst = append(dst[:start], escapeUnprintable(dst[start:])...)
	}
	return dst
}

func bareSafe(s string) bool {
	if s == "" || s[len(s)-1] == ' ' || s[len(s)-1] == ':' || strings.Contains(s, ": ") || strings.Contains(s, " #") || !printable(s) {
		return false
	}
	// Whatever begins otherwise may be a number, a date or a piece of syntax.
	if c := s[0] | 0x20; (c < 'a' || c > 'z') && s[0] != '_' && s[0] != '/' && s[0] != '$' && s[0] < 0x80 {
		return false
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}

// blockSafe reports whether s has several lines that a literal block shows as they are.
func blockSafe(s string) bool {
	if !strings.Contains(s, "\n") || s[0] == '\n' || strings.HasSuffix(s, "\n\n") {
		return false
	}
	for l := range strings.SplitSeq(s, "\n") {
		if strings.HasPrefix(l, " ") || strings.HasSuffix(l, " ") || !printable(l) {
			return false
		}
	}
	return s != "\n"
}

// printable reports whether YAML allows all of s as it is, on one line.
func printable(s string) bool {
	for _, r := range s {
		if unprintable(r) {
			return false
		}
	}
	return true
}

func unprintable(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff
}

// escapeUnprintable escapes in a JSON string what JSON allows and YAML does not.
func escapeUnprintable(text []byte) []byte {
	var out []byte
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if unprintable(r) {
			out = appendUnicode(out, r)
		} else {
			out = append(out, text[i:i+size]...)
		}
		i += size
	}
	return out
}
