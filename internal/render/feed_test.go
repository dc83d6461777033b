package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/clock"
)

// item is an element of a feed with every fast path; plain is one without.
type item struct {
	N    uint64 `json:"n"`
	Text string `json:"text"`
}

func (i *item) View(p *Page) { p.Line("%d %s", i.N, i.Text) }
func (i *item) AppendText(dst []byte, _ TextOptions) []byte {
	return append(append(strconv.AppendUint(dst, i.N, 10), ' '), i.Text...)
}
func (i *item) AppendJSON(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, `{"n":`...), i.N, 10)
	return append(AppendJSONString(append(dst, `,"text":`...), i.Text), '}')
}
func (i *item) LineItem() LineItem { return LineItem{Subject: i.Text, Number: i.N} }

type plain struct {
	N    uint64 `json:"n"`
	Text string `json:"text,omitempty"`
}

func (p plain) View(pg *Page) { pg.Line("%d %s", p.N, p.Text) }

type total struct {
	Received int `json:"received"`
}

func (t total) View(p *Page) { p.Line("%s received", Good(fmt.Sprint(t.Received))) }

func feedOf(t *testing.T, format string, out, errs io.Writer) *Feed {
	t.Helper()
	f, err := ParseFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Options{Out: out, Err: errs, Format: f, Clock: clock.NewManual(now), Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	feed := r.Feed()
	feed.timer = clock.NewManual(now) // nothing is written but when the test says so
	return feed
}

func TestFeedInEveryFormat(t *testing.T) {
	t.Parallel()
	for format, want := range map[string][2]string{
		"text":                {"1 a\n2 b\n", "2 received\n"},
		"wide":                {"1 a\n2 b\n", "2 received\n"},
		"json":                {"{\"n\":1,\"text\":\"a\"}\n{\"n\":2,\"text\":\"b\"}\n{\"received\":2}\n", ""},
		"ndjson":              {"{\"n\":1,\"text\":\"a\"}\n{\"n\":2,\"text\":\"b\"}\n{\"received\":2}\n", ""},
		"yaml":                {"---\n\"n\": 1\ntext: a\n---\n\"n\": 2\ntext: b\n---\nreceived: 2\n", ""},
		"csv":                 {"n,text\n1,a\n2,b\n", "2 received\n"},
		"tsv":                 {"n\ttext\n1\ta\n2\tb\n", "2 received\n"},
		"md":                  {"| n | text |\n| --- | --- |\n| 1 | a |\n| 2 | b |\n", "2 received\n"},
		"jq=.n // .received":  {"1\n2\n2\n", ""},
		"template={{json .}}": {"{\"n\":1,\"text\":\"a\"}\n{\"n\":2,\"text\":\"b\"}\n{\"received\":2}\n", ""},
		`line=%n %s;`:         {"1 a;2 b;", "2 received\n"},
	} {
		for _, fast := range []bool{true, false} {
			if !fast && strings.HasPrefix(format, "line") {
				continue
			}
			var out, errs bytes.Buffer
			f := feedOf(t, format, &out, &errs)
			for _, i := range []item{{1, "a"}, {2, "b"}} {
				var v Viewer = plain(i)
				if fast {
					v = &i
				}
				if err := f.Emit(v); err != nil {
					t.Fatal(err)
				}
			}
			if out.Len() > 0 {
				t.Errorf("%s: %q was written at once", format, out.String())
			}
			if err := f.Close(total{2}); err != nil {
				t.Fatal(err)
			}
			if out.String() != want[0] || errs.String() != want[1] {
				t.Errorf("%s: %q and %q, want %q and %q", format, out.String(), errs.String(), want[0], want[1])
			}
		}
	}
}

func TestFeedColumnsStayWhenValuesAreEmpty(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := feedOf(t, "csv", &out, nil)
	for _, v := range []Viewer{plain{1, ""}, &item{2, "b"}} {
		if err := f.Emit(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(nil); err != nil || out.String() != "n,text\n1,\n2,b\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestFeedWithoutSummary(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json", "csv"} {
		var out, errs bytes.Buffer
		f := feedOf(t, format, &out, &errs)
		if err := f.Close(nil); err != nil || out.Len() > 0 || errs.Len() > 0 {
			t.Errorf("%s: %q %q %v", format, out.String(), errs.String(), err)
		}
		if err := f.Close(total{1}); err != nil || out.Len() > 0 || errs.Len() > 0 {
			t.Errorf("%s, closed twice: %q %q %v", format, out.String(), errs.String(), err)
		}
		if err := f.Emit(plain{}); !errors.Is(err, errFeedClosed) {
			t.Errorf("%s, after the end: %v", format, err)
		}
	}
}

// writes tells the test of each write.
type writes struct {
	mu   sync.Mutex
	n    int
	text bytes.Buffer
	c    chan string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	w.text.Write(p)
	if w.c != nil {
		w.c <- string(p)
	}
	return len(p), nil
}

func TestFeedWritesFiveMillisecondsAfterAnItem(t *testing.T) {
	t.Parallel()
	w := &writes{c: make(chan string, 10)}
	f := feedOf(t, "text", w, nil)
	c := f.timer.(*clock.Manual)
	for round := range 3 {
		for i := range 3 {
			if err := f.Emit(&item{uint64(round), strconv.Itoa(i)}); err != nil {
				t.Fatal(err)
			}
		}
		for c.Waiting() == 0 { // the goroutine that waits is being started
			runtime.Gosched()
		}
		c.Advance(flushAfter - 1)
		if len(w.c) > 0 {
			t.Fatalf("%q was written early", <-w.c)
		}
		if c.Waiting() != 1 {
			t.Fatalf("%d timers", c.Waiting())
		}
		c.Advance(1)
		if got, want := <-w.c, fmt.Sprintf("%d 0\n%d 1\n%d 2\n", round, round, round); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		f.mu.Lock() // until the flush has ended
		armed := f.armed
		f.mu.Unlock()
		if armed || c.Waiting() > 0 {
			t.Error("an idle feed costs nothing")
		}
	}
	if err := f.Emit(&item{9, "last"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Flush(); err != nil || <-w.c != "9 last\n" {
		t.Errorf("flush: %v", err)
	}
	if err := f.Close(nil); err != nil || w.n != 4 {
		t.Errorf("%d writes, %v", w.n, err)
	}
}

func TestFeedWritesWhenFull(t *testing.T) {
	t.Parallel()
	w := &writes{}
	f := feedOf(t, "text", w, nil)
	big := strings.Repeat("x", 1000)
	for range 1000 {
		if err := f.Emit(&item{1, big}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Emit(&item{2, strings.Repeat("y", 20*bufferSize)}); err != nil {
		t.Fatal(err)
	}
	if cap(f.buf) > 16*bufferSize {
		t.Errorf("the buffer keeps %d bytes", cap(f.buf))
	}
	if err := f.Close(nil); err != nil {
		t.Fatal(err)
	}
	if want := 1000*1003 + 20*bufferSize + 3; w.text.Len() != want || w.n > 20 {
		t.Errorf("%d bytes of %d in %d writes", w.text.Len(), want, w.n)
	}
}

func TestFeedIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	w := &writes{}
	r, err := New(Options{Out: w, Format: Format{Kind: JSON}})
	if err != nil {
		t.Fatal(err)
	}
	f := r.Feed()
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 2000 {
				var v Viewer = &item{uint64(i), "a"}
				if g%2 == 0 {
					v = plain{uint64(i), "a"}
				}
				if err := f.Emit(v); err != nil {
					t.Error(err)
					return
				}
				if i%500 == 0 {
					_ = f.Flush()
				}
			}
		})
	}
	group.Wait()
	if err := f.Close(nil); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(w.text.String()), "\n")
	if len(lines) != 16000 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, `{"n":`) || !strings.HasSuffix(l, `,"text":"a"}`) {
			t.Fatalf("%q", l)
		}
	}
}

