package kv

import (
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// fresh is a server of the test's own and a command line on it.
func fresh(t *testing.T) (*testkit.NATS, *clitest.CLI) {
	t.Helper()
	srv := testkit.Server(t)
	return srv, clitest.New(t, Command()).Server(srv.URL())
}

// with runs lines that prepare a test.
func with(t *testing.T, lines ...string) (*testkit.NATS, *clitest.CLI) {
	t.Helper()
	srv, c := fresh(t)
	for _, l := range lines {
		c.OK(l)
	}
	return srv, c
}

func says(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("%q is missing in\n%s", p, got)
		}
	}
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func wantNoConsumers(t *testing.T, srv *testkit.NATS, stream string) {
	t.Helper()
	if n := testkit.State(t, srv.JS(), stream).Consumers; n != 0 {
		t.Errorf("%s has %d consumers left", stream, n)
	}
}
