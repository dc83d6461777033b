package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// stream is one of everything that a server sends, with the frames in the form in which collect writes them down.
const stream = "INFO {\"server_id\":\"X\"}\r\n" +
	"PING\r\n" +
	"MSG a.b 1 5\r\nhello\r\n" +
	"MSG a.b 1 5\r\nworld\r\n" +
	"MSG a.b 1 5\r\n\r\n\r\n\r\r\n" +
	"MSG a 12 reply.to 0\r\n\r\n" +
	"HMSG a 1 20 22\r\nNATS/1.0\r\nA: bcd\r\n\r\nhi\r\n" +
	"HMSG a 1 r 16 16\r\nNATS/1.0 503\r\n\r\n\r\n" +
	"PONG\r\n+OK\r\n-ERR 'Stale Connection'\r\n" +
	"msg low 7 2\r\nxy\r\n"

var frames = []string{
	`info {"server_id":"X"}`, "ping",
	`1 "a.b" "" "" "hello"`, `1 "a.b" "" "" "world"`, `1 "a.b" "" "" "\r\n\r\n\r"`, `12 "a" "reply.to" "" ""`,
	`1 "a" "" "NATS/1.0\r\nA: bcd\r\n\r\n" "hi"`, `1 "a" "r" "NATS/1.0 503\r\n\r\n" ""`,
	"pong", "ok", "err 'Stale Connection'", `7 "low" "" "" "xy"`,
}

// collect scans parts as if they came one after the other from a socket.
func collect(s *scanner, parts ...[]byte) (got []string, rest []byte, err error) {
	var m Msg
	var buf []byte
	for _, part := range parts {
		buf = append(bytes.Clone(buf), part...)
		s.reset()
		for {
			k, n, err := s.next(buf, &m)
			if err != nil {
				return got, buf, err
			}
			if k == kindMore {
				break
			}
			switch k {
			case kindMsg:
				got = append(got, fmt.Sprintf("%d %q %q %q %q", m.Sid, m.Subject, m.Reply, m.Header, m.Payload))
				if m.Wire != n {
					return got, buf, fmt.Errorf("wire size %d of a frame of %d", m.Wire, n)
				}
			case kindInfo:
				got = append(got, "info "+string(s.args))
			case kindErr:
				got = append(got, "err "+string(s.args))
			case kindPing:
				got = append(got, "ping")
			case kindPong:
				got = append(got, "pong")
			case kindOK:
				got = append(got, "ok")
			case kindMark:
				got = append(got, "mark "+m.At.UTC().Format(time.RFC3339Nano))
			}
			buf = buf[n:]
		}
	}
	return got, buf, nil
}

func TestScanCutAnywhere(t *testing.T) {
	t.Parallel()
	want := strings.Join(frames, "\n")
	check := func(parts ...[]byte) {
		t.Helper()
		got, rest, err := collect(&scanner{}, parts...)
		if err != nil || len(rest) != 0 || strings.Join(got, "\n") != want {
			t.Fatalf("parts %q: %v, rest %q, got\n%s", parts, err, rest, strings.Join(got, "\n"))
		}
	}
	all := []byte(stream)
	check(all)
	for i := range all {
		for j := i; j <= len(all); j++ {
			check(all[:i], all[i:j], all[j:])
		}
	}
	var bytewise [][]byte
	for i := range all {
		bytewise = append(bytewise, all[i:i+1])
	}
	check(bytewise...)
}

func TestScanSaysHowMuchItNeeds(t *testing.T) {
	t.Parallel()
	s := scanner{}
	var m Msg
	frame := "MSG s 42 100\r\n" + strings.Repeat("x", 100) + "\r\n"
	for i := range frame {
		k, n, err := s.next([]byte(frame[:i]), &m)
		if k != kindMore || n != 0 || err != nil {
			t.Fatalf("%d bytes: %v %d %v", i, k, n, err)
		}
		known := i >= len("MSG s 42 100\r\n")
		if known && (s.need != len(frame) || s.sid != 42 || s.size != 100) || !known && s.need != 0 {
			t.Fatalf("%d bytes: need %d sid %d size %d", i, s.need, s.sid, s.size)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine+1)
	for _, line := range []string{
		"HTTP/1.1 400 Bad Request\r\n", "MSG\r\n", "MSG \r\n", "MSG a\r\n", "MSG a 1\r\n", "MSG a 1 x\r\n", "MSG a x 1\r\n",
		"MSG a 1 -1\r\n", "MSG a 1 99999999999\r\n", "MSG a 1 999999999\r\n", "MSG a b c d 1\r\n", "MSG  1 1\r\nx\r\n",
		"HMSG a 1 5 4\r\nabcd\r\n", "HMSG a 1 4\r\nabcd\r\n", "MSG a 1 1\r\nxyz\r\n", "MSG a 1 1\r\nx\n\r", "PINGS\r\n", "PONG x\r\n",
		"\x00 not a mark", "\r\n", " PING\r\n", "+OKAY\r\n", "MSG " + long, "INFO " + long, "X",
	} {
		if got, _, err := collect(&scanner{}, []byte(line)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%.40q: %v, %q", line, err, got)
		} else if len(err.Error()) > 200 {
			t.Errorf("the error quotes %d bytes", len(err.Error()))
		}
	}
	// A line of the same form as the one before must be checked as well.
	if _, _, err := collect(&scanner{}, []byte("MSG a 1 1\r\nx\r\nMSG a 1 1\r\nxyz")); !errors.Is(err, ErrProtocol) {
		t.Errorf("a repeated line with a wrong end: %v", err)
	}
}

func TestScanMarks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 9, 28, 56, 499108000, time.UTC)
	b := make([]byte, markLen)
	putMark(b, at)
	b = append(b, "PING\r\n"...)
	got, _, err := collect(&scanner{marks: true}, b)
	if err != nil || strings.Join(got, ",") != "mark 2026-11-21T09:28:56.499108Z,ping" {
		t.Errorf("%v %q", err, got)
	}
	if _, _, err := collect(&scanner{}, b); !errors.Is(err, ErrProtocol) {
		t.Errorf("a mark from the network: %v", err)
	}
}

// FuzzScan holds the scanner to three promises: no panic, frames do not depend on how the stream is cut, and what is accepted adds up.
func FuzzScan(f *testing.F) {
	f.Add([]byte(stream), 7)
	f.Add([]byte("MSG a 1 5\r\nhello\r\nMSG a 1 5\r\nhellx\r\n-ERR\r\n"), 20)
	f.Add([]byte("HMSG a.b.c 99 x.y 12 12\r\nNATS/1.0\r\n\r\n\r\nPING\n"), 3)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		whole, rest, err := collect(&scanner{}, data)
		if len(rest) > len(data) {
			t.Fatal("more bytes than there were")
		}
		cut = max(0, min(cut, len(data)))
		parts, rest2, err2 := collect(&scanner{}, data[:cut], data[cut:])
		if strings.Join(whole, "\n") != strings.Join(parts, "\n") {
			t.Fatalf("cut at %d: %q, else %q", cut, parts, whole)
		}
		if (err == nil) != (err2 == nil) || err == nil && !bytes.Equal(rest, rest2) {
			t.Fatalf("cut at %d: %v %q, else %v %q", cut, err2, rest2, err, rest)
		}
	})
}
