//go:build unix

package suite

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/testkit"
)

// role is the variable that makes this test binary one of the programs of the suite.
const role = "NATSKIT_SUITE_ROLE"

// TestServer is the server of the suite when it is run as such: it says its URL, and answers each line it reads with how many
// subscriptions it has.
func TestServer(t *testing.T) {
	if os.Getenv(role) != "server" {
		t.Skip("the suite runs this as a process of its own")
	}
	srv := testkit.Server(t)
	fmt.Printf("URL %s\n", srv.URL())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Printf("SUBS %d\n", srv.Server().NumSubscriptions())
	}
}

// server is the process that TestServer is.
type server struct {
	t   *testing.T
	url string
	in  io.WriteCloser
	out *bufio.Scanner
}

func startServer(t *testing.T) *server {
	t.Helper()
	cmd := self(t, "TestServer", "server")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	s := &server{t: t, in: in, out: bufio.NewScanner(out)}
	s.url = s.read("URL ")
	return s
}

// read is the rest of the next line that begins with prefix.
func (s *server) read(prefix string) string {
	s.t.Helper()
	for s.out.Scan() {
		if text, ok := strings.CutPrefix(s.out.Text(), prefix); ok {
			return text
		}
	}
	s.t.Fatalf("the server ended before it said %q", prefix)
	return ""
}

func (s *server) subscriptions() int {
	s.t.Helper()
	if _, err := io.WriteString(s.in, "\n"); err != nil {
		s.t.Fatal(err)
	}
	n, err := strconv.Atoi(s.read("SUBS "))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// subscribed waits until the server has n subscriptions more than before.
func (s *server) subscribed(before, n int) {
	s.t.Helper()
	testkit.Eventually(s.t, time.Minute, "the subscriber is there", func() bool { return s.subscriptions() >= before+n })
}

// self runs one test of this binary as a process that plays a role.
func self(t *testing.T, test, what string, more ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run", "^"+test+"$", "-test.count", "1", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), append(more, role+"="+what)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// module is the directory of go.mod.
func module(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// build compiles a main package of this module as releases are and returns the binary.
func build(t *testing.T, name, pkg string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, pkg)
	cmd.Dir = module(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return bin
}
