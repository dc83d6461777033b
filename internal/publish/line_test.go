package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

// numbered sends messages that hold their numbers, from there up to before to.
func numbered(t *testing.T, w *Window[int], from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		send(t, w, i, "s", strconv.AppendInt(nil, int64(i), 10))
	}
}

// accounted sees to it that the window goes on, that each message has its outcome, that what was acknowledged is stored, and that
// nothing is stored twice.
func accounted(t *testing.T, w *Window[int], o *outcomes, sent int, js jetstream.JetStream) {
	t.Helper()
	testkit.Eventually(t, time.Minute, "the window goes on", func() bool {
		numbered(t, w, sent, sent+1)
		sent++
		wait(t, w)
		return o.list()[sent-1].err == nil
	})
	at := map[string]uint64{}
	for _, m := range testkit.Stored(t, js, "S") {
		if at[string(m.Data)] != 0 {
			t.Errorf("message %s is stored twice", m.Data)
		}
		at[string(m.Data)] = m.Sequence
	}
	got := o.list()
	if len(got) != sent {
		t.Fatalf("%d of %d messages have an outcome", len(got), sent)
	}
	for i, g := range got {
		if g.n != i || g.err == nil && at[fmt.Sprint(i)] != g.seq {
			t.Errorf("report %d is %+v, stored at %d", i, g, at[fmt.Sprint(i)])
		}
	}
}

func TestServerGoesAndComes(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, open func(*nats.Conn, Config[int]) (*Window[int], *outcomes)) {
		srv := testkit.Server(t)
		testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		w, o := open(srv.Conn(), Config[int]{Messages: 50, Idle: time.Second})
		numbered(t, w, 0, 500)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			srv.Restart()
		}()
		numbered(t, w, 500, 1000)
		<-gone
		accounted(t, w, o, 1000, srv.JS())
	})
}

