package stream

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestNoServer(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	for _, line := range []string{
		"add X --subjects x --defaults", "edit X --description d -f", "copy X Y --subjects y", "ls", "ls -n", "info X", "state X", "rm X -f", "rm --match 'X*' -f", "purge X -f", "rmm X 1 -f",
		"view X", "get X 1", "cat X", "grep X x", "seal X -f", "gaps X", "subjects X", "find", "report", "cluster step-down X", "cluster balance", "cluster evacuate X n1 -f",
		"cluster cancel-move X -f", "cluster peer-remove X n1 -f",
	} {
		r := c.Run("stream " + line)
		if r.Code != fail.Unreachable || r.Out != "" {
			t.Errorf("%s: code %d, stdout %q, stderr %s", line, r.Code, r.Out, r.Err)
		}
	}
}

// S6: what strangers put into bodies, headers, subjects and descriptions does not reach the terminal as control sequences.
func TestS6_ControlSequencesAreShown(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.Args("stream", "add", "EVIL", "--subjects", "evil.>", "--defaults", "--description", "a\x1b]0;owned\x07b")
	testkit.PublishMsg(t, srv.Conn(), "evil.\x1b[31m", "body \x1b[2J\r\x9b", "K", "v\x1b[1m")
	tty := c.TTY(120).Env("NO_COLOR", "1")
	for _, line := range []string{"info EVIL", "ls", "get EVIL 1", "view EVIL", "view EVIL --raw", "view EVIL --json", "cat EVIL", "cat EVIL --raw", "cat EVIL --json", "grep EVIL body", "subjects EVIL",
		"subjects EVIL --names", "subjects EVIL --sort none", "subjects EVIL --json", "report", "find", "edit EVIL --description new --dry-run"} {
		r := tty.Answers(prompttest.None()).Run("stream " + line)
		if strings.ContainsAny(r.Out+r.Err, "\x1b\x07\u009b") || strings.IndexByte(r.Out, 0x9b) >= 0 || r.Out == "" {
			t.Errorf("%s: %q %q", line, r.Out, r.Err)
		}
	}
	// A pipe gets the bytes as they are.
	if out := c.OK("stream cat EVIL --raw").Out; out != "body \x1b[2J\r\x9b\n" {
		t.Errorf("%q", out)
	}
}

// In a protected context the name must be typed.
func TestProtectedContext(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	config := filepath.Join(filepath.Dir(c.Dir()), "config")
	if err := os.MkdirAll(filepath.Join(config, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "nats", "context", "PROD.json"), []byte(`{"url":"`+srv.URL()+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(k string) string { return map[string]string{"XDG_CONFIG_HOME": config}[k] }
	root, err := contexts.Root(getenv)
	if err != nil {
		t.Fatal(err)
	}
	if err := contexts.NewStore(root, getenv).SetProtected(t.Context(), "PROD", true); err != nil {
		t.Fatal(err)
	}
	prod := c.Env("NATS_URL", "")
	prod.Answers(answering(t, "type ORDERS=ORDRES", "type ORDERS=")).Fails(fail.Declined, "stream rm ORDERS --context PROD")
	prod.Answers(answering(t, "type ORDERS=ORDERS")).OK("stream purge ORDERS --context PROD")
	prod.Answers(answering(t, "type ORDERS=ORDERS")).OK("stream rm ORDERS --context PROD")
	gone(t, srv, "ORDERS")
}

// ^C is how a pager ends.
func TestViewInterrupted(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	r := c.TTY(80).Answers(prompttest.Scripted(t, fail.ErrInterrupted)).OK("stream view ORDERS 2 --raw")
	if r.Out != "msg 1\nmsg 2\n" {
		t.Errorf("%q", r.Out)
	}
}
