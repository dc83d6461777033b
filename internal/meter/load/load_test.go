package load_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
	"github.com/natskit/natskit/internal/testkit"
)

func world(t testing.TB, url string) crew.World {
	return crew.World{
		Options: func(context.Context) (nats.Options, error) {
			o := nats.GetDefaultOptions()
			o.Url = url
			return o, nil
		},
		Dial: func(_ context.Context, opts ...nats.Option) (*nats.Conn, error) { return nats.Connect(url, opts...) },
		JetStream: func(nc *nats.Conn, opts ...jetstream.JetStreamOpt) (jetstream.JetStream, error) {
			return jetstream.New(nc, opts...)
		},
		OldJetStream: func(nc *nats.Conn, opts ...nats.JSOpt) (nats.JetStreamContext, error) { return nc.JetStream(opts...) },
		Timeout:      time.Minute,
		Say:          t.Logf,
		Tool:         "test",
	}
}

func engines(t *testing.T, f func(t *testing.T, engine string)) {
	for _, e := range []string{crew.Wire, crew.NatsGo} {
		t.Run(e, func(t *testing.T) { t.Parallel(); f(t, e) })
	}
}

func run(t *testing.T, w crew.World, s crew.Spec) *meter.Report {
	t.Helper()
	r, err := load.Run(t.Context(), w, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// within1 reports whether a and b differ by at most one percent.
func within1(a, b int64) bool { return a-b <= b/100 && b-a <= b/100 }

func TestN2_BytesAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		for _, s := range []crew.Spec{
			{Messages: 2000, Clients: 3, Size: 128},
			{Messages: 5, Clients: 9, Size: 0},
			{Messages: 3000, Clients: 2, Size: 10, SizeMax: 500},
			{Messages: 2000, Clients: 2, Size: 64, Header: nats.Header{"A": {"b"}}},
			{Messages: 1000, Clients: 2, Size: 64, Multi: crew.Multi{On: true, Max: 100}},
			{Messages: 1000, Clients: 2, Size: 64, Segments: []crew.Pace{{From: 50000, To: 50000}}},
			{Messages: 20, Clients: 2, Size: 64, Sleep: time.Millisecond},
		} {
			srv := testkit.Server(t)
			s.Kind, s.Subject, s.Engine = "pub", "a.b", engine
			r := run(t, world(t, srv.URL()), s)
			v, _ := srv.Server().Varz(nil)
			tot := r.Sides[0].Total
			if tot.Messages != s.Messages || v.InMsgs != s.Messages {
				t.Errorf("%+v: reported %d, the server has %d", s, tot.Messages, v.InMsgs)
			}
			if !within1(tot.Bytes, v.InBytes) {
				t.Errorf("%+v: reported %d bytes, the server has %d", s, tot.Bytes, v.InBytes)
			}
			if r.Outcome != meter.Complete || tot.Rate <= 0 || tot.Latency == nil || len(r.Sides[0].Clients) != int(min(s.Messages, int64(s.Clients))) {
				t.Errorf("%+v: %s %+v", s, r.Outcome, tot)
			}
		}
	})
}

