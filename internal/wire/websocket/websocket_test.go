package websocket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// parts is a socket whose reads return one part each, with an expired deadline between any two. Writes are kept.
type parts struct {
	net.Conn
	rest [][]byte
	late bool
	sent bytes.Buffer
}

func (p *parts) Read(b []byte) (int, error) {
	if p.late = !p.late; p.late {
		return 0, os.ErrDeadlineExceeded
	}
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[0])
	if p.rest[0] = p.rest[0][n:]; len(p.rest[0]) == 0 {
		p.rest = p.rest[1:]
	}
	return n, nil
}

func (p *parts) Write(b []byte) (int, error) { return p.sent.Write(b) }

// readWS reads all data of the websocket and returns it with what was answered.
func readWS(deflate bool, in ...[]byte) (data string, sent []byte, err error) {
	p := &parts{}
	for _, b := range in {
		if len(b) > 0 {
			p.rest = append(p.rest, b)
		}
	}
	c := New(p, nil, deflate)
	var out bytes.Buffer
	buf := make([]byte, 7)
	for {
		n, err := c.Read(buf)
		out.Write(buf[:n])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return out.String(), p.sent.Bytes(), err
		}
	}
}

// wsFrame makes a frame as a server, or as a client when there is a key.
func wsFrame(b0 byte, body string, key string) []byte {
	b := []byte{b0}
	m := byte(0)
	if key != "" {
		m = bitMasked
	}
	switch n := len(body); {
	case n <= maxControl:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	b = append(b, key...)
	for i := range len(body) {
		c := body[i]
		if key != "" {
			c ^= key[i%4]
		}
		b = append(b, c)
	}
	return b
}

func squeeze(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), string(deflateTail[:4]))
}

func TestWebsocketCutAnywhere(t *testing.T) {
	t.Parallel()
	z := squeeze(t, "squeezed")
	stream := bytes.Join([][]byte{
		wsFrame(opBinary|bitFinal, "one ", ""),
		wsFrame(opPing|bitFinal, "are you there", ""),
		wsFrame(opText|bitFinal, "", ""),
		wsFrame(opBinary, "tw", ""), wsFrame(opPong|bitFinal, "", ""), wsFrame(opContinuation, "o", "mask"), wsFrame(opContinuation|bitFinal, " ", ""),
		wsFrame(opBinary|bitFinal|bitCompressed, z, ""),
		wsFrame(opBinary|bitCompressed, z[:3], "mask"), wsFrame(opContinuation|bitFinal, z[3:], ""),
		wsFrame(opBinary|bitFinal|bitCompressed, "\x00", ""),
		wsFrame(opBinary|bitFinal, strings.Repeat("x", 300), "abcd"),
		wsFrame(opClose|bitFinal, "\x03\xe8bye", "wxyz"),
	}, nil)
	want := "one two squeezedsqueezed" + strings.Repeat("x", 300)
	for i := range stream {
		data, sent, err := readWS(true, stream[:i], stream[i:min(i+5, len(stream))], stream[min(i+5, len(stream)):])
		if data != want || !errors.Is(err, io.EOF) {
			t.Fatalf("cut at %d: %v, %q", i, err, data)
		}
		// Our answers, read as the server would.
		p := &parts{rest: [][]byte{bytes.Clone(sent)}}
		server := New(p, nil, false)
		if _, err := io.ReadAll(retry{server}); err != nil {
			t.Fatal(err)
		}
		if len(sent) != 2+4+len("are you there")+2+4+2 || sent[0] != opPong|bitFinal || sent[19] != opClose|bitFinal {
			t.Fatalf("cut at %d: answered %q", i, sent)
		}
	}
}

// retry reads on after expired deadlines.
type retry struct{ io.Reader }

func (r retry) Read(p []byte) (int, error) {
	for {
		n, err := r.Reader.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

func TestWebsocketRoundTrip(t *testing.T) {
	t.Parallel()
	for _, deflate := range []bool{false, true} {
		p := &parts{}
		c := New(p, nil, deflate)
		var want bytes.Buffer
		for _, n := range []int{0, 1, 125, 126, 65535, 65536, 200_000} {
			b := bytes.Repeat([]byte("message "), n/8+1)[:n]
			before := bytes.Clone(b)
			if k, err := c.Write(b); k != n || err != nil {
				t.Fatal(k, err)
			}
			if !bytes.Equal(b, before) {
				t.Error("the caller's bytes were masked")
			}
			want.Write(b)
		}
		back := New(&parts{rest: [][]byte{p.sent.Bytes()}}, nil, deflate)
		got, err := io.ReadAll(retry{back})
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("deflate %v: %v, %d of %d bytes", deflate, err, len(got), want.Len())
		}
	}
}

func TestWebsocketRefuses(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string][]byte{
		"continuation of nothing": wsFrame(opContinuation|bitFinal, "x", ""),
		"second beginning":        append(wsFrame(opBinary, "x", ""), wsFrame(opBinary, "x", "")...),
		"compressed uninvited":    wsFrame(opBinary|bitFinal|bitCompressed, "x", ""),
		"reserved bit":            wsFrame(opBinary|bitFinal|0x20, "x", ""),
		"reserved opcode":         wsFrame(3|bitFinal, "x", ""),
		"reserved control":        wsFrame(11|bitFinal, "x", ""),
		"fragmented ping":         wsFrame(opPing, "x", ""),
		"long ping":               wsFrame(opPing|bitFinal, strings.Repeat("x", 126), ""),
		"huge":                    {opBinary | bitFinal, 127, 0xff, 0, 0, 0, 0, 0, 0, 0},
	} {
		if data, _, err := readWS(false, frame); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, %q", name, err, data)
		}
	}
	if data, _, err := readWS(true, wsFrame(opBinary|bitFinal|bitCompressed, "\xff\xff\xff", "")); !errors.Is(err, ErrProtocol) {
		t.Errorf("not deflate: %v, %q", err, data)
	}
}

// FuzzWebsocket feeds the reader anything: it may refuse, it may not panic, hang or make more bytes than compression can.
func FuzzWebsocket(f *testing.F) {
	z := squeeze(f, "squeezed")
	f.Add(append(wsFrame(opBinary|bitFinal|bitCompressed, z, ""), wsFrame(opPing|bitFinal, "x", "mask")...), 3)
	f.Add(append(wsFrame(opBinary, "tw", ""), wsFrame(opContinuation|bitFinal, "o", "mask")...), 4)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		cut = max(0, min(cut, len(stream)))
		whole, _, err1 := readWS(true, stream)
		parts, _, err2 := readWS(true, stream[:cut], stream[cut:])
		if whole != parts || (err1 == nil) != (err2 == nil) || len(whole) > 2000*len(stream) {
			t.Fatalf("cut at %d: %q %v, else %q %v", cut, parts, err2, whole, err1)
		}
	})
}
