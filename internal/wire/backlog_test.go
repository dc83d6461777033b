package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// script drives a backlog as socket and as sink, and checks that what comes out is what went in, less the losses it owns up to.
type script struct {
	t       *testing.T
	b       *backlog
	rnd     *rand.Rand
	scan    scanner
	in      scanner
	partial []byte
	next    int // number of the next message to put
	expect  int // of the next message to take
	lost    int
	m       Msg
	events  []Event
}

func newScript(t *testing.T, seed uint64, memory, disk int64) *script {
	s := &script{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), scan: scanner{marks: true}}
	s.b = newBacklog(memory, disk, t.TempDir(), func(e Event) { s.events = append(s.events, e) })
	t.Cleanup(func() {
		if err := s.b.disk.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// put reads up to n bytes of an endless stream of numbered messages from an imagined socket.
func (s *script) put(n int) {
	room := s.b.room(s.in.need)
	n = min(n, len(room))
	for len(s.partial) < n {
		body := fmt.Appendf(nil, "%d ", s.next)
		body = append(body, strings.Repeat("x", s.rnd.IntN(60))...)
		if s.rnd.IntN(2000) == 0 {
			body = append(body, make([]byte, s.rnd.IntN(300_000))...)
		}
		s.partial = fmt.Appendf(s.partial, "MSG s 1 %d\r\n%s\r\n", len(body), body)
		s.next++
		if s.rnd.IntN(50) == 0 {
			s.partial = append(s.partial, "PING\r\n"...)
		}
	}
	copy(room, s.partial[:n])
	s.partial = s.partial[n:]
	b := s.b.commit(n, time.UnixMilli(int64(s.next)))
	end, msgs := 0, 0
	s.in.reset()
	s.in.need = 0
	for end < len(b) {
		var m Msg
		k, size, err := s.in.next(b[end:], &m)
		if err != nil {
			s.t.Fatal(err)
		}
		if k == kindMore {
			break
		}
		if k == kindMsg {
			msgs++
		}
		end += size
	}
	s.b.publish(end, msgs)
}

// get takes at most n messages.
func (s *script) get(n int) (got int) {
	for got < n {
		frames, lost, _, err := s.b.take()
		if err != nil {
			s.t.Fatal(err)
		}
		s.lost += int(lost)
		s.expect += int(lost)
		if frames == nil {
			return got
		}
		used, msgs := 0, 0
		s.scan.reset()
		for used < len(frames) && got < n {
			k, size, err := s.scan.next(frames[used:], &s.m)
			if err != nil {
				s.t.Fatal(err)
			}
			used += size
			if k != kindMsg {
				continue
			}
			got++
			msgs++
			digits, _, _ := bytes.Cut(s.m.Payload, []byte(" "))
			if n, ok := number(digits); !ok || n != s.expect {
				s.t.Fatalf("message %d came where %d was due", n, s.expect)
			}
			if s.m.At.IsZero() {
				s.t.Fatal("no time")
			}
			s.expect++
		}
		s.b.done(used, msgs)
	}
	return got
}

func (s *script) count(kind EventKind) (n int) {
	for _, e := range s.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func TestBacklogKeepsOrder(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name         string
		memory, disk int64
		spills, lost bool
	}{
		{"memory alone", 64 << 20, 0, false, false},
		{"memory and disk", 128 << 10, 64 << 20, true, false},
		{"disk from the start", 0, 64 << 20, true, false},
		{"too little of both", 64 << 10, 200 << 10, true, true},
		{"nothing", 0, 0, false, true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				s := newScript(t, seed, r.memory, r.disk)
				for i := range 2000 {
					// Waves: the socket is faster for a while, then the sink.
					s.put(s.rnd.IntN(8000) + 1)
					if fast := i/200%2 == 1; fast {
						s.get(s.rnd.IntN(400))
					} else {
						s.get(s.rnd.IntN(20))
					}
					if s.b.disk.live > r.disk || s.b.disk.tail > r.disk {
						t.Fatalf("%d bytes on disk", s.b.disk.live)
					}
					if most := max(r.memory, 2*int64(s.b.size)) + 2<<20; s.b.mem > most {
						t.Fatalf("%d bytes in memory, want at most %d", s.b.mem, most)
					}
				}
				s.get(1 << 30)
				if msgs, bytes := s.b.pending(); msgs != 0 || bytes > int64(s.b.size) {
					t.Errorf("%d messages, %d bytes are left", msgs, bytes)
				}
				if uint64(s.lost) > s.b.losses() || (s.lost > 0) != r.lost || (s.count(Spilling) > 0) != r.spills || s.count(SpillFailed) > 0 {
					t.Errorf("lost %d of %d, counted %d; %d spills", s.lost, s.next, s.b.losses(), s.count(Spilling))
				}
				var told uint64
				for _, e := range s.events {
					told += e.Messages
				}
				if told+s.b.dropping != s.b.losses() {
					t.Errorf("events told of %d losses, %d in the present episode, of %d", told, s.b.dropping, s.b.losses())
				}
				if d := s.count(Dropping) - s.count(Dropped); d != 0 && (d != 1 || s.b.dropping == 0) {
					t.Errorf("%d episodes began, %d ended", s.count(Dropping), s.count(Dropped))
				}
			}
		})
	}
}

