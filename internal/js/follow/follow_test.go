package follow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js/follow"
	"github.com/natskit/natskit/internal/testkit"
)

func config(srv *testkit.NATS) follow.Config {
	return follow.Config{JS: srv.JS(), Prefix: jetstream.DefaultAPIPrefix, Timeout: 10 * time.Second, Stream: "S"}
}

// holding is a server with a stream S of n messages on s.0 and s.1 in turn, whose bodies are their sequences.
func holding(t testing.TB, n int, pad string) *testkit.NATS {
	t.Helper()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, AllowDirect: true})
	store(t, srv, n, pad)
	return srv
}

func store(t testing.TB, srv *testkit.NATS, n int, pad string) {
	t.Helper()
	js := srv.JS()
	for i := 1; i <= n; i++ {
		if _, err := js.PublishAsync(fmt.Sprintf("s.%d", i%2), fmt.Appendf(nil, "%d%s", i, pad)); err != nil {
			t.Fatal(err)
		}
		if i%500 == 0 || i == n {
			<-js.PublishAsyncComplete()
		}
	}
}

func noConsumers(t *testing.T, srv *testkit.NATS) {
	t.Helper()
	if n := testkit.State(t, srv.JS(), "S").Consumers; n != 0 {
		t.Errorf("%d consumers are left", n)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	srv := holding(t, 10, "")
	third, err := srv.JS().Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := third.GetMsg(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	all := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, row := range []struct {
		name    string
		change  func(*follow.Config)
		want    []uint64
		ordered bool // only by a consumer
	}{
		{"all", func(*follow.Config) {}, all, false},
		{"filter", func(c *follow.Config) { c.Filters = []string{"s.1"} }, []uint64{1, 3, 5, 7, 9}, false},
		{"filters", func(c *follow.Config) { c.Filters = []string{"s.0", "s.1", "s.2"} }, all, true},
		{"from a sequence", func(c *follow.Config) {
			c.From = follow.Start{Policy: jetstream.DeliverByStartSequencePolicy, Seq: 8}
		}, all[7:], false},
		{"from a time", func(c *follow.Config) {
			c.From = follow.Start{Policy: jetstream.DeliverByStartTimePolicy, Time: &raw.Time}
		}, all[2:], false},
		{"last", func(c *follow.Config) { c.From.Policy = jetstream.DeliverLastPolicy }, all[9:], true},
		{"new", func(c *follow.Config) { c.From.Policy = jetstream.DeliverNewPolicy }, nil, true},
		{"last of each subject", func(c *follow.Config) { c.From.Policy = jetstream.DeliverLastPerSubjectPolicy }, all[8:], false},
		{"limit", func(c *follow.Config) { c.Limit = 3 }, all[:3], false},
		{"up to", func(c *follow.Config) { c.UpTo = 4 }, all[:4], false},
		{"up to, filtered", func(c *follow.Config) { c.UpTo, c.Filters = 4, []string{"s.1"} }, []uint64{1, 3}, false},
		{"nothing matches", func(c *follow.Config) { c.Filters = []string{"s.7"} }, nil, false},
	} {
		for _, direct := range []bool{false, true} {
			if direct && row.ordered {
				continue
			}
			t.Run(fmt.Sprintf("%s %t", row.name, direct), func(t *testing.T) {
				t.Parallel()
				cfg := config(srv)
				cfg.Direct = direct
				row.change(&cfg)
				var got []uint64
				err := follow.Read(t.Context(), cfg, follow.Sink{
					Each: func(m *follow.Msg) error {
						if string(m.Data) != fmt.Sprint(m.Sequence) || string(m.Subject) != fmt.Sprintf("s.%d", m.Sequence%2) || m.Time.IsZero() || m.Header != nil {
							t.Errorf("message %+v", m)
						}
						got = append(got, m.Sequence)
						return nil
					},
					End: func() error { return follow.ErrStop },
				})
				if err != nil || !slices.Equal(got, row.want) {
					t.Errorf("%v, %v, want %v", err, got, row.want)
				}
			})
		}
	}
}

// TestReadAsConnected: the connection for the messages is made as that of the requests was.
func TestReadAsConnected(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]testkit.Option{
		"token": {testkit.WithToken("secret")}, "user": {testkit.WithUser("u", "p")}, "tls": {testkit.WithTLS()},
		"client certificate": {testkit.WithTLSVerify()}, "jwt": {testkit.WithJWT()}, "domain": {testkit.WithDomain("hub")},
		"websocket": {testkit.WithWebsocket()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := testkit.Server(t, opts...)
			js := srv.JS()
			if name == "websocket" {
				nc, err := nats.Connect(srv.WebsocketURL(), nats.CustomInboxPrefix("mine"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(nc.Close)
				if js, err = jetstream.New(nc); err != nil {
					t.Fatal(err)
				}
			}
			testkit.Stream(t, js, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
			testkit.Store(t, js, "s.1", 3, "x")
			cfg := config(srv)
			cfg.JS, cfg.Limit = js, 3
			got := 0
			if err := follow.Read(t.Context(), cfg, follow.Sink{Each: func(*follow.Msg) error { got++; return nil }}); err != nil || got != 3 {
				t.Errorf("%v after %d messages", err, got)
			}
		})
	}
}

// TestReadSkips: what does not count is read and does not use up the limit.
func TestReadSkips(t *testing.T) {
	t.Parallel()
	srv := holding(t, 10, "")
	for _, direct := range []bool{false, true} {
		cfg := config(srv)
		cfg.Direct, cfg.Limit = direct, 2
		var got []uint64
		err := follow.Read(t.Context(), cfg, follow.Sink{Each: func(m *follow.Msg) error {
			if m.Sequence%3 > 0 {
				return follow.ErrSkip
			}
			got = append(got, m.Sequence)
			return nil
		}})
		if err != nil || !slices.Equal(got, []uint64{3, 6}) {
			t.Errorf("direct %t: %v, %v", direct, err, got)
		}
	}
	noConsumers(t, srv)
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	srv := holding(t, 3, "")
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	for _, row := range []struct {
		name string
		each func(*follow.Msg) error
		want error
	}{
		{"of the sink", func(*follow.Msg) error { return stop }, stop},
		{"none", func(*follow.Msg) error { return follow.ErrStop }, nil},
		{"interrupt", func(*follow.Msg) error { cancel(fail.ErrInterrupted); return nil }, fail.ErrInterrupted},
	} {
		if err := follow.Read(ctx, config(srv), follow.Sink{Each: row.each}); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	noConsumers(t, srv)
	cfg := config(srv)
	cfg.Stream = "NONE"
	if err := follow.Read(t.Context(), cfg, follow.Sink{}); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("no stream: %v", err)
	}
	cfg = config(srv)
	cfg.Options = &nats.Options{Url: testkit.Dead(t), Timeout: time.Second}
	var failed *follow.ConnectError
	if err := follow.Read(t.Context(), cfg, follow.Sink{}); !errors.As(err, &failed) || !errors.Is(err, nats.ErrNoServers) {
		t.Errorf("no connection: %v", err)
	}
	noConsumers(t, srv)
	cfg = config(srv)
	cfg.Direct, cfg.From.Policy = true, jetstream.DeliverLastPolicy
	if _, err := follow.Open(t.Context(), cfg); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("direct gets from the last: %v", err)
	}
}

// TestSlowSink: however long a message takes, what is left comes afterwards, and the end is the end.
func TestSlowSink(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	const n = 500
	srv := holding(t, n, "")
	clk := clock.NewManual(time.Now())
	entered, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	var got, ends uint64
	go func() {
		cfg := config(srv)
		cfg.Clock = clk
		done <- follow.Read(t.Context(), cfg, follow.Sink{
			Each: func(m *follow.Msg) error {
				if got++; m.Sequence != got {
					t.Errorf("message %d is %d", got, m.Sequence)
				}
				if got == 1 || got == n/2 || got == n {
					entered <- struct{}{}
					<-release
				}
				return nil
			},
			End: func() error { ends++; return follow.ErrStop },
		})
	}()
	for range 3 {
		<-entered
		for range 100 { // as long as it takes to look for the end many times over
			clk.Advance(250 * time.Millisecond)
		}
		release <- struct{}{}
	}
	if err := <-done; err != nil || got != n || ends != 1 {
		t.Errorf("%v, %d messages, %d ends", err, got, ends)
	}
	noConsumers(t, srv)
}

// TestEndWithoutLastMessage: the end is found when the messages that were left have been removed.
func TestEndWithoutLastMessage(t *testing.T) {
	t.Parallel()
	const n = 150 // with the padding more than is under way at a time
	srv := holding(t, n, strings.Repeat("x", 100_000))
	s, err := srv.JS().Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewManual(time.Now())
	done := make(chan error, 1)
	got := 0
	go func() {
		cfg := config(srv)
		cfg.Clock = clk
		done <- follow.Read(t.Context(), cfg, follow.Sink{
			Each: func(*follow.Msg) error {
				if got++; got == 1 {
					return s.Purge(context.Background())
				}
				return nil
			},
			End: func() error { return follow.ErrStop },
		})
	}()
	testkit.Eventually(t, 30*time.Second, "the end", func() bool {
		clk.Advance(250 * time.Millisecond)
		select {
		case err = <-done:
			return true
		default:
			return false
		}
	})
	if err != nil || got == 0 || got == n {
		t.Errorf("%v after %d of %d messages", err, got, n)
	}
}

// TestGoesOn: a reader without an end waits for more, and tells once that it has what there was.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	srv := holding(t, 4, "")
	for _, direct := range []bool{false, true} {
		cfg := config(srv)
		cfg.Direct = direct
		cfg.From = follow.Start{Policy: jetstream.DeliverByStartSequencePolicy, Seq: testkit.State(t, srv.JS(), "S").LastSeq - 3}
		var ends, got int
		err := follow.Read(t.Context(), cfg, follow.Sink{
			Each: func(*follow.Msg) error {
				if got++; got == 8 {
					return follow.ErrStop
				}
				return nil
			},
			End: func() error {
				ends++
				store(t, srv, 4, "")
				return nil
			},
		})
		if err != nil || ends != 1 || got != 8 {
			t.Errorf("direct %t: %v, %d ends, %d messages", direct, err, ends, got)
		}
	}
}

// TestOneConsumerAlone: the consumer is lost where the stream has no place for a second one.
func TestOneConsumerAlone(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	s := testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, MaxConsumers: 1})
	const n = 300
	store(t, srv, n, strings.Repeat("x", 50_000)) // 15 MB: more than is under way at a time
	got := uint64(0)
	err := follow.Read(t.Context(), config(srv), follow.Sink{
		Each: func(m *follow.Msg) error {
			if got++; m.Sequence != got {
				t.Errorf("message %d is %d", got, m.Sequence)
			}
			if got != 1 {
				return nil
			}
			for name := range s.ConsumerNames(context.Background()).Name() {
				if err := s.DeleteConsumer(context.Background(), name); err != nil {
					return err
				}
			}
			return nil
		},
		End: func() error { return follow.ErrStop },
	})
	if err != nil || got != n {
		t.Errorf("%v after %d messages", err, got)
	}
}

