package docgen_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/docgen"
)

// shellOf skips the test where the shell is not installed.
func shellOf(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not here", name)
	}
	return path
}

// fake is a directory with a program nats that offers the lines of words, and writes what it was asked to the file asked.
func fake(t *testing.T, words string) string {
	t.Helper()
	dir := t.TempDir()
	program := "#!/bin/sh\nprintf '<%s>' \"$@\" >" + dir + "/asked\ncat " + dir + "/words\n"
	for name, text := range map[string]string{"nats": program, "words": words} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bash is what the function leaves in COMPREPLY, one a line, for a line as the shell breaks it into words.
func bash(t *testing.T, dir, line string, words ...string) (replies, asked string) {
	t.Helper()
	var script strings.Builder
	script.WriteString(docgen.Completion("bash", "nats"))
	script.WriteString("\nCOMP_LINE=$1 COMP_POINT=${#1}; shift; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))\n")
	script.WriteString("_nats_bash_autocomplete\nfor r in \"${COMPREPLY[@]}\"; do printf '%s\\n' \"$r\"; done\n")
	cmd := exec.CommandContext(t.Context(), shellOf(t, "bash"), append([]string{"--norc", "-c", script.String(), "bash", line}, words...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%s: %v: %s", line, err, errs.String())
	}
	question, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(out), "\n"), string(question)
}

func TestBash(t *testing.T) {
	t.Parallel()
	dir := fake(t, "stream\nserver\nsub\n--context=prod\n--context=pre\nnats://a:4222\nnats://a:5222\n")
	rows := []struct {
		line    string
		words   []string
		replies string
		asked   string
	}{
		{"nats st", []string{"nats", "st"}, "stream", "<--completion-bash><st>"},
		{"nats s", []string{"nats", "s"}, "stream\nserver\nsub", "<--completion-bash><s>"},
		{"nats stream ", []string{"nats", "stream", ""}, "stream\nserver\nsub\n--context=prod\n--context=pre\nnats://a:4222\nnats://a:5222", "<--completion-bash><stream><>"},
		{"nats --context=pr", []string{"nats", "--context", "=", "pr"}, "prod\npre", "<--completion-bash><--context=pr>"},
		{"nats --context=", []string{"nats", "--context", "="}, "prod\npre", "<--completion-bash><--context=>"},
		{"nats -s nats://a:4", []string{"nats", "-s", "nats", ":", "//a", ":", "4"}, "4222", "<--completion-bash><-s><nats://a:4>"},
		{"nats -s nats://a:4222 s", []string{"nats", "-s", "nats", ":", "//a", ":", "4222", "s"}, "stream\nserver\nsub", "<--completion-bash><-s><nats://a:4222><s>"},
		{"nats pub 'a b' s", []string{"nats", "pub", "'a b'", "s"}, "stream\nserver\nsub", "<--completion-bash><pub><a b><s>"},
		{"nats zz", []string{"nats", "zz"}, "", "<--completion-bash><zz>"},
	}
	for _, r := range rows {
		replies, asked := bash(t, dir, r.line, r.words...)
		if replies != r.replies || asked != r.asked {
			t.Errorf("%q:\nreplies %q, want %q\nasked %s, want %s", r.line, replies, r.replies, asked, r.asked)
		}
	}
}

// TestS1_Completion: the names of streams, keys and objects are chosen by others; completing them runs nothing, and what is
// put on the line is quoted.
func TestS1_Completion(t *testing.T) {
	t.Parallel()
	hostile := "$(touch pwned)\n`touch pwned`\na;touch pwned\n*\n~root\nb c\n\"q\n'q\n$HOME\n<(touch pwned)\n"
	dir := fake(t, hostile)
	replies, _ := bash(t, dir, "nats stream info ", "nats", "stream", "info", "")
	want := "\\$\\(touch\\ pwned\\)\n\\`touch\\ pwned\\`\na\\;touch\\ pwned\n\\*\n\\~root\nb\\ c\n\\\"q\n\\'q\n\\$HOME\n\\<\\(touch\\ pwned\\)"
	if replies != want {
		t.Errorf("replies\n%s\nwant\n%s", replies, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("a name was run")
	}
}

// The scripts of the other shells are at least read by them, where they are installed.
func TestScriptsAreRead(t *testing.T) {
	t.Parallel()
	for shell, args := range map[string][]string{"bash": {"-n"}, "zsh": {"-n"}, "fish": {"--no-execute"}} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(file, []byte(docgen.Completion(shell, "nats")), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), shellOf(t, shell), append(args, file)...).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	for _, shell := range docgen.Shells {
		if s := docgen.Completion(shell, "tool"); !strings.Contains(s, "tool") || strings.Contains(s, "PROGRAM") {
			t.Errorf("%s: %s", shell, s)
		}
	}
	if docgen.Completion("csh", "nats") != "" {
		t.Error("there is a script for csh")
	}
}

func TestFish(t *testing.T) {
	t.Parallel()
	dir := fake(t, "stream\tthe streams\nsub\nb c\n$(touch pwned)\n")
	script := docgen.Completion("fish", "nats") + "\ncomplete -C 'nats -s nats://a:1 s'\ncomplete -C 'nats b'\n"
	cmd := exec.CommandContext(t.Context(), shellOf(t, "fish"), "--no-config", "-c", script)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "stream\tthe streams\n") || !strings.Contains(string(out), "sub\n") || !strings.Contains(string(out), `b\ c`) && !strings.Contains(string(out), "b c") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("a name was run")
	}
}