func TestBacklogWithoutDisk(t *testing.T) {
	t.Parallel()
	s := newScript(t, 1, 64<<10, 64<<20)
	s.b.disk.dir = filepath.Join(t.TempDir(), "missing")
	for range 500 {
		s.put(4000)
	}
	s.get(1 << 30)
	s.put(4000)
	s.get(1 << 30)
	if s.count(SpillFailed) != 1 || s.count(Dropping) == 0 || s.lost == 0 || uint64(s.lost) != s.b.losses() {
		t.Errorf("%v, lost %d, counted %d", s.events, s.lost, s.b.losses())
	}
}

func TestBacklogForgetsPartialFrames(t *testing.T) {
	t.Parallel()
	s := newScript(t, 1, 1<<20, 0)
	room := s.b.room(0)
	whole := "MSG s 1 2\r\n0 \r\n"
	n := copy(room, whole+"MSG s 1 5\r\nhe")
	s.b.commit(n, time.Unix(1, 0))
	s.b.publish(len(whole), 1)
	if !s.b.cut() || s.b.cut() {
		t.Error("the partial frame was not noticed, or stayed")
	}
	s.next = 1
	s.put(2000)
	if s.get(1<<30) < 5 {
		t.Error("the stream did not go on")
	}
}

func TestSpillFileIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := spill{dir: dir, limit: 100}
	if off, err := s.put([]byte("secret")); off != 0 || err != nil {
		t.Fatal(off, err)
	}
	info, err := s.f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && (info.Mode().Perm() != 0o600 || len(left) != 0) {
		t.Errorf("mode %v, %d names", info.Mode(), len(left))
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
}

func TestSpillIsARing(t *testing.T) {
	t.Parallel()
	s := spill{dir: t.TempDir(), limit: 100}
	defer func() { _ = s.close() }()
	type piece struct {
		off  int64
		text string
	}
	var queue []piece
	rnd := rand.New(rand.NewPCG(1, 2))
	full, laps := 0, 0
	for i := range 10_000 {
		text := strings.Repeat(fmt.Sprint(i%10), 1+rnd.IntN(40))
		off, err := s.put([]byte(text))
		switch {
		case err != nil:
			t.Fatal(err)
		case off >= 0:
			if len(queue) > 0 && off < queue[len(queue)-1].off {
				laps++
			}
			queue = append(queue, piece{off, text})
		default:
			full++
		}
		for len(queue) > 0 && (off < 0 || rnd.IntN(2) == 0) {
			p := queue[0]
			queue = queue[1:]
			got := make([]byte, len(p.text))
			if err := s.get(got, p.off); err != nil || string(got) != p.text {
				t.Fatalf("%q where %q was put (%v)", got, p.text, err)
			}
			s.free(p.off, int64(len(p.text)))
			off = 0
		}
	}
	info, err := s.f.Stat()
	if err != nil || info.Size() > 100 || full == 0 || laps == 0 {
		t.Errorf("size %d, %d times full, %d laps, %v", info.Size(), full, laps, err)
	}
}
