package cluster

import (
	"testing"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// What the verbs print in every format.
func TestGoldens(t *testing.T) {
	t.Parallel()
	moves := []js.Move{{Name: "ORDERS", From: "n1", To: "n2"}}
	for name, v := range map[string]render.Viewer{
		"balance":             balanced{Streams: 4, Single: 1, Moves: moves},
		"balance-dry-run":     balanced{DryRun: true, Streams: 4, Moves: moves},
		"evacuate":            peerSet{Stream: "ORDERS", Left: "n3", Peers: []string{"n1", "n0", "n2"}},
		"peer-remove-dry-run": peerSet{Stream: "ORDERS", Left: "n3", Peers: []string{"n1"}, DryRun: true, Messages: 12345, Bytes: 1 << 20},
		"cancel-move":         canceled{Stream: "ORDERS", Peers: []string{"n1"}},
	} {
		viewtest.Golden(t, name, v)
	}
}