func TestPubSubDeliversEverything(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		for _, s := range []crew.Spec{
			{Messages: 5000, Clients: 2, Subscribers: 2, Size: 64, Stamp: true},
			{Messages: 3000, Clients: 1, Subscribers: 1, Size: 16},
			{Messages: 3000, Clients: 2, Subscribers: 3, Size: 32, Stamp: true, Queue: "q"},
			{Messages: 3000, Clients: 2, Subscribers: 1, Size: 32, Stamp: true, Multi: crew.Multi{On: true, Max: 10, Random: true}},
			{Duration: 200 * time.Millisecond, Clients: 2, Subscribers: 1, Size: 32, Stamp: true},
			{Duration: 200 * time.Millisecond, Warmup: 100 * time.Millisecond, Clients: 1, Subscribers: 1, Size: 32, Stamp: true},
			{Messages: 500, Clients: 1, Subscribers: 1, Size: 32, Stamp: true, Segments: []crew.Pace{{From: 5000, To: 5000}}},
		} {
			srv := testkit.Server(t)
			s.Kind, s.Subject, s.Engine, s.Idle, s.Wait = "pubsub", "a.b", engine, time.Minute, time.Minute
			r := run(t, world(t, srv.URL()), s)
			pub, sub := r.Sides[0].Total, r.Sides[1].Total
			copies := int64(s.Subscribers)
			if s.Queue != "" {
				copies = 1
			}
			if s.Warmup == 0 && sub.Messages != pub.Messages*copies {
				t.Errorf("%+v: %d published, %d received", s, pub.Messages, sub.Messages)
			}
			if s.Messages > 0 && pub.Messages != s.Messages {
				t.Errorf("%+v: published %d", s, pub.Messages)
			}
			if v, _ := srv.Server().Varz(nil); s.Warmup == 0 && (!within1(sub.Bytes, v.OutBytes) || !within1(pub.Bytes, v.InBytes)) { // N1, N2
				t.Errorf("%+v: reported %d and %d bytes, the server has %d and %d", s, pub.Bytes, sub.Bytes, v.InBytes, v.OutBytes)
			}
			if s.Stamp && (sub.Delivery == nil || !sub.Delivery.Clean() || sub.Latency == nil) {
				t.Errorf("%+v: %+v %+v", s, sub.Delivery, sub.Latency)
			}
		}
	})
}

// A stalled machine must show in the latencies of the messages that should have been sent meanwhile.
func TestN3_PacedLatencyCountsFromTheIntendedTime(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		w := world(t, srv.URL())
		// 100,000 a second for a schedule that lasts 50 ms, through a connection that takes 100 ms for its first write.
		w.Options = slow(srv.URL(), 100*time.Millisecond)
		w.Dial = func(_ context.Context, opts ...nats.Option) (*nats.Conn, error) {
			return nats.Connect(srv.URL(), append(opts, nats.SetCustomDialer(slowDialer(100*time.Millisecond)))...)
		}
		r := run(t, w, crew.Spec{Kind: "pub", Engine: engine, Subject: "a", Clients: 1, Messages: 5000, Size: 16, Segments: []crew.Pace{{From: 100000, To: 100000}}})
		l := r.Sides[0].Total.Latency
		if l == nil || l.Count != 5000 || l.P50 < 50*time.Millisecond || l.Covers != crew.CoversPaced {
			t.Errorf("%+v", l)
		}
	})
}

// slow makes options whose connections hold back the first write of messages.
func slow(url string, d time.Duration) func(context.Context) (nats.Options, error) {
	return func(context.Context) (nats.Options, error) {
		o := nats.GetDefaultOptions()
		o.Url = url
		o.CustomDialer = slowDialer(d)
		return o, nil
	}
}

type slowDialer time.Duration

func (d slowDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &slowConn{Conn: c, delay: time.Duration(d)}, err
}

type slowConn struct {
	net.Conn
	delay time.Duration
}

func (c *slowConn) Write(b []byte) (int, error) {
	if c.delay > 0 && bytes.HasPrefix(b, []byte("PUB")) {
		<-time.After(c.delay)
		c.delay = 0
	}
	return c.Conn.Write(b)
}

