package payload

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nuid"
)

// part is a piece of a template that needs no engine: text, or a name with nothing but whole numbers behind it.
type part struct {
	text   string
	name   string
	first  int
	second int
}

// simpleParts cuts a template into parts; ok is false when one of its actions is more than a name, and then the whole text
// belongs to the engine.
func simpleParts(text string, scope Scope) (parts []part, ok bool) {
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			parts = append(parts, part{text: before})
		}
		if !found {
			break
		}
		action, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return nil, false
		}
		p, simple := simpleAction(action, scope)
		if !simple {
			return nil, false
		}
		parts = append(parts, p)
		text = after
	}
	return parts, true
}

func simpleAction(action string, scope Scope) (part, bool) {
	if strings.Trim(action, " .0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return part{}, false
	}
	words := strings.Fields(action)
	if len(words) == 0 {
		return part{}, false
	}
	p := part{name: strings.TrimPrefix(words[0], ".")}
	wanted := 0
	switch p.name {
	case "Count", "Cnt", "TimeStamp", "Time", "Unix", "UnixNano", "ID":
	case "Random":
		wanted = 2
	case "Request", "Subject", "Reply":
		if scope != ForReply {
			return part{}, false
		}
	case "Token":
		if scope != ForReply {
			return part{}, false
		}
		wanted = 1
	default:
		return part{}, false
	}
	if len(words)-1 != wanted {
		return part{}, false
	}
	for i, to := range []*int{&p.first, &p.second}[:wanted] {
		n, err := strconv.Atoi(words[i+1])
		if err != nil || strconv.Itoa(n) != words[i+1] {
			return part{}, false
		}
		*to = n
	}
	return p, true
}

func (t *Text) expandParts(dst []byte, v *Values) ([]byte, error) {
	for i := range t.parts {
		p := &t.parts[i]
		switch p.name {
		case "":
			dst = append(dst, p.text...)
		case "Count", "Cnt":
			dst = strconv.AppendInt(dst, int64(v.Count), 10)
		case "TimeStamp":
			dst = v.moment().AppendFormat(dst, time.RFC3339)
		case "Time":
			dst = v.moment().AppendFormat(dst, time.Kitchen)
		case "Unix":
			dst = strconv.AppendInt(dst, v.moment().Unix(), 10)
		case "UnixNano":
			dst = strconv.AppendInt(dst, v.moment().UnixNano(), 10)
		case "ID":
			dst = append(dst, nuid.Next()...)
		case "Random":
			var err error
			if dst, err = appendRandom(dst, p.first, p.second); err != nil {
				return nil, t.failed(fmt.Errorf("Random: %w", err))
			}
		case "Request":
			dst = append(dst, v.Request...)
		case "Subject":
			dst = append(dst, v.Subject...)
		case "Reply":
			dst = append(dst, v.Reply...)
		case "Token":
			dst = append(dst, token(v.Subject, p.first)...)
		}
	}
	return dst, nil
}
