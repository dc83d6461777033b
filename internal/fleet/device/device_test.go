package device_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/testkit"
)

const within = time.Minute

// options are those of a device on the servers at url, without metrics.
func options(url, id string) device.Options {
	o := nats.GetDefaultOptions()
	o.Servers = strings.Split(url, ",")
	return device.Options{Conn: o, Interval: -1, Grace: 50 * time.Millisecond,
		Info: fleet.Info{ID: id, Nickname: "nick-" + id, Model: "Box", OS: fleet.OS{Name: "Linux"}, Arch: "arm64", CPUs: 4, Memory: 4 << 30}}
}

func start(t testing.TB, o device.Options) *device.Device {
	t.Helper()
	d, err := device.Start(testkit.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := d.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-d.Joined():
	case <-testkit.Context(t).Done():
		t.Fatal("the device did not join")
	}
	return d
}

func ask(t testing.TB, nc *nats.Conn, subject, body string, into any) *nats.Msg {
	t.Helper()
	m, err := nc.RequestWithContext(testkit.Context(t), subject, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	if into != nil {
		if err := json.Unmarshal(m.Data, into); err != nil {
			t.Fatalf("%s: %v in %s", subject, err, m.Data)
		}
	}
	return m
}

func TestServiceAnswers(t *testing.T) {
	testkit.Leaks(t)
	srv := testkit.Server(t, testkit.WithDomain("cloud"))
	d := start(t, options(srv.URL(), "d1"))
	nc := srv.Conn()
	var info fleet.Info
	ask(t, nc, "qcon.device_info", "", &info)
	if info.ID != "d1" || info.Server != "test" || info.Domain != "cloud" || info.Instance == "" || info.Instance != d.Info().Instance || info.Labels == nil {
		t.Errorf("%+v", info)
	}
	ask(t, nc, "qcon.device_info", `{"os":{"name":"Linux"}}`, &info)
	if m := ask(t, nc, "qcon.device_info", `{"os"`, nil); m.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("a broken filter is answered by %v %s", m.Header, m.Data)
	}
	if m := ask(t, nc, "qcon.nickname", "", nil); string(m.Data) != "nick-d1" {
		t.Errorf("nickname %s", m.Data)
	}
	var a fleet.Answer
	ask(t, nc, "qcon.query", `{"expr":"cpus > 2"}`, &a)
	if !a.Match || a.Info == nil || a.Info.ID != "d1" {
		t.Errorf("%+v", a)
	}
	a = fleet.Answer{}
	ask(t, nc, "qcon.query", `{"expr":"cpus > 20"}`, &a)
	if a.ID != "d1" || a.Match || a.Info != nil || a.Error != "" {
		t.Errorf("%+v", a)
	}
	ask(t, nc, "qcon.query", `{"expr":"cpus >"}`, &a)
	if a.Error == "" {
		t.Error("a bad expression is no error")
	}
	var c fleet.Controlled
	ask(t, nc, "qcon.control.d1", `{"cancel":"x"}`, &c)
	if c.OK || c.Error == "" {
		t.Errorf("%+v", c)
	}
	if m := ask(t, nc, "qcon.control.d1", `{}`, nil); m.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("%v", m.Header)
	}
}

func TestFilterKeepsOthersSilent(t *testing.T) {
	srv := testkit.Server(t)
	for _, id := range []string{"d1", "d2", "d3"} {
		start(t, options(srv.URL(), id))
	}
	nc := srv.Conn()
	inbox := nc.NewInbox()
	answers := testkit.Subscribe(t, nc, inbox)
	if err := nc.PublishRequest("qcon.device_info", inbox, []byte(`{"id":"d2"}`)); err != nil {
		t.Fatal(err)
	}
	if got := answers.Next(); !strings.Contains(string(got.Data), `"id":"d2"`) {
		t.Errorf("%s", got.Data)
	}
	if err := nc.PublishRequest("qcon.device_info", inbox, nil); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for range 3 {
		var info fleet.Info
		if err := json.Unmarshal(answers.Next().Data, &info); err != nil {
			t.Fatal(err)
		}
		seen[info.ID]++
	}
	if len(seen) != 3 {
		t.Errorf("answers of %v", seen)
	}
}