func TestServiceRequests(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		w := world(t, srv.URL())
		ctx, stop := context.WithCancelCause(t.Context())
		up := make(chan struct{})
		sw := w
		sw.Gate = func(context.Context) error { close(up); return nil }
		served := make(chan *meter.Report)
		go func() {
			r, err := load.Run(ctx, sw, crew.Spec{Kind: "service serve", Engine: engine, Subject: "svc", Clients: 2})
			if err != nil {
				t.Error(err)
			}
			served <- r
		}()
		select {
		case <-up:
		case <-time.After(20 * time.Second):
			t.Fatal("the servers do not start")
		}
		r := run(t, w, crew.Spec{Kind: "service request", Engine: engine, Subject: "svc", Clients: 3, Messages: 600, Size: 32, Header: nats.Header{"A": {"b"}}})
		if tot := r.Sides[0].Total; tot.Messages != 600 || tot.Latency == nil || tot.Latency.Count != 600 {
			t.Errorf("%+v", tot)
		}
		run(t, w, crew.Spec{Kind: "service request", Engine: engine, Subject: "svc", Clients: 1, Messages: 50, Size: 32, Segments: []crew.Pace{{From: 5000, To: 5000}}})
		nc, err := nats.Connect(srv.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		for _, verb := range []micro.Verb{micro.PingVerb, micro.InfoVerb, micro.StatsVerb} {
			subject, _ := micro.ControlSubject(verb, "nats-bench-service", "")
			m, err := nc.Request(subject, nil, 5*time.Second)
			if err != nil || !strings.Contains(string(m.Data), `"version":"1.0.0"`) {
				t.Errorf("%s: %v %v", subject, err, m)
			}
		}
		stop(context.Canceled)
		if got := <-served; got.Outcome != meter.Complete || got.Sides[0].Total.Messages != 650 {
			t.Errorf("served %+v", got.Sides[0].Total)
		}
	})
}

func TestRequestsFail(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		w := world(t, srv.URL())
		s := crew.Spec{Kind: "service request", Engine: engine, Subject: "svc", Clients: 1, Messages: 10, Size: 8, Wait: 5 * time.Second, Idle: 5 * time.Second}
		fails(t, w, s, fail.NoAnswer, "no responders")
		nc, err := nats.Connect(srv.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := nc.Subscribe("svc", func(m *nats.Msg) { _ = m.Respond([]byte("-ERR")) }); err != nil {
			t.Fatal(err)
		}
		_ = nc.Flush()
		fails(t, w, s, fail.Failure, `equest did not receive a good reply: "-ERR"`)
	})
}

func fails(t *testing.T, w crew.World, s crew.Spec, code fail.Code, says string) *meter.Report {
	t.Helper()
	r, err := load.Run(t.Context(), w, s)
	if err == nil || fail.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: error %v (code %d), want code %d and %q", s.Kind, err, fail.CodeOf(err), code, says)
	}
	if r != nil && (r.Outcome == meter.Complete || len(r.Errors) == 0) {
		t.Errorf("%s: the report says %s, %v", s.Kind, r.Outcome, r.Errors)
	}
	return r
}

func TestN8_DeniedMessagesAreNoSpeed(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t, testkit.WithConfig(`authorization { users = [ { user: u, password: p, permissions: {
			publish: { allow: ["ok"] }, subscribe: { allow: ["ok", "_INBOX.>"] } } } ] }`))
		w := world(t, strings.Replace(srv.URL(), "//", "//u:p@", 1))
		for _, clients := range []int{1, 3} {
			r := fails(t, w, crew.Spec{Kind: "pub", Engine: engine, Subject: "no", Clients: clients, Messages: 3000, Size: 8}, fail.Unreachable, "ermissions")
			if tot := r.Sides[0].Total; tot.Messages != 0 || tot.Rate > 0 || tot.Denied == 0 || tot.Denied > 3000 {
				t.Errorf("%+v", tot)
			}
		}
		fails(t, w, crew.Spec{Kind: "sub", Engine: engine, Subject: "no", Clients: 1, Messages: 3, Wait: time.Minute}, fail.Unreachable, "ermissions")
		fails(t, w, crew.Spec{Kind: "service request", Engine: engine, Subject: "no", Clients: 1, Messages: 3, Wait: time.Minute}, fail.Unreachable, "ermissions")
	})
}

