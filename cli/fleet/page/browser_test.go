//go:build unix

package page

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

const secret = "s3cr3t-for-devices"

// stage is a hub, the page and a browser that has it open.
type stage struct {
	t   *testing.T
	hub *testkit.NATS
	run *clitest.Running
	url string
	tab *tab
}

func newStage(t *testing.T) *stage {
	t.Helper()
	b := newChromium(t)
	f := &stage{t: t, hub: testkit.Server(t, testkit.WithName("hub"), testkit.WithToken(secret), testkit.WithWebsocket())}
	testkit.Stream(t, f.hub.JS(), jetstream.StreamConfig{Name: "survey", Subjects: []string{"survey.>"}})
	testkit.KV(t, f.hub.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	testkit.KV(t, f.hub.JS(), jetstream.KeyValueConfig{Bucket: "qcon_state"})
	f.serve("")
	f.tab = b.open(f.url, 360, 740)
	return f
}

// serve starts the page and learns its address as a script would.
func (f *stage) serve(flags string) {
	f.t.Helper()
	f.run = clitest.New(f.t, Command()).Start("page --listen 127.0.0.1:-1 --json --label site=north --websocket " + f.hub.WebsocketURL() + " " + flags).Says("devices join")
	var said serving
	if err := json.Unmarshal([]byte(f.run.Out()), &said); err != nil {
		f.t.Fatalf("%v in %q", err, f.run.Out())
	}
	f.url = said.URL
}

// join signs in as a person does.
func (f *stage) join() {
	f.t.Helper()
	f.tab.fill("#secret", secret)
	f.tab.press("Enter", 13)
	f.tab.until("the device is online", `document.body.dataset.state === "online" && document.getElementById("log").innerText.includes("answers at")`)
}

// ask is the answer to a request, or nil when nobody answers.
func (f *stage) ask(nc *nats.Conn, subject, body string) *nats.Msg {
	f.t.Helper()
	m, err := nc.Request(subject, []byte(body), 10*time.Second)
	if err != nil {
		f.t.Fatalf("%s: %v", subject, err)
	}
	return m
}

// silent asserts that nobody answers: the device has taken the request when it has answered a later one.
func (f *stage) silent(nc *nats.Conn, subject, body string) {
	f.t.Helper()
	reply := nats.NewInbox()
	answers := testkit.Subscribe(f.t, nc, reply)
	if err := nc.PublishRequest(subject, reply, []byte(body)); err != nil {
		f.t.Fatal(err)
	}
	f.ask(nc, "qcon.nickname", "")
	if answers.Pending() != 0 {
		f.t.Fatalf("%s with %s was answered: %s", subject, body, answers.Next().Data)
	}
}

func decoded[T any](t *testing.T, m *nats.Msg) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(m.Data, &v); err != nil {
		t.Fatalf("%v in %s", err, m.Data)
	}
	return v
}

type info struct {
	ID, Instance, Nickname, Model, Arch, Server string
	Labels                                      map[string]string
	OS                                          struct{ Name, Version string }
	CPUs                                        int
	Memory                                      uint64
	Browser                                     struct{ Name, Version string }
}

func TestBrowserIsADevice(t *testing.T) {
	t.Parallel()
	f := newStage(t)
	f.wrongToken()
	f.join()
	f.questions()
	f.service()
	f.nickname()
	f.metrics()
	f.configuration()
	f.survey()
	f.pictures("hub")
	f.restart()
	f.moves()
	f.leaves()
	if c := f.tab.complaints(); len(c) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(c, "\n"))
	}
	if r := f.run.Interrupt(); r.Code != fail.OK || strings.Contains(r.Out+r.Err, secret) {
		t.Errorf("code %d\n%s%s", r.Code, r.Out, r.Err)
	}
}

func (f *stage) wrongToken() {
	f.t.Helper()
	f.pictures("join")
	f.tab.fill("#server", strings.Replace(testkit.Dead(f.t), "nats:", "ws:", 1))
	f.tab.click("#join-button")
	f.tab.until("a dead server is told", `document.getElementById("join-error").innerText.includes("nobody answers there")`)
	f.tab.fill("#server", "nats://127.0.0.1:4222")
	f.tab.click("#join-button")
	f.tab.until("a URL for other programs is told", `document.getElementById("join-error").innerText.includes("not to nats://")`)
	f.tab.fill("#server", f.hub.WebsocketURL())
	f.tab.fill("#secret", "wrong")
	f.tab.click("#join-button")
	f.tab.until("the refusal is told", `document.getElementById("join-error").innerText.includes("does not accept these credentials")`)
}

