//go:build unix

package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// TestWhatIsMadeAnew: a bucket and a stream that are removed and made again are followed again.
func TestWhatIsMadeAnew(t *testing.T) {
	t.Parallel()
	f := newStage(t)
	f.join()
	f.put("all", `{"chart_color":"#ff0000"}`)
	f.color("#ff0000")
	testkit.Store(t, f.hub.JS(), "survey.mood", 2, "lost")
	f.tab.until("the answers are counted", fmt.Sprintf(count, "mood", "lost", 2))
	ctx := testkit.Context(t)
	if err := f.hub.JS().DeleteKeyValue(ctx, "config"); err != nil {
		t.Fatal(err)
	}
	if err := f.hub.JS().DeleteStream(ctx, "survey"); err != nil {
		t.Fatal(err)
	}
	f.tab.until("what is missing is told", `document.getElementById("config-trouble").innerText !== "" && document.getElementById("survey-trouble").innerText !== ""`)
	f.color("#ff0000")
	testkit.KV(t, f.hub.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	testkit.Stream(t, f.hub.JS(), jetstream.StreamConfig{Name: "survey", Subjects: []string{"survey.>"}})
	f.put("all", `{"chart_color":"#0000ff"}`)
	f.color("#0000ff")
	testkit.Store(t, f.hub.JS(), "survey.mood", 1, "great")
	f.tab.until("the new answers alone are counted", fmt.Sprintf(count, "mood", "great", 1)+" && "+fmt.Sprintf(count, "mood", "lost", 0))
	f.tab.until("nothing is missing", `document.getElementById("config-trouble").innerText + document.getElementById("survey-trouble").innerText === ""`)
}

// TestHubDies: the device learns the other hubs of a cluster and answers through one of them.
func TestHubDies(t *testing.T) {
	t.Parallel()
	b := newChromium(t)
	c := testkit.Cluster(t, 3, testkit.WithToken(secret), testkit.WithWebsocket())
	_, said := up(t, clitest.New(t, Command()).Env("NATS_TOKEN", secret), "--with-credentials --websocket "+c.Node(0).WebsocketURL())
	p := b.open(said.URL, 360, 740)
	p.until("the device is online", `document.body.dataset.state === "online" && document.getElementById("log").innerText.includes("answers at")`)
	at := strings.TrimPrefix(p.text("#state-text"), "online at ")
	if at != c.Node(0).Name() {
		t.Fatalf("the device is at %q", at)
	}
	c.Kill(0)
	nc := c.Node(1).Conn()
	testkit.Eventually(t, 60*time.Second, "the device answers through another hub", func() bool {
		m, err := nc.Request("qcon.device_info", nil, 5*time.Second)
		return err == nil && !strings.Contains(string(m.Data), `"server":"`+at+`"`)
	})
}

// TestCredentialsFile: a person can join with a JWT and its seed, and nothing else lets them in there.
func TestCredentialsFile(t *testing.T) {
	t.Parallel()
	b := newChromium(t)
	hub := testkit.Server(t, testkit.WithJWT(), testkit.WithWebsocket())
	_, said := up(t, clitest.New(t, Command()), "--websocket "+hub.WebsocketURL())
	p := b.open(said.URL, 360, 740)
	p.click("#join-button")
	p.until("nobody is let in without", `document.getElementById("join-error").innerText.includes("does not accept")`)
	p.click("summary")
	p.choose("#creds", hub.CredsFile())
	p.click("#join-button")
	p.until("the device is online", `document.body.dataset.state === "online"`)
	testkit.Eventually(t, 60*time.Second, "the device answers", func() bool {
		_, err := hub.Conn().Request("qcon.nickname", nil, 5*time.Second)
		return err == nil
	})
	p.do("Page.reload", nil)
	p.until("a reload joins again", `document.body?.dataset.ready === "yes" && document.body.dataset.state === "online"`)
}
