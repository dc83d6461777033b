package complete_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/complete"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/testkit"
)

// world is an environment that connects to the URL.
func world(t *testing.T, url string) *env.Env {
	t.Helper()
	m := contexts.NewManager(contexts.Resolved{URL: url}, contexts.Options{})
	t.Cleanup(func() { _ = m.Close() })
	return &env.Env{Nats: m, Clock: clock.System(), Getenv: func(string) string { return "" }}
}

func TestNames(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	for _, name := range []string{"A", "B", "B2", "-x"} {
		testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}})
	}
	e := world(t, srv.URL())
	for _, r := range []struct {
		q    complete.Question
		want []string
	}{
		{complete.Question{Kind: command.Streams}, []string{"A", "B", "B2"}},
		{complete.Question{Kind: command.Streams, Prefix: "B"}, []string{"B", "B2"}},
		{complete.Question{Kind: command.Streams, Prefix: "B", Except: []string{"B"}}, []string{"B2"}},
		{complete.Question{Kind: command.Streams, Prefix: "Z"}, nil},
		{complete.Question{Kind: command.Consumers}, nil}, // of which stream?
		{complete.Question{Kind: command.Consumers, Within: "A"}, nil},
	} {
		got, err := complete.Names(t.Context(), e, r.q)
		if err != nil || !slices.Equal(got, r.want) && len(got)+len(r.want) > 0 {
			t.Errorf("%+v: %q, %v", r.q, got, err)
		}
	}
	if _, err := complete.Names(t.Context(), e, complete.Question{Kind: command.Consumers, Within: "NOPE"}); err == nil {
		t.Error("a stream that is not there has consumers")
	}
}

// A bucket with more keys than anybody reads is not read to its end.
func TestMost(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	kv, err := srv.JS().CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "BIG", Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	for i := range complete.Most + 10 {
		if _, err := srv.JS().PublishAsync("$KV.BIG.k."+fmt.Sprint(i), []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	<-srv.JS().PublishAsyncComplete()
	if _, err := kv.PutString(t.Context(), "other", "v"); err != nil {
		t.Fatal(err)
	}
	e := world(t, srv.URL())
	if got, err := complete.Names(t.Context(), e, complete.Question{Kind: command.Keys, Within: "BIG"}); err != nil || len(got) != complete.Most {
		t.Errorf("%d names, %v", len(got), err)
	}
	if got, err := complete.Names(t.Context(), e, complete.Question{Kind: command.Keys, Within: "BIG", Prefix: "o"}); err != nil || !slices.Equal(got, []string{"other"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// When the time is over there is nothing, whatever the server does.
func TestTimeIsOver(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	if complete.Budget != 300*time.Millisecond {
		t.Errorf("the budget is %s", complete.Budget)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, kind := range []command.Kind{command.Streams, command.Keys, command.Services} {
		over := errors.New("the time is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			c, err := l.Accept() // somebody is there and says nothing
			cancel(over)
			if err == nil {
				_, _ = c.Read(make([]byte, 1)) // until the other side hangs up
				_ = c.Close()
			}
		}()
		got, err := complete.Names(ctx, world(t, "nats://"+l.Addr().String()), complete.Question{Kind: kind, Within: "X"})
		if len(got) != 0 || !errors.Is(err, over) {
			t.Errorf("kind %d: %q, %v", kind, got, err)
		}
	}
}