func (f *stage) questions() {
	f.t.Helper()
	nc := f.hub.Conn()
	all := decoded[info](f.t, f.ask(nc, "qcon.device_info", ""))
	if all.ID == "" || all.Nickname == "" || all.OS.Name != "Linux" || all.CPUs == 0 || all.Browser.Version == "" || all.Server != "hub" || all.Labels["site"] != "north" {
		f.t.Errorf("device_info is incomplete: %+v", all)
	}
	same := decoded[info](f.t, f.ask(nc, "qcon.device_info", `{"os":{"name":"Linux"},"labels":{"site":"north"}}`))
	if same.ID != all.ID {
		f.t.Errorf("id %s, then %s", all.ID, same.ID)
	}
	type answer struct {
		ID, Error string
		Match     bool
		Info      *info
	}
	for expression, want := range map[string]answer{
		`os.name == "Linux" && cpus >= 1 and labels.site in ["north", "south"]`: {ID: all.ID, Match: true, Info: &same},
		`os.name == "Android" || memory > 4e15`:                                 {ID: all.ID},
		`frobnicate(id)`:                                                        {ID: all.ID, Error: "function frobnicate is not known to a browser"},
	} {
		got := decoded[answer](f.t, f.ask(nc, "qcon.query", `{"expr":`+strconv.Quote(expression)+`}`))
		if got.ID != want.ID || got.Match != want.Match || got.Error != want.Error || (got.Info == nil) != (want.Info == nil) {
			f.t.Errorf("%s is answered with %+v", expression, got)
		}
	}
	f.silent(nc, "qcon.device_info", `{"os":{"name":"Android"}}`)
	f.silent(nc, "qcon.device_info", `{"labels":{"site":"north","floor":"2"}}`)
	if m := f.ask(nc, "qcon.device_info", `{"os"`); m.Header.Get(micro.ErrorCodeHeader) != "400" {
		f.t.Errorf("a broken filter is answered with %v %s", m.Header, m.Data)
	}
}

func (f *stage) service() {
	f.t.Helper()
	nc := f.hub.Conn()
	id := ""
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		for _, form := range []string{"", ".qcon", ".qcon.ID"} {
			m := f.ask(nc, "$SRV."+verb+strings.Replace(form, "ID", id, 1), "")
			said := decoded[struct{ Type, Name, ID, Version string }](f.t, m)
			id = said.ID
			want := "io.nats.micro.v1." + strings.ToLower(verb) + "_response"
			if said.Type != want || said.Name != "qcon" || said.ID == "" || said.Version == "" {
				f.t.Errorf("$SRV.%s%s: %s", verb, form, m.Data)
			}
		}
	}
	about := decoded[micro.Info](f.t, f.ask(nc, "$SRV.INFO.qcon."+id, ""))
	queues := map[string]string{}
	for _, e := range about.Endpoints {
		queues[e.Name+" "+e.Subject] = e.QueueGroup
	}
	want := map[string]string{"device_info qcon.device_info": id, "nickname qcon.nickname": "q", "advertise qcon.advertise": id, "query qcon.query": id}
	for k, v := range want {
		if queues[k] != v {
			f.t.Errorf("endpoint %s has queue group %q, want %q: %v", k, queues[k], v, queues)
		}
	}
	for _, e := range decoded[micro.Stats](f.t, f.ask(nc, "$SRV.STATS.qcon."+id, "")).Endpoints {
		if e.Name == "device_info" && (e.NumRequests != 5 || e.NumErrors != 0) {
			f.t.Errorf("device_info counts %+v", e)
		}
	}
}

func (f *stage) nickname() {
	f.t.Helper()
	before := string(f.ask(f.hub.Conn(), "qcon.nickname", "").Data)
	if shown := f.tab.get(`document.getElementById("nickname").value`); before == "" || shown != before {
		f.t.Errorf("nickname %q, shown %q", before, shown)
	}
	hostile := `<img src=x onerror=alert(1)>`
	f.tab.fill("#nickname", hostile)
	f.tab.press("Enter", 13)
	if now := string(f.ask(f.hub.Conn(), "qcon.nickname", "").Data); now != hostile {
		f.t.Errorf("nickname is %q", now)
	}
	if n := f.tab.get(`document.querySelectorAll("#log img").length`); n != float64(0) || !strings.Contains(f.tab.text("#log"), hostile) {
		f.t.Errorf("the log made markup of a nickname: %s", f.tab.text("#log"))
	}
	f.tab.fill("#nickname", "Ada's phone")
	f.tab.press("Enter", 13)
}

