package store

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
)

// Export says what is written to a file.
type Export struct {
	Patterns []string
	History  bool // every revision that is kept, markers among them
	Deletes  bool // markers too
}

// Export writes one JSON document for each entry and line: key, revision, op, created, the value as "value" when it is UTF-8
// text and as "value_b64" when it is not, ttl and headers where there are any. It returns how many were written.
func (b *Bucket) Export(ctx context.Context, x Export, w io.Writer) (Tally, error) {
	var t Tally
	out := bufio.NewWriterSize(w, 256<<10)
	var line []byte
	err := b.lend(ctx, Read{Patterns: x.Patterns, History: x.History, Deletes: x.Deletes || x.History}, func(e Entry) error {
		line = appendEntry(line[:0], e)
		t.Keys++
		t.Bytes += uint64(e.Size)
		_, err := out.Write(line)
		return err
	})
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	return t, err
}

// appendEntry appends the line of one entry; it is written by hand since an export of a million keys is mostly this.
func appendEntry(to []byte, e Entry) []byte {
	to = append(to, `{"key":`...)
	to = appendString(to, e.Key)
	to = append(to, `,"revision":`...)
	to = strconv.AppendUint(to, e.Revision, 10)
	to = append(to, `,"op":"`...)
	to = append(to, e.Op...)
	to = append(to, `","created":"`...)
	to = e.Created.UTC().AppendFormat(to, time.RFC3339Nano)
	to = append(to, '"')
	if e.Op == Put {
		if IsText(e.Value) {
			to = append(to, `,"value":`...)
			to = appendString(to, e.Value)
		} else {
			to = append(to, `,"value_b64":"`...)
			to = base64.StdEncoding.AppendEncode(to, e.Value)
			to = append(to, '"')
		}
	}
	if e.TTL != "" {
		to = append(to, `,"ttl":`...)
		to = appendString(to, strings.ToValidUTF8(TTLText(e.TTL), "\uFFFD"))
	}
	if own := OwnHeaders(e.Header); len(own) > 0 {
		if raw, err := json.Marshal(own); err == nil {
			to = append(append(to, `,"headers":`...), raw...)
		}
	}
	return append(to, "}\n"...)
}

// IsText tells whether a value can stand in JSON as a string and come back byte for byte.
func IsText(value []byte) bool { return utf8.Valid(value) }

// OwnHeaders are the headers that a writer gave an entry, without those by which servers and buckets work.
func OwnHeaders(h nats.Header) nats.Header {
	if len(h) == 0 {
		return nil
	}
	out := nats.Header{}
	for k, v := range h {
		if !strings.HasPrefix(k, "Nats-") && k != operationHeader {
			out[k] = v
		}
	}
	return out
}

const hexDigits = "0123456789abcdef"

// appendString appends text as a JSON string. What needs no escape, and that is nearly everything, is copied in pieces.
func appendString[S string | []byte](to []byte, text S) []byte {
	to = append(to, '"')
	begin := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		to = append(to, text[begin:i]...)
		begin = i + 1
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\n':
			to = append(to, '\\', 'n')
		case '\r':
			to = append(to, '\\', 'r')
		case '\t':
			to = append(to, '\\', 't')
		default:
			to = append(to, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(to, text[begin:]...), '"')
}
