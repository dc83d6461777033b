package backup

import (
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
)

// worldOn is a connection to one server of the cluster and no other.
func worldOn(t *testing.T, cl *testkit.ClusterFixture, i int, dir string) world {
	t.Helper()
	nc, err := nats.Connect(cl.Node(i).URL(), nats.IgnoreDiscoveredServers(), nats.RetryOnFailedConnect(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	s, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return world{cl.Node(i), js.New(s), dir}
}

// The server that leads the stream is killed, in a cluster whose other servers go on: the transfer ends by its idle time, the
// earlier backup is intact, and the next run does what the first one did not.
func TestKilledLeader(t *testing.T) {
	t.Parallel()
	cl := testkit.Cluster(t, 3)
	testkit.Stream(t, cl.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3})
	testkit.Store(t, cl.JS(), "orders.new", 40, noise(64<<10))
	dir := filepath.Join(t.TempDir(), "ORDERS")
	leader, other := 0, 1
	testkit.Eventually(t, time.Minute, "the stream has a leader", func() bool {
		s, err := cl.JS().Stream(t.Context(), "ORDERS")
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		for i, n := range cl.Nodes() {
			if n.Name() == s.CachedInfo().Cluster.Leader {
				leader, other = i, (i+1)%3
				return true
			}
		}
		return false
	})
	w := worldOn(t, cl, other, dir)
	w.save(t)
	first, err := Prove(dir)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Store(t, cl.JS(), "orders.new", 1, noise(100))

	var once sync.Once
	kill := func() { once.Do(func() { cl.Kill(leader) }) }
	killing := make(chan struct{})
	at, begun := rand.Float64(), false
	_, err = w.trySave(t.Context(), func(o *SaveOptions) {
		o.Replace, o.ChunkSize, o.WindowSize, o.Idle = true, 4<<10, 16<<10, 2*time.Second
		o.Progress = func(done, total uint64) {
			if !begun && float64(done) >= at*float64(total) {
				begun = true
				go func() { kill(); close(killing) }()
			}
		}
	})
	if !begun {
		close(killing)
	}
	<-killing
	kill()
	after, perr := Prove(dir)
	if perr != nil || (err != nil) != (after.Source == first.Source) {
		t.Errorf("at %.3f: %v; the backup is %+v, %v", at, err, after, perr)
	}
	// The stream has another leader: the next run succeeds without the one that is gone.
	testkit.Eventually(t, 60*time.Second, "a backup of the two servers that are left", func() bool {
		_, err := w.trySave(t.Context(), func(o *SaveOptions) { o.Replace = true })
		return err == nil
	})
	d, err := Read(dir)
	if err == nil {
		err = Check(d)
	}
	if err != nil || d.Meta.State.Msgs != 41 {
		t.Errorf("%+v, %v", d.Meta.State, err)
	}
}

// The server that takes the archive is killed: the rest of the cluster cleans up, or the next run does.
func TestKilledLeaderDuringRestore(t *testing.T) {
	t.Parallel()
	cl := testkit.Cluster(t, 3)
	testkit.Stream(t, cl.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3})
	testkit.Store(t, cl.JS(), "orders.new", 40, noise(64<<10))
	meta := -1
	testkit.Eventually(t, time.Minute, "there is a leader", func() bool {
		for i, n := range cl.Nodes() {
			if l := cl.Leader(); l != nil && n.Name() == l.Name() {
				meta = i
			}
		}
		return meta >= 0
	})
	w := worldOn(t, cl, (meta+1)%3, filepath.Join(t.TempDir(), "ORDERS"))
	w.save(t)
	if err := cl.JS().DeleteStream(t.Context(), "ORDERS"); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill := func() { once.Do(func() { cl.Kill(meta) }) }
	killing := make(chan struct{})
	at, begun := rand.Float64(), false
	d, o := w.options(t)
	o.Idle, o.Settle, o.Away = 2*time.Second, 10*time.Second, time.Second
	o.Progress = func(done, total uint64) {
		if !begun && float64(done) >= at*float64(total) {
			begun = true
			go func() { kill(); close(killing) }()
		}
	}
	_, err := Restore(t.Context(), w.c, d, o)
	if !begun {
		close(killing)
	}
	<-killing
	kill()
	t.Logf("killed at %.3f: %v", at, err)
	o.Progress, o.Idle = nil, 5*time.Second
	testkit.Eventually(t, 90*time.Second, "the stream is restored by the two servers that are left", func() bool {
		r, err := Restore(t.Context(), w.c, d, o)
		t.Logf("%v", err)
		return err == nil || r.Already
	})
	s, err := w.c.Info(t.Context(), "ORDERS")
	if err != nil || s.State.Msgs != 40 || HalfRestored(s) {
		t.Errorf("%+v, %v", s.StreamInfo, err)
	}
}