func (f *stage) metrics() {
	f.t.Helper()
	sub := testkit.Subscribe(f.t, f.hub.Conn(), "metrics.hub.*")
	type metric struct {
		Seq      uint64
		Time     time.Time
		Nickname string
		Device   info
		RTT      float64 `json:"rtt_ms"`
		Sent     uint64
	}
	first, second := decoded[metric](f.t, sub.Next()), decoded[metric](f.t, sub.Next())
	if second.Seq != first.Seq+1 || !second.Time.After(first.Time) || second.Nickname != "Ada's phone" || second.Device.ID == "" || second.RTT <= 0 || second.Sent <= first.Sent {
		f.t.Errorf("metrics %+v, then %+v", first, second)
	}
	clients := map[string]bool{}
	for range 3 {
		clients[sub.Next().Subject] = true
	}
	if len(clients) != 1 {
		f.t.Errorf("one client, several subjects: %v", clients)
	}
	f.tab.until("the chart tells its values", `/now [\d.]+ ms/.test(document.getElementById("chart").getAttribute("aria-label"))`)
}

// drawn counts pixels of a colour on the chart.
const drawn = `(() => {
	const c = document.getElementById("chart"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
	let n = 0;
	for (let i = 0; i < d.length; i += 4) if (d[i] === %d && d[i+1] === %d && d[i+2] === %d && d[i+3] > 250) n++;
	return n > 20;
})()`

