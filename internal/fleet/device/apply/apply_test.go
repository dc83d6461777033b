package apply_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fleet/device/apply"
	"github.com/natskit/natskit/internal/payload"
)

func TestApply(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, last := filepath.Join(dir, "config.json"), filepath.Join(dir, "last")
	var calls []string
	exit := 0
	target := func() *apply.Target {
		return &apply.Target{File: file, Last: last, Hook: []string{"/bin/reload", "now"}, Exec: payload.Exec{
			Environ: []string{"A=b", "NATS_PASSWORD=secret"},
			Run: func(_ context.Context, argv, env []string, stdin []byte) (stdout, stderr []byte, code int, err error) {
				if slices.ContainsFunc(env, func(s string) bool { return strings.Contains(s, "secret") }) {
					t.Errorf("the hook sees %v", env)
				}
				seen, _ := os.ReadFile(file)
				calls = append(calls, fmt.Sprintf("%v %s %s", argv, stdin, seen))
				return nil, nil, exit, nil
			},
		}}
	}
	content := func(want string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if want == "" && !os.IsNotExist(err) || want != "" && string(text) != want {
			t.Errorf("the file holds %q (%v), want %q", text, err, want)
		}
	}
	ctx := context.Background()
	for range 2 { // a restart with the same configuration does not run the hook
		if err := target().Apply(ctx, []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	content("{\"a\":1}\n")
	if want := "[/bin/reload now] {\"a\":1}\n {\"a\":1}\n"; len(calls) != 1 || calls[0] != want {
		t.Errorf("%q", calls)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	exit = 4
	if err := target().Apply(ctx, []byte(`{"a":2}`)); err == nil || !strings.Contains(err.Error(), "hook reload ended with exit status 4") {
		t.Errorf("%v", err)
	}
	content("{\"a\":1}\n")
	exit = 0
	if err := target().Apply(ctx, []byte(`{"a":1}`)); err != nil || len(calls) != 3 {
		t.Errorf("%v after %q", err, calls)
	}
	if err := target().Apply(ctx, []byte("null")); err != nil {
		t.Fatal(err)
	}
	content("")
	if err := os.WriteFile(file, []byte("somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := target().Apply(ctx, []byte("null")); err != nil {
		t.Fatal(err)
	}
	content("")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v are left, %v", entries, err)
	}
	broken := target()
	broken.Exec.Run = func(context.Context, []string, []string, []byte) ([]byte, []byte, int, error) {
		return nil, nil, -1, errors.New("no such program")
	}
	if err := broken.Apply(ctx, []byte(`{"a":3}`)); err == nil {
		t.Error("a hook that does not start is no error")
	}
	content("")
}

func TestParseHook(t *testing.T) {
	t.Parallel()
	if argv, err := apply.ParseHook(`reload 'a b' $(id)`); err != nil || len(argv) != 3 || argv[1] != "a b" || argv[2] != "$(id)" {
		t.Errorf("%q %v", argv, err)
	}
	for _, bad := range []string{"", "  ", "'open"} {
		if _, err := apply.ParseHook(bad); err == nil {
			t.Errorf("%q is a command", bad)
		}
	}
}