func TestTooFewMessages(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		w := world(t, srv.URL())
		s := crew.Spec{Kind: "sub", Engine: engine, Subject: "s", Clients: 2, Messages: 100, Idle: 100 * time.Millisecond, Wait: 200 * time.Millisecond}
		fails(t, w, s, fail.NoAnswer, "0 of 200 messages: the first message did not come")
		s.Wait = time.Minute
		w.Gate = func(context.Context) error {
			go func() {
				_, _ = load.Run(t.Context(), world(t, srv.URL()), crew.Spec{Kind: "pub", Engine: engine, Subject: "s", Clients: 1, Messages: 60, Size: 8})
			}()
			return nil
		}
		r := fails(t, w, s, fail.Partial, "120 of 200 messages: nothing came for 100ms")
		if r.Outcome != meter.Idle || r.Sides[0].Total.Messages != 120 || r.Sides[0].Total.Bytes != 960 {
			t.Errorf("%+v", r.Sides[0].Total)
		}
	})
}

func TestInterruptedRunsReport(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		ctx, stop := context.WithCancelCause(t.Context())
		w := world(t, srv.URL())
		w.Watch = func(p []crew.Progress, over bool) {
			if p[0].Clients[0].Done > 1000 {
				stop(fail.ErrInterrupted)
			}
		}
		r, err := load.Run(ctx, w, crew.Spec{Kind: "pub", Engine: engine, Subject: "s", Clients: 2, Messages: 1 << 40, Size: 8})
		if fail.CodeOf(err) != fail.Interrupted || r == nil || r.Outcome != meter.Interrupted {
			t.Fatalf("%v %+v", err, r)
		}
		v, _ := srv.Server().Varz(nil)
		if tot := r.Sides[0].Total; tot.Messages != v.InMsgs || tot.Rate == 0 {
			t.Errorf("reported %+v, the server has %d", tot, v.InMsgs)
		}
	})
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		for _, kind := range []string{"pub", "pubsub", "sub"} {
			srv := testkit.Server(t)
			w := world(t, srv.URL())
			w.Timeout = time.Second
			if kind == "sub" {
				w.Gate = func(context.Context) error { go srv.Stop(); return nil }
			} else {
				w.Watch = func(p []crew.Progress, over bool) {
					if p[0].Clients[0].Done > 1000 && !over {
						srv.Stop()
					}
				}
			}
			r, err := load.Run(t.Context(), w, crew.Spec{Kind: kind, Engine: engine, Subject: "s", Clients: 2, Subscribers: 1, Messages: 1 << 40, Size: 8, Stamp: false, Wait: time.Minute})
			if fail.CodeOf(err) != fail.Unreachable || r == nil || r.Outcome != meter.Failed {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		for _, kind := range []string{"pub", "sub", "pubsub", "service request", "service serve"} {
			fails(t, world(t, "nats://127.0.0.1:1"), crew.Spec{Kind: kind, Engine: engine, Subject: "s", Clients: 2, Subscribers: 1, Messages: 10}, fail.Unreachable, "no servers available")
		}
	})
}

func TestNoClientsNothingToDo(t *testing.T) {
	t.Parallel()
	r := run(t, world(t, "nats://127.0.0.1:1"), crew.Spec{Kind: "pub", Engine: crew.Wire, Subject: "s", Messages: 10})
	if len(r.Sides) != 0 || r.Outcome != meter.Complete {
		t.Errorf("%+v", r)
	}
}

func TestManyConnections(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	r := run(t, world(t, srv.URL()), crew.Spec{Kind: "pubsub", Engine: crew.Wire, Subject: "s", Clients: 300, Subscribers: 20, Messages: 3000, Size: 16, Stamp: true, Idle: time.Minute, Wait: time.Minute})
	if r.Sides[1].Total.Messages != 60000 || !r.Sides[1].Total.Delivery.Clean() {
		t.Errorf("%+v", r.Sides[1].Total)
	}
}
