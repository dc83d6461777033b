//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTalk plays docs/talk/talk.sh, which checks what it prints, and looks that it leaves nothing behind.
func TestTalk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two servers and thirty devices")
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home, tmp, bin := t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{"nats", "world"} { // the test binary is both, when it is called so
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", filepath.Join("..", "docs", "talk", "talk.sh"), filepath.Join(bin, "nats"), filepath.Join(bin, "world"))
	cmd.Env = []string{"HOME=" + home, "TMPDIR=" + tmp, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "── Done ──") {
		t.Errorf("the talk did not come to its end:\n%s", out)
	}
	for _, dir := range []string{home, tmp} {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("the talk left %v behind, %v", left, err)
		}
	}
}
