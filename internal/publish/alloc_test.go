package publish

import (
	"bufio"
	"bytes"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// acker is a server that acknowledges every message and makes no objects for it.
type acker struct{}

// InProcessConn makes a connection to it.
func (a acker) InProcessConn() (net.Conn, error) {
	ours, theirs := net.Pipe()
	go a.serve(theirs)
	return ours, nil
}

func (a acker) serve(c net.Conn) {
	defer c.Close()
	in, out := bufio.NewReaderSize(c, 256<<10), bufio.NewWriterSize(c, 256<<10)
	_, _ = out.WriteString(`INFO {"server_id":"x","version":"2.12.0","proto":1,"headers":true,"max_payload":1048576}` + "\r\n")
	_ = out.Flush()
	var seq uint64
	var ack, number []byte
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		line = bytes.TrimSpace(line)
		switch {
		case bytes.HasPrefix(line, []byte("PING")):
			_, _ = out.WriteString("PONG\r\n")
		case bytes.HasPrefix(line, []byte("PUB ")):
			rest := line[4:]
			rest = rest[bytes.IndexByte(rest, ' ')+1:]
			reply, size, _ := bytes.Cut(rest, []byte(" "))
			seq++
			number = append(strconv.AppendUint(append(number[:0], `{"stream":"S","seq":`...), seq, 10), '}')
			ack = append(append(append(ack[:0], "MSG "...), reply...), " 1 "...)
			ack = append(strconv.AppendInt(ack, int64(len(number)), 10), "\r\n"...)
			ack = append(append(ack, number...), "\r\n"...)
			_, _ = out.Write(ack)
			n, _, _ := digits(size)
			if _, err := in.Discard(int(n) + 2); err != nil {
				return
			}
		}
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

// TestNoAllocations is not parallel: the runtime counts for all goroutines.
func TestNoAllocations(t *testing.T) {
	opts := nats.GetDefaultOptions()
	opts.InProcessServer = acker{}
	reported := 0
	w, err := Open(t.Context(), opts, Config[int]{Idle: time.Minute, Done: func(n int, a Ack, err error) {
		if reported++; err != nil || a.Stream != "S" || a.Sequence != uint64(n)+1 {
			t.Errorf("message %d: %+v, %v", n, a, err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	sent := 0
	const each = 20_000
	m := &nats.Msg{Subject: "a.key", Data: []byte("0123456789abcdef")}
	run := func() {
		for range each {
			if err := w.Send(t.Context(), sent, m); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		if err := w.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run() // buffers are made at first use
	// A wait for room makes some, a message none.
	if n := testing.AllocsPerRun(5, run); n > each/100 {
		t.Errorf("%v allocations for %d messages", n, each)
	}
	if reported != sent {
		t.Errorf("%d of %d messages were reported", reported, sent)
	}
}
