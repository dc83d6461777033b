package follow

import (
	"testing"
	"time"
)

func TestOriginOf(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"$JS.ACK.ORDERS.c.1.22.33.1790000000000000001.44",
		"$JS.ACK.hub.HASH.ORDERS.c.1.22.33.1790000000000000001.44",
		"$JS.ACK.hub.HASH.ORDERS.c.1.22.33.1790000000000000001.44.random",
		"$JS.ACK.hub.HASH.ORDERS.c.1.22.33.1790000000000000001.44.random.more",
	} {
		o, ok, err := OriginOf([]byte(reply))
		if !ok || err != nil || string(o.Stream) != "ORDERS" || string(o.Consumer) != "c" || o.Sequence != 22 || o.Delivered != 33 ||
			o.Pending != 44 || !o.Time.Equal(time.Unix(0, 1790000000000000001)) {
			t.Errorf("%s: %+v %t %v", reply, o, ok, err)
		}
	}
	for _, reply := range []string{"", "$JS.ACK.", "_INBOX.x", "$JS.ACK.ORDERS.c.1.22.33.1790000000000000001", "$JS.ACK.a.ORDERS.c.1.22.33.1790000000000000001.44"} {
		if o, ok, err := OriginOf([]byte(reply)); ok || err != nil {
			t.Errorf("%q: %+v %v", reply, o, err)
		}
	}
	for _, reply := range []string{
		"$JS.ACK.ORDERS.c.1.x.33.1790000000000000001.44", "$JS.ACK.ORDERS.c.1.22.33.-1.44",
		"$JS.ACK.ORDERS.c.1.22.33.1790000000000000001.",
	} {
		if o, _, err := OriginOf([]byte(reply)); err == nil {
			t.Errorf("%q: %+v", reply, o)
		}
	}
}
