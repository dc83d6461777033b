package device

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device/sim"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

const within = time.Minute

// group is the commands as they are mounted.
func group() command.Node {
	return command.Group{Meta: command.Meta{Name: "fleet", Short: "Fleet"}, Nodes: Command}
}

func TestAgent(t *testing.T) {
	srv := testkit.Server(t, testkit.WithToken("s3cr3t"))
	config := testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	states := testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "qcon_state"})
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "qcon_commands", Subjects: []string{"qcon.command.*"}})
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "qcon_results", Subjects: []string{"qcon.result.>"}})
	ctx := testkit.Context(t)
	c := clitest.New(t, group()).Server(srv.AuthURL())
	line := "fleet agent --state d --nickname rosy --label site=north --config-file c.json --allow env --json"
	run := c.Start(line).Says("joined service qcon")
	var who joined
	testkit.Eventually(t, within, "the line", func() bool { return json.Unmarshal([]byte(run.Out()), &who) == nil })
	if who.Nickname != "rosy" || who.Labels["site"] != "north" || who.Service != "qcon" || who.Server != "test" || who.State != c.Path("d") || who.Memory == 0 && who.OS.Name == "Linux" {
		t.Errorf("%+v", who)
	}
	if m, err := srv.Conn().RequestWithContext(ctx, "qcon.nickname", nil); err != nil || string(m.Data) != "rosy" {
		t.Errorf("%v %v", m, err)
	}
	if _, err := config.Put(ctx, "all", []byte(`{"chart_color":"#ff0000"}`)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, within, "the file", func() bool {
		text, err := os.ReadFile(c.Path("c.json"))
		return err == nil && string(text) == "{\"chart_color\":\"#ff0000\"}\n"
	})
	testkit.Eventually(t, within, "the state", func() bool {
		e, err := states.Get(ctx, fleet.ConfigKey(who.ID))
		return err == nil && strings.Contains(string(e.Value()), "ff0000")
	})
	text, err := json.Marshal(fleet.Command{ID: "c1", Args: []string{"env"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.JS().Publish(ctx, "qcon.command."+who.ID, text); err != nil {
		t.Fatal(err)
	}
	run.Says("Command c1")
	var result fleet.Result
	testkit.Eventually(t, within, "the result", func() bool {
		s, err := srv.JS().Stream(ctx, "qcon_results")
		if err != nil {
			return false
		}
		m, err := s.GetLastMsgForSubject(ctx, "qcon.result."+who.ID+".c1")
		return err == nil && json.Unmarshal(m.Data, &result) == nil && result.State.Final()
	})
	if result.State != fleet.Done || len(result.Stdout) == 0 {
		t.Errorf("%+v", result)
	}
	r := run.Interrupt()
	if r.Code != fail.OK {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
	if all := r.Out + r.Err + string(result.Stdout); strings.Contains(all, "s3cr3t") {
		t.Errorf("the token is told:\n%s", all)
	}
	again := c.Start(line).Says("joined")
	testkit.Eventually(t, within, "the id to be the same", func() bool { return strings.Contains(again.Out(), `"id":"`+who.ID+`"`) })
	c.Fails(fail.Failure, "fleet agent --state d", "another agent", "--state DIR")
	if r := again.Interrupt(); r.Code != fail.OK {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
}

func TestAgentHook(t *testing.T) {
	srv := testkit.Server(t)
	config := testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	states := testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "qcon_state"})
	ctx := testkit.Context(t)
	c := clitest.New(t, group()).Server(srv.URL())
	hook := c.Path("hook")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nread line\necho \"$line\" >> "+c.Path("seen")+"\ncase \"$line\" in *bad*) echo no good >&2; exit 5;; esac\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	run := c.Start("fleet agent --id d1 --state d --config-file c.json --config-hook '" + hook + "'").Says("joined")
	put := func(value string) {
		t.Helper()
		if _, err := config.Put(ctx, "device.d1", []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	state := func(ok func(fleet.ConfigState) bool) {
		t.Helper()
		testkit.Eventually(t, within, "the state", func() bool {
			var s fleet.ConfigState
			e, err := states.Get(ctx, "config.d1")
			return err == nil && json.Unmarshal(e.Value(), &s) == nil && ok(s)
		})
	}
	put(`{"a":1}`)
	state(func(s fleet.ConfigState) bool { return string(s.Config) == `{"a":1}` && s.Error == "" })
	put(`{"a":"bad"}`)
	state(func(s fleet.ConfigState) bool {
		return string(s.Config) == `{"a":1}` && strings.Contains(s.Error, "exit status 5")
	})
	run.Says("no good")
	if text, err := os.ReadFile(c.Path("c.json")); string(text) != "{\"a\":1}\n" {
		t.Errorf("%s %v", text, err)
	}
	if r := run.Interrupt(); r.Code != fail.OK {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
}

func TestAgentMistakes(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, group()).Server(testkit.Dead(t))
	c.Fails(fail.Usage, "fleet agent --id a.b", "--id", "a.b")
	c.Fails(fail.Usage, "fleet agent --service a.b", "--service")
	c.Fails(fail.Usage, "fleet agent --allow bin/x", "--allow", "absolute")
	c.Fails(fail.Usage, `fleet agent --config-hook " "`, "--config-hook")
	c.Fails(fail.Usage, "fleet agent --output-limit 1GB", "--output-limit")
	c.Fails(fail.Unreachable, "fleet agent --state d --no-wait", "127.0.0.1")
	c.Fails(fail.Unreachable, "fleet simulate --devices 2 --no-wait", "127.0.0.1")
	if err := os.WriteFile(filepath.Join(c.Path("d"), "id"), []byte("no id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "fleet agent --state d", "no id", "--id ID")
	run := c.Start("fleet agent --state e").Says("Device ")
	if r := run.Interrupt(); r.Code != fail.OK {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
}

func TestAgentParses(t *testing.T) {
	t.Parallel()
	o, err := clitest.Parse[agentOptions](t, group(), "fleet agent --id x --label a=b --label c=d --allow ls --allow '/usr/bin/*' --config-hook 'reload --now \"a b\"' --output-limit 1KiB")
	if err != nil {
		t.Fatal(err)
	}
	if o.id != "x" || o.labels["c"] != "d" || len(o.allow) != 2 || len(o.hook) != 3 || o.hook[2] != "a b" || o.outputLimit != 1024 || o.name != "qcon" || o.interval != time.Second {
		t.Errorf("%+v", o)
	}
}

func TestSimulate(t *testing.T) {
	srv := testkit.Server(t)
	c := clitest.New(t, group()).Server(srv.URL())
	run := c.Start("fleet simulate --devices 4 --hardware-seed 7").Says("4 devices joined")
	nc := srv.Conn()
	inbox := nc.NewInbox()
	answers := testkit.Subscribe(t, nc, inbox)
	if err := nc.PublishRequest("qcon.device_info", inbox, nil); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		var info fleet.Info
		if err := json.Unmarshal(answers.Next().Data, &info); err != nil || info.Labels["simulated"] != "true" {
			t.Errorf("%+v %v", info, err)
		}
	}
	r := run.Interrupt()
	if r.Code != fail.OK || !strings.Contains(r.Err, "Messages sent") {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
	r = c.OK("fleet simulate --devices 2 --duration 10ms --json")
	lines := strings.Split(strings.TrimSpace(r.Out), "\n")
	var last status
	if len(lines) != 2 || json.Unmarshal([]byte(lines[1]), &last) != nil || last.Devices != 2 {
		t.Errorf("%q", lines)
	}
	late := c.Server(testkit.Dead(t)).Start("fleet simulate --devices 2")
	if r := late.Interrupt(); r.Code != fail.OK {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
}

func TestViews(t *testing.T) {
	viewtest.Golden(t, "simulate", status{Count: sim.Count{Devices: 1000, Connected: 998, Sent: 1234567, Received: 54321, Waiting: 12, Lost: 3, Applied: 998, Troubled: 2},
		Elapsed: 90 * time.Second, Service: "qcon"})
	viewtest.Golden(t, "agent", joined{Info: fleet.Info{ID: "d1", Instance: "QDDvFsbj3oVQrLxsTnIQ2n", Nickname: "rosy", Model: "Raspberry Pi 5 Model B", OS: fleet.OS{Name: "Linux", Version: "6.12.20"},
		Arch: "arm64", CPUs: 4, Memory: 8 << 30, Labels: map[string]string{"site": "north"}, Version: "1.0.0", Server: "hub", Domain: "cloud", Started: viewtest.Now}, Service: "qcon", State: "/var/lib/device"})
}
