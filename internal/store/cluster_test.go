package store

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

// nodeOf is the index of a server of the cluster.
func nodeOf(t *testing.T, cl *testkit.ClusterFixture, name string) int {
	t.Helper()
	i := slices.IndexFunc(cl.Nodes(), func(n *testkit.NATS) bool { return n.Name() == name })
	if i < 0 {
		t.Fatalf("no server %s", name)
	}
	return i
}

func TestUnreachableBucketsAreListed(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a cluster")
	}
	t.Parallel()
	cl := testkit.Cluster(t, 3)
	js := cl.JS()
	c := New(js)
	names := []string{"A", "B", "C", "D", "E", "F"}
	at := map[string]string{}
	for _, n := range names {
		ok(t, c.CreateKV(t.Context(), n, KVSettings{}))
		at[n] = must[*jetstream.StreamInfo](t)(c.Info(t.Context(), KV, n)).Cluster.Leader
	}
	lost := at["A"]
	i := nodeOf(t, cl, lost)
	cl.Kill(i)
	survivor := cl.Node((i + 1) % 3)
	c = New(survivor.JS())
	var down []string
	testkit.Eventually(t, 30*time.Second, "the buckets of the lost server are told apart", func() bool {
		down = nil
		all := 0
		err := c.Buckets(t.Context(), KV, func(l Listed) error {
			all++
			if l.Info == nil && l.Unreachable != "" {
				down = append(down, l.Name)
			}
			return nil
		})
		return err == nil && all == len(names) && slices.Contains(down, "A")
	})
	for _, n := range names {
		if (at[n] == lost) != slices.Contains(down, n) {
			t.Errorf("bucket %s was on %s, %s is down, unreachable: %q", n, at[n], lost, down)
		}
	}
}

func TestUploadSurvivesTheLossOfALeader(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a cluster")
	}
	t.Parallel()
	cl := testkit.Cluster(t, 3)
	c := New(cl.JS())
	ctx := t.Context()
	ok(t, c.CreateObjects(ctx, "B", ObjectSettings{Replicas: ptr(int64(3))}))
	o := must[*Objects](t)(c.OpenObjects(ctx, "B"))
	data := randomBytes(8 << 20)
	n := 0
	reader := readerFunc(func(p []byte) (int, error) {
		if n >= len(data) {
			return 0, io.EOF
		}
		m := copy(p, data[n:])
		before := n
		n += m
		for _, at := range []int{2 << 20, 5 << 20} {
			if before < at && n >= at {
				// Without a leader, just after the step before, nobody answers.
				testkit.Eventually(t, 30*time.Second, "the leader steps down", func() bool {
					return c.request(ctx, "STREAM.LEADER.STEPDOWN.OBJ_B", nil, nil) == nil
				})
			}
		}
		return m, nil
	})
	info := must[*ObjectInfo](t)(o.Put(ctx, PutObject{Name: "f", ChunkSize: 16 << 10}, reader))
	if info.Size != uint64(len(data)) {
		t.Errorf("%d bytes stored", info.Size)
	}
	var back bytes.Buffer
	testkit.Eventually(t, time.Minute, "every replica has the object", func() bool {
		back.Reset()
		err := o.Read(ctx, info, &back, Fetch{})
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	if !bytes.Equal(back.Bytes(), data) {
		t.Error("the object is not what was sent")
	}
}
