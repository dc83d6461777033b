package stream

import (
	"strings"
	"testing"
)

// The spellings from before nats backup work as those do, with a warning.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	for i, verb := range []string{"backup", "snapshot"} {
		dir := []string{"B", "C"}[i]
		r := c.OK("stream " + verb + " ORDERS " + dir)
		if !strings.Contains(r.Out, `for stream "ORDERS"`) || !strings.Contains(r.Err, "use nats backup stream") {
			t.Errorf("%+v", r)
		}
	}
	c.OK("stream rm ORDERS -f")
	r := c.OK("stream restore B")
	if !strings.Contains(r.Out, `Restored stream "ORDERS"`) || !strings.Contains(r.Err, "use nats backup restore stream") {
		t.Errorf("%+v", r)
	}
	if s, err := srv.JS().Stream(t.Context(), "ORDERS"); err != nil || s.CachedInfo().State.Msgs == 0 {
		t.Errorf("%v", err)
	}
}
