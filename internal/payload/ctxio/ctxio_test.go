package ctxio

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

var errStop = errors.New("enough")

// plainReader hides everything but Read.
type plainReader struct{ io.Reader }

func TestReadsToTheEnd(t *testing.T) {
	t.Parallel()
	want := strings.Repeat("0123456789", 20000)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	go func() {
		_, _ = pw.WriteString(want)
		pw.Close()
	}()
	for name, src := range map[string]io.Reader{"memory": strings.NewReader(want), "goroutine": plainReader{strings.NewReader(want)}, "pipe": pr} {
		ctx, cancel := context.WithCancel(context.Background())
		r := NewReader(ctx, src)
		got, err := io.ReadAll(r)
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		r.Close()
		cancel()
	}
}

// silent returns readers that never deliver, one for each way of waiting.
func silent(t *testing.T) map[string]io.Reader {
	t.Helper()
	polled, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	blocking, bw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	blocking.Fd() // puts the file into blocking mode, as an inherited stdin is
	ir, iw := io.Pipe()
	t.Cleanup(func() {
		for _, c := range []io.Closer{iw, bw, pw, polled, blocking} {
			_ = c.Close()
		}
	})
	return map[string]io.Reader{"deadline": polled, "select": blocking, "goroutine": ir}
}

func TestContextEndsARead(t *testing.T) {
	t.Parallel()
	for name, src := range silent(t) {
		ctx, cancel := context.WithCancelCause(context.Background())
		r := NewReader(ctx, src)
		got := make(chan error, 1)
		go func() {
			_, err := r.Read(make([]byte, 8))
			got <- err
		}()
		cancel(errStop)
		if err := <-got; !errors.Is(err, errStop) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Read(make([]byte, 8)); !errors.Is(err, errStop) {
			t.Errorf("%s, again: %v", name, err)
		}
		r.Close()
	}
}

func TestFileIsUsableAfterwards(t *testing.T) {
	t.Parallel()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	ctx, cancel := context.WithCancel(context.Background())
	r := NewReader(ctx, pr)
	cancel()
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("read after the end: %v", err)
	}
	r.Close()
	_, _ = pw.WriteString("later")
	pw.Close()
	next := NewReader(context.Background(), pr)
	defer next.Close()
	if got, err := io.ReadAll(next); err != nil || string(got) != "later" {
		t.Errorf("%q, %v", got, err)
	}
}
