package subjects

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
)

// listed are the subjects with their counts; a subject that comes twice fails the test.
func listed(t *testing.T, l *Lister, stream, filter string, each func(n int)) map[string]uint64 {
	t.Helper()
	got := map[string]uint64{}
	err := l.Each(testkit.Context(t), stream, filter, func(int) {}, func(subject string, n uint64) error {
		if _, twice := got[subject]; twice {
			t.Errorf("%s comes twice", subject)
		}
		got[subject] = n
		if each != nil {
			each(len(got))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// filled is a stream of n subjects with a message each.
func filled(t *testing.T, srv *testkit.NATS, cfg jetstream.StreamConfig, n int) {
	t.Helper()
	cfg.Subjects, cfg.Storage = []string{cfg.Name + ".>"}, jetstream.MemoryStorage
	testkit.Stream(t, srv.JS(), cfg)
	for i := range n {
		testkit.Store(t, srv.JS(), fmt.Sprintf("%s.%d.%d", cfg.Name, i%2, i), 1, "body")
	}
}

func lister(srv *testkit.NATS) *Lister {
	return &Lister{Client: js.New(srv.JS()), JetStream: srv.JS(), Few: 5}
}

// consumers tells how many consumers were asked for.
func consumers(t *testing.T, srv *testkit.NATS, stream string) func() int {
	t.Helper()
	sub := testkit.Subscribe(t, srv.Conn(), "$JS.API.CONSUMER.CREATE."+stream+".>")
	return func() int {
		if err := srv.Conn().Flush(); err != nil {
			t.Fatal(err)
		}
		return sub.Pending()
	}
}

// Whatever way the subjects are read, they are those that pages tell.
func TestEach(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	filled(t, srv, jetstream.StreamConfig{Name: "ONE"}, 40)
	filled(t, srv, jetstream.StreamConfig{Name: "MANY"}, 40)
	testkit.Store(t, srv.JS(), "MANY.0.0", 3, "more")
	filled(t, srv, jetstream.StreamConfig{Name: "WORK", Retention: jetstream.WorkQueuePolicy}, 10)
	for _, row := range []struct {
		stream, filter string
		names          bool
		want, made     int
	}{
		{"ONE", ">", false, 40, 1}, {"ONE", "ONE.>", false, 40, 1}, {"ONE", "ONE.1.*", true, 20, 1}, {"ONE", "ONE.1.7", false, 1, 0}, {"ONE", "none", false, 0, 0},
		{"MANY", ">", false, 40, 0}, {"MANY", ">", true, 40, 1}, {"MANY", "MANY.0.*", true, 20, 1}, {"WORK", ">", true, 10, 0},
	} {
		made := consumers(t, srv, row.stream)
		l := lister(srv)
		l.Names = row.names
		got := listed(t, l, row.stream, row.filter, nil)
		want := map[string]uint64{}
		if err := l.Client.Subjects(t.Context(), row.stream, row.filter, nil, func(s string, n uint64) error { want[s] = n; return nil }); err != nil {
			t.Fatal(err)
		}
		if len(got) != row.want || !row.names && !maps.Equal(got, want) || !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("%+v: %v, want %v", row, got, want)
		}
		if n := made(); n != row.made {
			t.Errorf("%+v: %d consumers were made", row, n)
		}
		if n := testkit.State(t, srv.JS(), row.stream).Consumers; n != 0 {
			t.Errorf("%+v: %d consumers were left", row, n)
		}
	}
}

// What changes while the subjects are read is listed once: what was there all the time in any case.
func TestEachOfWhatChanges(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		cfg    jetstream.StreamConfig
		more   int  // messages on each subject before
		remove bool // what is stored anew replaces what was there
	}{
		"latest alone": {jetstream.StreamConfig{Name: "S", MaxMsgsPerSubject: 1}, 0, false},
		"all":          {jetstream.StreamConfig{Name: "S"}, 0, false},
		"last of many": {jetstream.StreamConfig{Name: "S"}, 1, false},
		"replaced":     {jetstream.StreamConfig{Name: "S"}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := testkit.Server(t)
			const n = 60
			filled(t, srv, row.cfg, n)
			subject := func(i int) string { return fmt.Sprintf("S.%d.%d", i%2, i) }
			for i := range n * row.more {
				testkit.Store(t, srv.JS(), subject(i), 1, "second")
			}
			s, err := srv.JS().Stream(t.Context(), "S")
			if err != nil {
				t.Fatal(err)
			}
			l := lister(srv)
			l.Names, l.ahead = true, 2
			got := listed(t, l, "S", ">", func(listed int) {
				for i := 0; listed == n/3 && i < n; i += 3 { // some that were listed, some that were not
					testkit.Store(t, srv.JS(), subject(i), 1, "again")
					if row.remove {
						if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(subject(i)), jetstream.WithPurgeKeep(1)); err != nil {
							t.Error(err)
						}
					}
				}
			})
			if len(got) != n {
				t.Errorf("%d subjects", len(got))
			}
		})
	}
}

// A consumer that goes away is no end: another one tells the rest.
func TestEachWithoutItsConsumer(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	filled(t, srv, jetstream.StreamConfig{Name: "S"}, 100)
	testkit.Store(t, srv.JS(), "S.0.0", 1, "again")
	l := lister(srv)
	l.Names, l.ahead = true, 2
	removed := false
	got := listed(t, l, "S", ">", func(n int) {
		if n > 1 {
			return
		}
		s, err := srv.JS().Stream(t.Context(), "S")
		if err != nil {
			t.Fatal(err)
		}
		for name := range s.ConsumerNames(t.Context()).Name() {
			removed = s.DeleteConsumer(t.Context(), name) == nil
		}
	})
	if len(got) != 100 || !removed {
		t.Errorf("%d subjects, consumer removed: %v", len(got), removed)
	}
}

// An error of the one who listens, and an interrupt, end the listing and leave no consumer.
func TestEachEnds(t *testing.T) {
	testkit.Leaks(t)
	srv := testkit.Server(t)
	filled(t, srv, jetstream.StreamConfig{Name: "S"}, 100)
	full := errors.New("the disk is full")
	if err := lister(srv).Each(t.Context(), "S", ">", nil, func(string, uint64) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	if err := lister(srv).Each(ctx, "S", ">", nil, func(string, uint64) error { cancel(stop); return nil }); err != nil && !errors.Is(err, stop) {
		t.Error(err)
	}
	if n := testkit.State(t, srv.JS(), "S").Consumers; n != 0 {
		t.Errorf("%d consumers were left", n)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	s := &set{}
	const n = 3 * mergeAt
	for i := range n {
		if i >= 1000 && s.has(fmt.Sprint(i)) {
			t.Fatalf("%d was not added", i)
		}
		s.add(fmt.Sprint(i))
	}
	for i := range n {
		if !s.has(fmt.Sprint(i)) {
			t.Fatalf("%d was added", i)
		}
	}
}