// TestLastOfEachAgain: a consumer that is lost while the last messages are read is made again for them alone.
func TestLastOfEachAgain(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	s := testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	const n = 20
	for range 2 {
		for i := range n {
			testkit.Store(t, srv.JS(), fmt.Sprintf("s.%d", i), 1, "x")
		}
	}
	testkit.Store(t, srv.JS(), "s.19", 2, "changed") // 39 is between
	cfg := config(srv)
	cfg.From.Policy, cfg.Ahead = jetstream.DeliverLastPerSubjectPolicy, 2
	var got []uint64
	err := follow.Read(t.Context(), cfg, follow.Sink{
		Each: func(m *follow.Msg) error {
			if got = append(got, m.Sequence); len(got) != n/2 {
				return nil
			}
			for name := range s.ConsumerNames(context.Background()).Name() {
				if err := s.DeleteConsumer(context.Background(), name); err != nil {
					return err
				}
			}
			return nil
		},
		End: func() error { return follow.ErrStop },
	})
	var want []uint64
	for seq := uint64(n + 1); seq < 2*n; seq++ {
		want = append(want, seq)
	}
	if want = append(want, 2*n+2); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", err, got, want)
	}
}

// TestPatience: a server that is gone is waited for as long as was asked for.
func TestPatience(t *testing.T) {
	t.Parallel()
	srv := holding(t, 4, "")
	clk := clock.NewManual(time.Now())
	cfg := config(srv)
	cfg.Clock, cfg.Patience = clk, time.Minute
	done := make(chan error, 1)
	var once sync.Once
	end := make(chan struct{})
	go func() {
		done <- follow.Read(t.Context(), cfg, follow.Sink{
			Each: func(*follow.Msg) error { return nil },
			End:  func() error { once.Do(func() { close(end) }); return nil },
		})
	}()
	<-end
	srv.Stop()
	var err error
	testkit.Eventually(t, 30*time.Second, "the end of patience", func() bool {
		clk.Advance(time.Second)
		select {
		case err = <-done:
			return true
		default:
			return false
		}
	})
	if fail.CodeOf(err) != fail.NoAnswer || !strings.Contains(err.Error(), "reading stream S stopped behind sequence 4") {
		t.Errorf("%v", err)
	}
}
