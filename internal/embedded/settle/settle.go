// Package settle lets a nats-server come to rest before it is shut down.
package settle

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Wait returns when the server has no request to JetStream in hand, after a second at most. It goes before Shutdown:
// in nats-server 2.15 a worker for such requests that is first scheduled after JetStream has ended, and finds one in its
// queue, panics (server.processJSAPIRoutedRequests); a server that lives for milliseconds gets there.
func Wait(srv *server.Server) {
	idle := func() bool {
		j, err := srv.Jsz(nil)
		return err != nil || j.API.Inflight == 0
	}
	if idle() {
		return
	}
	poll, late := time.NewTicker(time.Millisecond), time.After(time.Second)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			if idle() {
				return
			}
		case <-late:
			return
		}
	}
}
