package cli

import (
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// TestAcceptanceNoServer is case 34: without a server every command about streams, stores, backups and the account ends at
// once with a connection error and an empty stdout. At once is, on a machine of any speed: after one attempt to connect,
// and without waiting for a timeout, which is an hour here.
func TestAcceptanceNoServer(t *testing.T) {
	t.Parallel()
	groups := strings.Fields("stream consumer kv object counter events schema errors account backup")
	instead := map[string]string{
		"stream cluster step-down": "nats stream cluster step-down S", "stream cluster evacuate": "nats stream cluster evacuate S n1 --force",
		"stream cluster cancel-move": "nats stream cluster cancel-move S --force", "consumer cluster step-down": "nats consumer cluster step-down S C",
		"consumer cluster evacuate": "nats consumer cluster evacuate S C n1 --force",
	}
	// What reads a backup or draws on a terminal misses that first; the examples of these are a help page or a restore.
	tried := 0
	for path, d := range described() {
		if d.Scope == command.Local || !slices.Contains(groups, d.Path[0]) || len(d.Examples) == 0 {
			continue
		}
		first := d.Examples[0].Line
		if instead[path] != "" {
			first = instead[path]
		}
		if strings.Contains(first, " --help") || strings.Contains(first, " restore ") {
			continue
		}
		tried++
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			line, stdin := pipe(t, first)
			line += " --timeout 1h"
			r := clitest.New(t, Tree()...).Server(testkit.Dead(t)).Stdin(stdin).Fails(fail.Unreachable, line, "nats: error: nats: no servers available for connection")
			if r.Out != "" {
				t.Errorf("stdout %q", r.Out)
			}
			url, calls := hangsUp(t)
			if r := clitest.New(t, Tree()...).Server(url).Stdin(stdin).Fails(fail.Unreachable, line); r.Out != "" {
				t.Errorf("stdout %q", r.Out)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d attempts to connect", n)
			}
		})
	}
	if tried < 60 {
		t.Errorf("only %d commands were tried", tried)
	}
}

// hangsUp is the URL of somebody who takes calls, counts them and says nothing.
func hangsUp(t *testing.T) (url string, calls *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	calls = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			_ = c.Close()
		}
	}()
	return "nats://" + l.Addr().String(), calls
}
