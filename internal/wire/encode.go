package wire

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
)

const headerLine = "NATS/1.0"

// EncodePub appends the frame that publishes payload on subject: PUB, or HPUB when hdr is not empty. hdr is a block as AppendHeader
// makes it. Subject and reply must have passed CheckSubject; an empty reply is none.
func EncodePub(dst []byte, subject, reply string, hdr, payload []byte) []byte {
	return appendPub(dst, subject, reply, hdr, payload)
}

func appendPub[S string | []byte](dst []byte, subject, reply S, hdr, payload []byte) []byte {
	dst = appendPrefix(dst, subject, reply, len(hdr) > 0)
	return appendBody(dst, hdr, payload)
}

// appendPrefix appends the part of the control line that does not change with the body.
func appendPrefix[S string | []byte](dst []byte, subject, reply S, headers bool) []byte {
	if headers {
		dst = append(dst, 'H')
	}
	dst = append(dst, "PUB "...)
	dst = append(dst, subject...)
	dst = append(dst, ' ')
	if len(reply) > 0 {
		dst = append(dst, reply...)
		dst = append(dst, ' ')
	}
	return dst
}

func appendBody(dst, hdr, payload []byte) []byte {
	if len(hdr) > 0 {
		dst = strconv.AppendUint(dst, uint64(len(hdr)), 10)
		dst = append(dst, ' ')
	}
	dst = strconv.AppendUint(dst, uint64(len(hdr)+len(payload)), 10)
	dst = append(dst, '\r', '\n')
	dst = append(dst, hdr...)
	dst = append(dst, payload...)
	return append(dst, '\r', '\n')
}

// AppendHeader appends the encoded block of h, names sorted and their case kept. No headers make no block. A name or value that would
// break the block is an error.
func AppendHeader(dst []byte, h nats.Header) ([]byte, error) {
	if len(h) == 0 {
		return dst, nil
	}
	names := make([]string, 0, len(h))
	for name := range h {
		if !headerName(name) {
			return dst, fmt.Errorf("header %q: a name is printable ASCII without spaces and colons", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, headerLine+"\r\n"...)
	for _, name := range names {
		for _, value := range h[name] {
			for i := range len(value) {
				if value[i] == '\r' || value[i] == '\n' {
					return dst, fmt.Errorf("header %s: a value has no line breaks", name)
				}
			}
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, value...)
			dst = append(dst, "\r\n"...)
		}
	}
	return append(dst, "\r\n"...), nil
}

func headerName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// ParseHeader decodes the block of a message. An inline status, such as that of "no responders", becomes the headers Status and
// Description, as in nats.go. A nil block has no headers.
func ParseHeader(block []byte) (nats.Header, error) {
	if len(block) == 0 {
		return nil, nil
	}
	return nats.DecodeHeadersMsg(block)
}

// Status is the three-digit inline status of a header block, 0 if it has none, and its description.
func Status(block []byte) (code int, description string) {
	line, _, _ := bytes.Cut(block, []byte("\r\n"))
	rest, ok := bytes.CutPrefix(line, []byte(headerLine))
	if !ok {
		return 0, ""
	}
	word, text, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	n, ok := number(word)
	if !ok || len(word) != 3 {
		return 0, ""
	}
	return n, string(bytes.TrimSpace(text))
}

// CheckSubject refuses what would not be one word of a control line: an empty subject, spaces, control characters. Wildcards pass.
func CheckSubject[S string | []byte](subject S) error {
	for i := range len(subject) {
		if subject[i] <= ' ' || subject[i] == 0x7f {
			return fmt.Errorf("%w: %q has a space or a control character", nats.ErrBadSubject, string(subject))
		}
	}
	if len(subject) == 0 {
		return fmt.Errorf("%w: it is empty", nats.ErrBadSubject)
	}
	return nil
}