// TestServerOfAClusterIsLost: the window goes on with one of the others, of which it only knows from the server that is gone.
func TestServerOfAClusterIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a cluster")
	}
	t.Parallel()
	cl := testkit.Cluster(t, 3)
	stream := testkit.Stream(t, cl.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3})
	leader := stream.CachedInfo().Cluster.Leader
	lost := slices.IndexFunc(cl.Nodes(), func(n *testkit.NATS) bool { return n.Name() != leader })
	opts := nats.GetDefaultOptions()
	opts.Url = cl.Node(lost).AuthURL()
	var o outcomes
	w, err := Open(t.Context(), opts, Config[int]{Messages: 20, Idle: 2 * time.Second, Done: o.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	numbered(t, w, 0, 200)
	cl.Kill(lost)
	numbered(t, w, 200, 400)
	accounted(t, w, &o, 400, cl.Node((lost+1)%3).JS())
}

// TestServerStaysAway: with no hope of a connection everything under way has failed, and the window has ended.
func TestServerStaysAway(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	silent := testkit.Subscribe(t, srv.Conn(), "silent")
	var o outcomes
	opts := nats.GetDefaultOptions()
	opts.Url, opts.MaxReconnect, opts.ReconnectWait = srv.AuthURL(), 2, time.Millisecond
	lost := make(chan error, 1)
	opts.DisconnectedErrCB = func(_ *nats.Conn, err error) { lost <- err }
	w, err := Open(t.Context(), opts, Config[int]{Idle: time.Hour, Done: o.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	send(t, w, 0, "silent", nil)
	w.Flush()
	silent.Next()
	srv.Stop()
	if err := w.Wait(testkit.Context(t)); !errors.Is(err, nats.ErrNoServers) {
		t.Errorf("wait: %v", err)
	}
	if err := w.Send(t.Context(), 1, &nats.Msg{Subject: "silent"}); !errors.Is(err, nats.ErrNoServers) {
		t.Errorf("send: %v", err)
	}
	if got := o.list(); len(got) != 1 || !errors.Is(got[0].err, nats.ErrNoServers) {
		t.Errorf("%+v", got)
	}
	if err := <-lost; err == nil {
		t.Error("the loss was told without a reason")
	}
	if _, err := Open(t.Context(), opts, Config[int]{Idle: time.Hour, Done: o.note}); !errors.Is(err, nats.ErrNoServers) {
		t.Errorf("open: %v", err)
	}
}

// TestRefusal ends the window at once; what was sent besides is still answered for.
func TestRefusal(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	memory(t, srv, "ok.>")
	told := make(chan error, 8)
	nc, err := nats.Connect(srv.UserURL("limited"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { told <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	var o outcomes
	w, err := Beside(t.Context(), nc, Config[int]{Idle: time.Hour, Done: o.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	for i, subject := range []string{"ok.a", "notok", "ok.b"} {
		send(t, w, i, subject, nil)
	}
	if err := w.Wait(testkit.Context(t)); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("wait: %v", err)
	}
	if err := w.Send(t.Context(), 3, &nats.Msg{Subject: "ok.c"}); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("send: %v", err)
	}
	if err := <-told; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("the connection was told %v", err)
	}
	got := o.list()
	if len(got) != 3 || got[0].err != nil || !errors.Is(got[1].err, nats.ErrPermissionViolation) || got[2].err != nil {
		t.Errorf("%+v", got)
	}
}

// TestNoAnswersAllowed: one who may not hear the acknowledgements is told so.
func TestNoAnswersAllowed(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	memory(t, srv, "ok.>")
	opts := nats.GetDefaultOptions()
	opts.Url, opts.InboxPrefix = srv.UserURL("limited"), "_PRIVATE"
	var o outcomes
	w, err := Open(t.Context(), opts, Config[int]{Idle: time.Hour, Done: o.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	_ = w.Send(t.Context(), 0, &nats.Msg{Subject: "ok.a"}) // the refusal may be known already
	if err := w.Wait(testkit.Context(t)); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("wait: %v", err)
	}
	opts.InboxPrefix = "ok.inbox"
	w, err = Open(t.Context(), opts, Config[int]{Idle: time.Hour, Done: o.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	send(t, w, 1, "ok.a", nil)
	wait(t, w)
}

// TestOneConnectionAlone: where there may be no second one, the first is used.
func TestOneConnectionAlone(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig("max_connections: 1"))
	memory(t, srv, "s")
	var o outcomes
	w, err := Beside(t.Context(), srv.Conn(), Config[int]{Idle: time.Minute, Done: o.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	for i := range 100 {
		if err := w.Send(t.Context(), i, &nats.Msg{Subject: "s", Header: nats.Header{"A": {"b", "c"}}}); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, w)
	got := testkit.Stored(t, srv.JS(), "S")
	if len(got) != 100 || len(got[99].Header["A"]) != 2 || len(o.list()) != 100 {
		t.Errorf("%d messages are stored, %d reported", len(got), len(o.list()))
	}
	opts := nats.GetDefaultOptions()
	opts.Url = srv.AuthURL()
	if _, err := Open(t.Context(), opts, Config[int]{Done: o.note}); !errors.Is(err, nats.ErrMaxConnectionsExceeded) {
		t.Errorf("open: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Beside(ctx, srv.Conn(), Config[int]{Done: o.note}); !errors.Is(err, context.Canceled) {
		t.Errorf("beside: %v", err)
	}
}

// TestHeaders arrive as they were sent.
func TestHeaders(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, open func(*nats.Conn, Config[int]) (*Window[int], *outcomes)) {
		srv := testkit.Server(t)
		memory(t, srv, "s")
		w, _ := open(srv.Conn(), Config[int]{Idle: time.Minute})
		h := nats.Header{"b": {"1"}, "A": {"x", "y"}}
		if err := w.Send(t.Context(), 0, &nats.Msg{Subject: "s", Header: h, Data: []byte("body")}); err != nil {
			t.Fatal(err)
		}
		if err := w.SendBytes(t.Context(), 1, []byte("s"), []byte("NATS/1.0\r\nC: 3\r\n\r\n"), []byte("raw")); err != nil {
			t.Fatal(err)
		}
		if err := w.Send(t.Context(), 2, &nats.Msg{Subject: "s", Header: nats.Header{"A": {"x\r\nB: y"}}}); err == nil {
			t.Error("a header of two lines was sent")
		}
		wait(t, w)
		got := testkit.Stored(t, srv.JS(), "S")
		if len(got) != 2 || fmt.Sprint(got[0].Header) != fmt.Sprint(h) || got[1].Header.Get("C") != "3" || !bytes.Equal(got[1].Data, []byte("raw")) {
			t.Errorf("stored %+v", got)
		}
	})
}