func TestConfigurationIsMergedAndReported(t *testing.T) {
	srv := testkit.Server(t)
	js := srv.JS()
	config := testkit.KV(t, js, jetstream.KeyValueConfig{Bucket: "config"})
	states := testkit.KV(t, js, jetstream.KeyValueConfig{Bucket: "qcon_state"})
	ctx := testkit.Context(t)
	put := func(key, value string) uint64 {
		r, err := config.Put(ctx, key, []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	put("all", `{"chart_color":"#ff0000","n":12345678901234567890,"x":{"a":1,"b":2}}`)
	put("where.big", `{"where":"cpus >= 4","config":{"x":{"b":null,"c":3}}}`)
	put("where.other", `{"where":"cpus > 400","config":{"never":1}}`)
	applied := make(chan string, 16)
	o := options(srv.URL(), "d1")
	o.Apply = func(_ context.Context, c json.RawMessage) error { applied <- string(c); return nil }
	d := start(t, o)
	next := func(want string) {
		t.Helper()
		select {
		case got := <-applied:
			if got != want {
				t.Errorf("applied %s, want %s", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("%s was not applied", want)
		}
	}
	next(`{"chart_color":"#ff0000","n":12345678901234567890,"x":{"a":1,"c":3}}`)
	revision := put("device.d1", `{"chart_color":"#00ff00"}`)
	next(`{"chart_color":"#00ff00","n":12345678901234567890,"x":{"a":1,"c":3}}`)
	state := func(what string, ok func(fleet.ConfigState) bool) {
		t.Helper()
		var s fleet.ConfigState
		testkit.Eventually(t, within, what, func() bool {
			e, err := states.Get(ctx, "config.d1")
			s = fleet.ConfigState{}
			return err == nil && json.Unmarshal(e.Value(), &s) == nil && ok(s)
		})
	}
	state("the revision", func(s fleet.ConfigState) bool {
		return s.Revision == revision && s.Keys["device.d1"] == revision && s.Keys["all"] == 1 && s.Keys["where.big"] == 2 && len(s.Keys) == 3 && s.Error == ""
	})
	put("where.bad", `{"where":"cpus >","config":{}}`)
	state("the error", func(s fleet.ConfigState) bool {
		return s.Revision == revision && strings.Contains(s.Error, "where.bad")
	})
	for _, key := range []string{"where.bad", "where.big", "device.d1", "all"} {
		if err := config.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	state("no configuration", func(s fleet.ConfigState) bool { return s.Revision == 0 && string(s.Config) == "null" && s.Error == "" })
	testkit.Eventually(t, within, "the device's info", func() bool {
		e, err := states.Get(ctx, "device.d1")
		return err == nil && strings.Contains(string(e.Value()), d.Info().Instance)
	})
}

func TestMetricsOnce(t *testing.T) {
	srv := testkit.Server(t)
	seen := testkit.Subscribe(t, srv.Conn(), "metrics.>")
	o := options(srv.URL(), "d1")
	o.Interval = 5 * time.Millisecond
	d := start(t, o)
	m := seen.Next()
	var metric fleet.Metric
	if err := json.Unmarshal(m.Data, &metric); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(m.Subject, "metrics.test.") || metric.Seq != 1 || metric.Device.ID != "d1" || metric.Nickname != "nick-d1" {
		t.Errorf("%s %+v", m.Subject, metric)
	}
	// A stream that appears gets everything from some number on, in order.
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "metrics", Subjects: []string{"metrics.>"}})
	testkit.Eventually(t, within, "metrics in the stream", func() bool { return testkit.State(t, srv.JS(), "metrics").Msgs > 20 })
	srv.Restart()
	from := testkit.State(t, srv.JS(), "metrics").Msgs
	testkit.Eventually(t, within, "metrics after the restart", func() bool { return testkit.State(t, srv.JS(), "metrics").Msgs > from+20 })
	if err := d.Stop(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	if n, lost := d.Waiting(); n != 0 || lost != 0 {
		t.Errorf("%d wait, %d lost", n, lost)
	}
	contiguous(t, testkit.Stored(t, srv.JS(), "metrics"))
}

func TestMetricsWithoutJetStream(t *testing.T) {
	srv := testkit.Server(t, testkit.WithoutJetStream())
	seen := testkit.Subscribe(t, srv.Conn(), "metrics.>")
	o := options(srv.URL(), "d1")
	o.Interval = 5 * time.Millisecond
	start(t, o)
	for n := uint64(1); n <= 5; n++ {
		var metric fleet.Metric
		if err := json.Unmarshal(seen.Next().Data, &metric); err != nil || metric.Seq != n {
			t.Errorf("metric %d, %v, want %d", metric.Seq, err, n)
		}
	}
}

// contiguous checks that the metrics of each instance count up by one, and returns how many there are of each device.
func contiguous(t testing.TB, stored []*jetstream.RawStreamMsg) map[string]int {
	t.Helper()
	last, count := map[string]uint64{}, map[string]int{}
	for _, m := range stored {
		var metric fleet.Metric
		if err := json.Unmarshal(m.Data, &metric); err != nil {
			t.Fatal(err)
		}
		key := metric.Device.ID + "." + metric.Device.Instance
		if before, ok := last[key]; ok && metric.Seq != before+1 {
			t.Errorf("%s: metric %d comes after %d", key, metric.Seq, before)
		}
		last[key] = metric.Seq
		count[metric.Device.ID]++
	}
	return count
}

func TestMoves(t *testing.T) {
	hub := testkit.Server(t, testkit.WithDomain("cloud"))
	testkit.KV(t, hub.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	leaf := testkit.Leaf(t, hub)
	d := start(t, options(hub.URL(), "d1"))
	nc := hub.Conn()
	var c fleet.Controlled
	for _, bad := range []string{"http://x", "nats://", "nats://s3cr3t@h:bad", "a,,b", "\x00"} {
		ask(t, nc, "qcon.advertise", bad, &c)
		if c.OK || !strings.Contains(c.Error, "no URL") || strings.Contains(c.Error, "s3cr3t") {
			t.Errorf("%q: %+v", bad, c)
		}
	}
	ask(t, nc, "qcon.advertise", testkit.Dead(t), &c)
	if c.OK || c.Error == "" || d.Info().Server != "test" {
		t.Errorf("moved to nowhere: %+v", c)
	}
	c = fleet.Controlled{}
	ask(t, nc, "qcon.advertise", leaf.URL(), &c)
	if !c.OK || c.Server != leaf.URL() || !strings.Contains(c.Warning, "no bucket config") {
		t.Errorf("%+v", c)
	}
	testkit.Eventually(t, within, "the trouble", func() bool {
		return d.Info().Server == "leaf" && strings.Contains(d.Info().Trouble, "bucket config") && d.State().Error == d.Info().Trouble
	})
	var info fleet.Info
	testkit.Eventually(t, within, "the device's word through the leaf node", func() bool {
		m, err := nc.Request("qcon.device_info", nil, time.Second)
		return err == nil && json.Unmarshal(m.Data, &info) == nil && info.Server == "leaf" && info.Trouble != ""
	})
	c = fleet.Controlled{}
	ask(t, nc, "qcon.control.d1", `{"move":""}`, &c)
	if !c.OK || c.Server != hub.URL() || c.Warning != "" {
		t.Errorf("%+v", c)
	}
	testkit.Eventually(t, within, "home", func() bool { return d.Info().Server == "test" && d.Info().Trouble == "" && d.State().Error == "" })
	ask(t, nc, "qcon.advertise", leaf.URL(), nil)
	leaf.Stop()
	testkit.Eventually(t, within, "home when the leaf node died", func() bool { return d.Info().Server == "test" })
}

// TestMovesWithItsCredentials goes to another server with the token of its own, and to one that wants another with that.
func TestMovesWithItsCredentials(t *testing.T) {
	home := testkit.Server(t, testkit.WithToken("s3cr3t"), testkit.WithName("home"))
	same := testkit.Server(t, testkit.WithToken("s3cr3t"), testkit.WithName("same"))
	other := testkit.Server(t, testkit.WithToken("0th3r"), testkit.WithName("other"))
	o := options(home.AuthURL(), "d1")
	d := start(t, o)
	var c fleet.Controlled
	ask(t, home.Conn(), "qcon.advertise", other.URL(), &c)
	if c.OK || strings.Contains(c.Error, "s3cr3t") || d.Info().Server != "home" {
		t.Errorf("%+v", c)
	}
	ask(t, home.Conn(), "qcon.advertise", same.URL(), &c)
	if !c.OK || c.Server != same.URL() {
		t.Errorf("%+v", c)
	}
	c = fleet.Controlled{}
	ask(t, same.Conn(), "qcon.advertise", other.AuthURL(), &c)
	if !c.OK || c.Server != other.URL() || d.Info().Server != "other" {
		t.Errorf("%+v", c)
	}
	ask(t, other.Conn(), "qcon.advertise", "", nil)
	testkit.Eventually(t, within, "home", func() bool { return d.Info().Server == "home" })
}

func TestJoinsLater(t *testing.T) {
	srv := testkit.Server(t, testkit.WithToken("s3cr3t"))
	url := srv.AuthURL()
	srv.Stop()
	o := options(url, "d1")
	o.NoWait = true
	if _, err := device.Start(testkit.Context(t), o); err == nil {
		t.Fatal("joined a server that is down")
	}
	o.NoWait = false
	d, err := device.Start(testkit.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Stop(testkit.Context(t)) }()
	select {
	case <-d.Joined():
		t.Fatal("joined a server that is down")
	default:
	}
	srv.Restart()
	select {
	case <-d.Joined():
	case <-testkit.Context(t).Done():
		t.Fatal("did not join")
	}
	testkit.Eventually(t, within, "an answer", func() bool {
		_, err := srv.Conn().Request("qcon.device_info", nil, time.Second)
		return err == nil
	})
}
