//go:build unix

package process_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/fleet/device/process"
	"github.com/natskit/natskit/internal/testkit"
)

func run(t *testing.T, limit int, argv ...string) process.Outcome {
	t.Helper()
	o, err := process.Run(testkit.Context(t), argv, os.Environ(), limit)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	o := run(t, 4, "/bin/sh", "-c", "echo 123456; echo ab >&2; exit 7")
	if o.Exit != 7 || string(o.Stdout) != "1234" || string(o.Stderr) != "ab\n" || o.Lost != 3 {
		t.Errorf("%+v", o)
	}
	if o := run(t, 100, "/bin/sh", "-c", "kill -9 $$"); o.Exit != -1 || o.Signal == "" {
		t.Errorf("%+v", o)
	}
	if _, err := process.Run(testkit.Context(t), []string{"/no/such/program"}, nil, 10); err == nil {
		t.Error("a program that is not there ran")
	}
}

// TestGroupEnds looks for a child of the program after the program was ended.
func TestGroupEnds(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	over := errors.New("over")
	ctx, stop := context.WithCancelCause(testkit.Context(t))
	defer stop(nil)
	done := make(chan error, 1)
	go func() {
		_, err := process.Run(ctx, []string{"/bin/sh", "-c", "sleep 600 & echo $! > " + pid + "; wait"}, os.Environ(), 10)
		done <- err
	}()
	var child int
	testkit.Eventually(t, 30*time.Second, "the child", func() bool {
		text, _ := os.ReadFile(pid)
		child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return child > 0
	})
	stop(over)
	if err := <-done; !errors.Is(err, over) {
		t.Errorf("%v", err)
	}
	testkit.Eventually(t, 30*time.Second, "the child's end", func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		zombie := err == nil && strings.Contains(string(stat), ") Z ")
		return zombie || errors.Is(syscall.Kill(child, 0), syscall.ESRCH)
	})
}
