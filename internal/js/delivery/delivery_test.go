package delivery

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	want := Meta{Stream: "ORDERS", Consumer: "c", Sequence: 22, Delivered: 33, Pending: 44, Time: time.Unix(0, 1790000000000000001)}
	for _, reply := range []string{
		"$JS.ACK.ORDERS.c.1.22.33.1790000000000000001.44",
		"$JS.ACK.hub.HASH.ORDERS.c.1.22.33.1790000000000000001.44",
		"$JS.ACK.hub.HASH.ORDERS.c.1.22.33.1790000000000000001.44.random",
		"$JS.ACK.hub.HASH.ORDERS.c.1.22.33.1790000000000000001.44.random.more",
	} {
		if got, ok := Parse(reply); !ok || got != want {
			t.Errorf("%s: %+v %t", reply, got, ok)
		}
	}
	for _, reply := range []string{
		"", "$JS.ACK.", "_INBOX.x", "$JS.ACK.ORDERS.c.1.22.33.1790000000000000001", "$JS.ACK.ORDERS.c.1.x.33.1790000000000000001.44",
		"$JS.ACK.ORDERS.c.1.22.33.-1.44", "$JS.ACK.a.ORDERS.c.1.22.33.1790000000000000001.44", "$JS.ACK.ORDERS.c.1.22.33.1790000000000000001.",
	} {
		if got, ok := Parse(reply); ok {
			t.Errorf("%q: %+v", reply, got)
		}
	}
}