func (f *stage) put(key, value string) {
	f.t.Helper()
	kv, err := f.hub.JS().KeyValue(testkit.Context(f.t), "config")
	if err == nil {
		_, err = kv.PutString(testkit.Context(f.t), key, value)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *stage) del(key string) {
	f.t.Helper()
	kv, err := f.hub.JS().KeyValue(testkit.Context(f.t), "config")
	if err == nil {
		err = kv.Delete(testkit.Context(f.t), key)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *stage) color(want string) {
	f.t.Helper()
	f.tab.until("the chart's colour is "+want, fmt.Sprintf(`document.getElementById("chart").dataset.color === %q`, want))
}

func (f *stage) configuration() {
	f.t.Helper()
	id := decoded[info](f.t, f.ask(f.hub.Conn(), "qcon.device_info", "")).ID
	f.color("")
	f.put("all", `{"chart_color":"#ff0000","period":5}`)
	f.color("#ff0000")
	f.tab.until("the line is drawn red", fmt.Sprintf(drawn, 255, 0, 0))
	f.put("device."+id, `{"chart_color":"#008000"}`)
	f.color("#008000")
	f.tab.until("the line is drawn green", fmt.Sprintf(drawn, 0, 128, 0))
	if shown := f.tab.text("#config-json"); !strings.Contains(shown, `"period": 5`) {
		f.t.Errorf("the two keys are not merged: %s", shown)
	}
	f.put("device.another", `{"chart_color":"#0000ff"}`)
	f.put("all", `{"chart_color":"red;background:url(//x)"}`)
	f.del("device." + id)
	f.tab.until("what is no colour is shown and not used", `document.getElementById("config-json").innerText.includes("url(") && document.getElementById("chart").dataset.color === ""`)
	f.put("all", `{"chart_color":"#0000ff"}`)
	f.color("#0000ff")
	f.put("all", `{"chart_color"`)
	f.tab.until("a broken value is told", `document.getElementById("log").innerText.includes("no JSON object")`)
	f.color("#0000ff") // what was in force stays
	f.put("all", `{"chart_color":"#e11d48"}`)
	f.color("#e11d48")
	f.put("where.linux", `{"where":"os.name == \"Linux\" && labels.site == \"north\"","config":{"chart_color":"#ca8a04"}}`)
	f.put("where.phones", `{"where":"os.name == \"Android\"","config":{"chart_color":"#ff00ff"}}`)
	f.color("#ca8a04")
	f.reported(id, "#ca8a04")
	f.del("where.linux")
	f.color("#e11d48")
	f.del("all")
	f.color("")
	f.put("all", `{"chart_color":"#e11d48","survey":[{"question":"lang","title":"What do you write at the edge?","answers":["Go","Rust","C","Something else"]},{"question":"mood","title":"How is it going?","answers":["great","fine","lost"]}]}`)
	f.color("#e11d48")
}

// reported asserts what the device has told in the bucket of states.
func (f *stage) reported(id, color string) {
	f.t.Helper()
	ctx := testkit.Context(f.t)
	kv, err := f.hub.JS().KeyValue(ctx, "qcon_state")
	if err != nil {
		f.t.Fatal(err)
	}
	type told struct {
		ID       string
		Revision uint64
		Keys     map[string]uint64
		Config   map[string]any
	}
	var state told
	testkit.Eventually(f.t, 60*time.Second, "the device tells what it has applied", func() bool {
		state = told{}
		e, err := kv.Get(ctx, "config."+id)
		return err == nil && json.Unmarshal(e.Value(), &state) == nil && state.Config["chart_color"] == color
	})
	if state.ID != id || state.Keys["where.linux"] != state.Revision || len(state.Keys) != 2 {
		f.t.Errorf("the state is %+v", state)
	}
	var who info
	if e, err := kv.Get(ctx, "device."+id); err != nil || json.Unmarshal(e.Value(), &who) != nil || who.Nickname != "Ada's phone" {
		f.t.Errorf("the device tells %+v, %v", who, err)
	}
}

const count = `document.querySelector('[data-question="%s"] [data-answer="%s"]')?.dataset.count === "%d"`

func (f *stage) survey() {
	f.t.Helper()
	nc := f.hub.Conn()
	for _, answer := range []string{"Go", "Go", "Go", "Rust", "<b>x</b>"} {
		testkit.Store(f.t, f.hub.JS(), "survey.lang", 1, answer)
	}
	f.tab.until("answers of others are counted", fmt.Sprintf(count, "lang", "Go", 3)+" && "+fmt.Sprintf(count, "lang", "<b>x</b>", 1))
	f.tab.click(`[data-question="lang"] [data-answer="Rust"]`)
	f.tab.until("the vote is counted", fmt.Sprintf(count, "lang", "Rust", 2))
	f.tab.click(`[data-question="lang"] [data-answer="Go"]`)
	f.tab.until("the vote has moved", fmt.Sprintf(count, "lang", "Go", 4)+" && "+fmt.Sprintf(count, "lang", "Rust", 1))
	stored := testkit.Stored(f.t, f.hub.JS(), "survey")
	if last := stored[len(stored)-1]; len(stored) != 7 || last.Subject != "survey.lang" || string(last.Data) != "Go" || last.Header.Get("Device") == "" {
		f.t.Errorf("%d answers are stored, the last %s %s %v", len(stored), last.Subject, last.Data, last.Header)
	}
	f.tab.until("the own answer is marked", `document.querySelector('[data-question="lang"] [data-answer="Go"]').ariaPressed === "true"`)
	testkit.Publish(f.t, nc, "survey.mood", 3, "great")
	testkit.Publish(f.t, nc, "survey.mood", 1, "lost")
	f.tab.until("the other question counts", fmt.Sprintf(count, "mood", "great", 3))
}

func (f *stage) restart() {
	f.t.Helper()
	f.hub.Stop()
	f.tab.until("the loss is shown", `document.body.dataset.state === "away"`)
	f.hub.Restart()
	f.tab.until("the device is back", `document.body.dataset.state === "online"`)
	if got := decoded[info](f.t, f.ask(f.hub.Conn(), "qcon.device_info", "")); got.Nickname != "Ada's phone" {
		f.t.Errorf("after the restart %+v", got)
	}
	f.put("all", `{"chart_color":"#0d9488"}`)
	f.color("#0d9488")
	f.tab.until("the history is counted again", fmt.Sprintf(count, "lang", "Go", 4))
}

func (f *stage) moves() {
	f.t.Helper()
	leaf := testkit.Server(f.t, testkit.WithName("laptop"), testkit.WithToken(secret), testkit.WithWebsocket())
	type controlled struct {
		ID, Server, Error, Warning string
		OK                         bool
	}
	dead := strings.Replace(testkit.Dead(f.t), "nats:", "ws:", 1)
	for _, bad := range []string{"nats://127.0.0.1:1", "ws://[", "javascript:alert(1)", dead} {
		if got := decoded[controlled](f.t, f.ask(f.hub.Conn(), "qcon.advertise", bad)); got.OK || got.Error == "" || got.Server != f.hub.WebsocketURL() {
			f.t.Errorf("%s: %+v", bad, got)
		}
	}
	f.tab.until("a dead server is told and not moved to", `document.getElementById("log").innerText.includes("staying at") && document.body.dataset.state === "online"`)

	got := decoded[controlled](f.t, f.ask(f.hub.Conn(), "qcon.advertise", leaf.WebsocketURL()))
	if !got.OK || got.Server != leaf.WebsocketURL() || !strings.Contains(got.Warning, "no bucket config") {
		f.t.Errorf("moving is answered with %+v", got)
	}
	sub := testkit.Subscribe(f.t, leaf.Conn(), "metrics.laptop.*")
	sent := f.tab.get(`Number(document.getElementById("sent").textContent)`)
	if m := decoded[struct{ Sent float64 }](f.t, sub.Next()); m.Sent <= sent.(float64) {
		f.t.Errorf("the count of messages went from %v to %v", sent, m.Sent)
	}
	f.tab.until("the device has moved", `document.body.dataset.state === "moved" && document.getElementById("log").innerText.includes("answers at laptop")`)
	if got := decoded[info](f.t, f.ask(leaf.Conn(), "qcon.device_info", "")); got.Server != "laptop" {
		f.t.Errorf("at the laptop it says %+v", got)
	}
	testkit.Eventually(f.t, 30*time.Second, "the hub has lost the device", func() bool {
		_, err := f.hub.Conn().Request("qcon.nickname", nil, 5*time.Second)
		return err == nats.ErrNoResponders
	})
	f.tab.until("there is no data here", `document.getElementById("config-trouble").innerText.includes("no bucket config")`)
	testkit.KV(f.t, leaf.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	if kv, err := leaf.JS().KeyValue(testkit.Context(f.t), "config"); err != nil {
		f.t.Fatal(err)
	} else if _, err := kv.PutString(testkit.Context(f.t), "all", `{"chart_color":"#7c3aed"}`); err != nil {
		f.t.Fatal(err)
	}
	f.color("#7c3aed")
	f.tab.click(`[data-question="mood"] [data-answer="fine"]`)
	f.tab.until("a vote without a stream is counted live", fmt.Sprintf(count, "mood", "fine", 1))
	f.pictures("moved")
	control := "qcon.control." + got.ID
	if got := decoded[controlled](f.t, f.ask(leaf.Conn(), control, `{"cancel":"c1"}`)); got.OK {
		f.t.Errorf("a browser cancels commands: %+v", got)
	}
	if got := decoded[controlled](f.t, f.ask(leaf.Conn(), "qcon.advertise", "")); !got.OK || got.Server != f.hub.WebsocketURL() || got.Warning != "" {
		f.t.Errorf("moving back is answered with %+v", got)
	}
	f.tab.until("the device is home again", `document.body.dataset.state === "online"`)
	f.color("#0d9488")

	// A laptop that is closed does not take its devices with it.
	f.ask(f.hub.Conn(), control, `{"move":"`+leaf.WebsocketURL()+`"}`)
	f.tab.until("the device has moved again", `document.body.dataset.state === "moved"`)
	leaf.Stop()
	f.tab.until("the device went home by itself", `document.body.dataset.state === "online"`)

	f.tab.click("#may-move")
	if got = decoded[controlled](f.t, f.ask(f.hub.Conn(), "qcon.advertise", "ws://127.0.0.1:1")); got.OK || !strings.Contains(got.Error, "does not let") {
		f.t.Errorf("a device that must not be moved says %+v", got)
	}
}

func (f *stage) leaves() {
	f.t.Helper()
	f.tab.do("Page.reload", nil)
	f.tab.until("a reload joins again", `document.body?.dataset.ready === "yes" && document.body.dataset.state === "online"`)
	f.tab.click("#leave")
	f.tab.until("the device has left", `document.body.dataset.state === "offline"`)
	testkit.Eventually(f.t, 30*time.Second, "nobody answers", func() bool {
		_, err := f.hub.Conn().Request("qcon.nickname", nil, 5*time.Second)
		return err == nats.ErrNoResponders
	})
}

// pictures writes screenshots for people to look at, into $NATSKIT_PICTURES when that is set, and checks that nothing is cut off.
func (f *stage) pictures(name string) {
	f.t.Helper()
	for _, s := range []struct {
		name          string
		width, height int
		dark          bool
	}{{"phone", 360, 740, false}, {"phone-dark", 360, 740, true}, {"desktop", 1280, 900, false}, {"desktop-dark", 1280, 900, true}} {
		f.tab.size(s.width, s.height)
		f.tab.dark(s.dark)
		if over := f.tab.get("document.documentElement.scrollWidth - document.documentElement.clientWidth"); over != float64(0) {
			f.t.Errorf("%s at %d pixels is %v too wide", name, s.width, over)
		}
		if dir := os.Getenv("NATSKIT_PICTURES"); dir != "" {
			f.tab.get("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
			if err := os.WriteFile(filepath.Join(dir, name+"-"+s.name+".png"), f.tab.picture(), 0o600); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	f.tab.size(360, 740)
	f.tab.dark(false)
}