func TestFeedReturnsThatTheReaderHasGone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a broken pipe has another error there")
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pw.Close() }()
	if err := pr.Close(); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	f := feedOf(t, "text", pw, &errs)
	if err := f.Emit(&item{1, "a"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Flush(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("flush: %v", err)
	}
	if err := f.Emit(&item{2, "b"}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("emit: %v", err)
	}
	if err := f.Close(total{1}); !errors.Is(err, syscall.EPIPE) || errs.String() != "1 received\n" {
		t.Errorf("close: %v, %q", err, errs.String())
	}
}

func TestFeedGoesOnAfterAnItemThatCannotBeShown(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := feedOf(t, "jq=.text + 1", &out, nil)
	if err := f.Emit(plain{1, "a"}); err == nil {
		t.Error("a string plus a number is an error")
	}
	if err := f.Emit(plain{1, ""}); err != nil {
		t.Error(err)
	}
	if err := f.Close(nil); err != nil || out.String() != "1\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestTextOfAFeedForPeople(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	r, err := New(Options{Out: &out, Err: &errs, LLM: true, TTY: true})
	if err != nil {
		t.Fatal(err)
	}
	f := r.Feed()
	_ = f.Emit(plain{1, "\x1b"})
	if err := f.Close(plain{2, "\x1b"}); err != nil || out.String() != "1 \\x1b\n" || errs.String() != "2 \\x1b\n" {
		t.Errorf("%q %q %v", out.String(), errs.String(), err)
	}
}

func TestEmitDoesNotAllocate(t *testing.T) {
	for _, format := range []string{"text", "json", `line=%n %s\n`} {
		f := feedOf(t, format, io.Discard, nil)
		i := &item{1, "orders.new"}
		n := testing.AllocsPerRun(20000, func() { _ = f.Emit(i) })
		if err := f.Close(nil); err != nil || n >= 1 {
			t.Errorf("%s: %v allocations for each item, %v", format, n, err)
		}
	}
}

func BenchmarkFeed(b *testing.B) {
	for _, format := range []Format{{}, {Kind: JSON}, {Kind: Line, Arg: `%n %s\n`}} {
		b.Run(format.Kind.String(), func(b *testing.B) {
			r, err := New(Options{Out: io.Discard, Format: format})
			if err != nil {
				b.Fatal(err)
			}
			f := r.Feed()
			i := &item{1, "orders.new"}
			b.ReportAllocs()
			for b.Loop() {
				_ = f.Emit(i)
			}
			if err := f.Close(nil); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "a\"\\\b\f\n\r\t\x00\x1f\x7f", "é日😀", "\xff\xc3", "\u2028\u2029<>&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendJSONString(nil, s); string(got) != string(want) || string(AppendJSONString(nil, []byte(s))) != string(want) {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
		if got := AppendVisible(nil, s, false); string(got) != (&look{flat: true}).clean(s) {
			t.Errorf("%q: %q", s, got)
		}
	})
}
