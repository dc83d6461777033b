package env

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestFlow writes what is larger than the steps, from the start of a file and from its middle, in pieces of all sizes.
func TestFlow(t *testing.T) {
	t.Parallel()
	want := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{1}).Read(want)
	for _, at := range []int{0, 1, 100_003} {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(want[:at]); err != nil {
			t.Fatal(err)
		}
		w := NewFlow(f, int64(at))
		w.from, w.step = 1<<20, 128<<10
		for rest, n := want[at:], 1; len(rest) > 0; n = n*3 + 1 {
			part := rest[:min(n, len(rest))]
			if got, err := w.Write(part); got != len(part) || err != nil {
				t.Fatalf("Write is %d, %v", got, err)
			}
			rest = rest[len(part):]
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("from byte %d: the file is another one (%v)", at, err)
		}
		if !w.off && w.at-w.begun >= w.step {
			t.Errorf("from byte %d: only %d of %d bytes were handed to the disk", at, w.begun, w.at)
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a write to a closed file is %v", err)
		}
	}
}

// TestFlowIntoNoFile: a pipe takes what is written to it although it has no disk.
func TestFlowIntoNoFile(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	flow := NewFlow(w, 0)
	flow.from, flow.step = 1, 1
	if n, err := flow.Write([]byte("abc")); n != 3 || err != nil || !flow.off {
		t.Errorf("Write is %d, %v, off %t", n, err, flow.off)
	}
	_ = w.Close()
}
