package cli

import (
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/testkit"
)

// TestCompletesDevices offers the devices that have registered.
func TestCompletesDevices(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	fleettest.Populate(t, srv)
	c := patient(t).Server(srv.URL())
	for _, args := range [][]string{{"fleet", "info", ""}, {"fleet", "move", "--home", "--device", ""}, {"fleet", "config", "get", "--device", "d"}, {"fleet", "command", "send", "--service", "qcon", "--device", ""}} {
		if got := strings.Join(words(t, c, args...), " "); got != "d1 d2" {
			t.Errorf("%q offers %q", args, got)
		}
	}
	if got := words(t, c, "fleet", "info", "--service=other", ""); len(got) > 0 {
		t.Errorf("of another service: %q", got)
	}
}
