package config

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
}

func equal(t *testing.T, have, want string) {
	t.Helper()
	if have != want {
		t.Errorf("have %q, want %q", have, want)
	}
}

// fleetOf is the group as it stands in the tree.
func fleetOf() command.Node {
	return command.Group{Meta: command.Meta{Name: "fleet", Short: "Fleet"}, Nodes: func() []command.Node { return []command.Node{Command()} }}
}

func cli(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t)
	return clitest.New(t, fleetOf()).Server(srv.URL()), srv
}

func TestSet(t *testing.T) {
	t.Parallel()
	c, srv := cli(t)
	says(t, c.OK("fleet config set chart_color=#ff0000 plot.width=3 plot.label=7up").Out, "--- all, revision 0", "+++ all, revision 1", `+  "chart_color": "#ff0000"`, `+    "width": 3`)
	says(t, c.OK(`fleet config set '{"plot":{"width":4},"big":9007199254740993}'`).Out, `-    "width": 3`, `+    "width": 4`, `     "label": "7up"`)
	equal(t, c.OK("fleet config get --jq .config").Out, `{"big":9007199254740993,"chart_color":"#ff0000","plot":{"label":"7up","width":4}}`+"\n")
	says(t, c.OK("fleet config set chart_color=#ff0000").Out, "Nothing to change: all is as wanted at revision 2")
	r := c.Fails(fail.Failure, "fleet config set a=1 --dry-run")
	says(t, r.Out, `+  "a": 1`, "as it would be")
	equal(t, c.OK("fleet config get --jq .revision").Out, "2\n")
	equal(t, c.Stdin(`{"only":true}`).OK("fleet config set - --replace --jq .after").Out, `{"only":true}`+"\n")
	c.Fails(fail.Failure, "fleet config set a=1 --revision 2", "is at revision 3, not 2")
	c.OK("fleet config set a=null --revision 3")
	equal(t, c.OK("fleet config get --jq .config").Out, `{"a":null,"only":true}`+"\n")
	s, err := srv.JS().KeyValue(testkit.Context(t), "config")
	if err != nil {
		t.Fatal(err)
	}
	if st, err := s.Status(testkit.Context(t)); err != nil || st.History() != 64 {
		t.Errorf("history %v %v", st, err)
	}
	for line, why := range map[string]string{
		"fleet config set":                                "value",
		"fleet config set color":                          "KEY=VALUE",
		"fleet config set '{\"a\":1' ":                    "JSON",
		"fleet config set '{\"a\":1} {}' ":                "more behind it",
		"fleet config set '{}' a=1":                       "stands alone",
		"fleet config set a..b=1":                         "empty",
		"fleet config set a=1 --device d1 --name x":       "exclude",
		"fleet config set a=1 --name 'a b'":               "rule name",
		"fleet config set a=1 --where 'memory >'":         "column",
		"fleet config set a=1 --bucket 'a b'":             "bucket",
		"fleet config history --device d1 --where 'true'": "exclude",
	} {
		c.Fails(fail.Usage, line, why)
	}
	c.Stdin("[1]").Fails(fail.Usage, "fleet config set -", "standard input", "JSON object")
	c.Stdin("null").Fails(fail.Usage, "fleet config set -", "other JSON")
}

func TestRules(t *testing.T) {
	t.Parallel()
	c, _ := cli(t)
	c.Fails(fail.NotFound, "fleet config set a=1 --name phones", "no rule phones", "--where")
	equal(t, c.OK(`fleet config set a=1 --where 'os.name == "Android"' --jq .key`).Out, "where.os-name-android\n")
	equal(t, c.OK(`fleet config set b=2 --where 'os.name == "Android"' --jq .after`).Out, `{"a":1,"b":2}`+"\n")
	r := c.OK(`fleet config set b=2 --where 'os.name != "Android"' --jq .key`)
	if !strings.HasPrefix(r.Out, "where.os-name-android-") {
		t.Errorf("another expression has the key %s", r.Out)
	}
	says(t, c.OK(`fleet config set --name os-name-android --where 'cpus > 2' b=3`).Out, `-where os.name == "Android"`, "+where cpus > 2")
	equal(t, c.OK("fleet config get --name os-name-android --jq '.where + \" \" + (.config|tostring)'").Out, `cpus > 2 {"a":1,"b":3}`+"\n")
	says(t, c.OK("fleet config ls").Out, "where.os-name-android", "cpus > 2")
	equal(t, c.OK("fleet config ls --bucket other --json").Out, "[]\n")
}

func TestHistoryAndRevert(t *testing.T) {
	t.Parallel()
	c, _ := cli(t)
	c.Fails(fail.NotFound, "fleet config history", "no configuration all")
	c.Fails(fail.NotFound, "fleet config revert", "no configuration all")
	c.Fails(fail.NotFound, "fleet config get", "no configuration all")
	c.OK("fleet config set n=1")
	c.Fails(fail.NotFound, "fleet config revert", "no earlier revision")
	c.OK("fleet config set n=2")
	c.OK("fleet config set n=3")
	says(t, c.OK("fleet config history").Out, "│        1 │", `{"n":1}`, `{"n":3}`)
	says(t, c.OK("fleet config revert").Out, `-  "n": 3`, `+  "n": 2`, "+++ all, revision 4")
	says(t, c.OK("fleet config revert 1").Out, `+  "n": 1`)
	c.Fails(fail.NotFound, "fleet config revert 77", "no revision 77", "history")
	equal(t, c.OK("fleet config get --revision 3 --jq .config.n").Out, "3\n")
	c.Answers(prompttest.None()).Fails(fail.Usage, "fleet config unset", "--force")
	c.Fails(fail.NotFound, "fleet config unset m", "has no m")
	c.OK("fleet config unset --force")
	c.Fails(fail.NotFound, "fleet config get", "no configuration all")
	c.Fails(fail.NotFound, "fleet config unset n", "no configuration all")
	says(t, c.OK("fleet config revert").Out, `+  "n": 1`)
	says(t, c.OK("fleet config unset n").Out, `-  "n": 1`)
	equal(t, c.OK("fleet config history --jq '.[].op'").Out, strings.Repeat("PUT\n", 5)+"DELETE\nPUT\nPUT\n")
}

// Twenty operators change a key each at the same time: none of the changes is lost.
func TestConcurrentEditsAreNotLost(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	f := fleettest.Fleet(t, srv)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, err := f.Change(testkit.Context(t), "all", control.ChangeOptions{Redo: true}, func(now control.Layer) (control.Layer, error) {
				doc := map[string]any{}
				if len(now.Config) > 0 {
					var err error
					if doc, err = control.Object(now.Config); err != nil {
						return now, err
					}
				}
				doc[string(rune('a'+i))] = i
				text, err := json.Marshal(doc)
				return control.Layer{Config: text}, err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	l, err := f.Layer(testkit.Context(t), "all", 0)
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := control.Object(l.Config); err != nil || len(doc) != 20 {
		t.Errorf("%s %v", l.Config, err)
	}
}

func TestDevicesApply(t *testing.T) {
	t.Parallel()
	c, srv := cli(t)
	f := fleettest.Fleet(t, srv)
	devices := fleettest.Devices(t, srv.URL(), 3)
	fleettest.Registered(t, f, "d1", "d2", "d3")
	says(t, c.OK("fleet config set color=red --wait --within 30s").Out, "Applied by 3 devices of 3")
	r := c.OK(`fleet config set color=blue --where 'os.name == "Android"' --wait --within 30s --jq '.devices[] | .id + " " + .state'`)
	equal(t, r.Out, "d2 applied\n")
	equal(t, string(devices[1].State().Config), `{"color":"blue"}`)
	c.OK("fleet config set color=null --device nick-d3 --wait --within 30s")
	equal(t, string(devices[2].State().Config), `{}`)
	equal(t, c.OK("fleet config state --jq '.[] | .id + \" \" + .state + \" \" + (.wanted|tostring) + \" \" + (.revision|tostring)'").Out, "d1 current 1 1\nd2 current 2 2\nd3 current 3 3\n")
	says(t, c.OK("fleet config state").Out, "3 current, 0 behind")
	equal(t, c.OK("fleet config state --device d2 --jq '.[].keys'").Out, `{"all":1,"where.os-name-android":2}`+"\n")
	fleettest.Stop(t, devices[0])
	r = c.Fails(fail.Partial, "fleet config set color=green --wait --within 200ms --idle 200ms", "not applied within", "by d1")
	says(t, r.Out, "d1: has not applied it yet")
	testkit.Eventually(t, fleettest.Within, "the others to apply it", func() bool {
		return c.OK("fleet config state --jq '[.[] | .state] | join(\" \")'").Out == "behind current current\n"
	})
	says(t, c.OK("fleet config unset --device d3 --force --wait --within 30s").Out, "Applied by 1 device of 1")
	says(t, c.OK("fleet config set x=1 --device later").Err, "has not been seen")
	c.Fails(fail.NotFound, "fleet config state --device d9", "device d9")
}

func TestDevicesThatCannotApply(t *testing.T) {
	t.Parallel()
	c, srv := cli(t)
	f := fleettest.Fleet(t, srv)
	fleettest.Device(t, srv.URL(), "picky", func(o *device.Options) {
		o.Apply = func(_ context.Context, conf json.RawMessage) error {
			if strings.Contains(string(conf), "bad") {
				return errors.New("hook: exit status 3")
			}
			return nil
		}
	})
	fleettest.Registered(t, f, "picky")
	c.OK("fleet config set color=good --wait --within 30s")
	r := c.Fails(fail.Partial, "fleet config set color=bad --wait --within 30s", "failed on picky")
	says(t, r.Out, "picky: failed: hook: exit status 3")
	says(t, c.OK("fleet config state").Out, "failed", "hook: exit status 3")
}

func TestWatch(t *testing.T) {
	t.Parallel()
	c, srv := cli(t)
	c.Fails(fail.NotFound, "fleet config watch", "bucket", "nats fleet init")
	fleettest.Fleet(t, srv)
	w := c.Start("fleet config watch --present --format ndjson")
	text := c.Start("fleet config watch")
	text.Says("Watching the configuration")
	only := c.Start("fleet config watch --present --device d1 --count 1 --jq .kind")
	fleettest.Device(t, srv.URL(), "d1")
	c.OK("fleet config set n=1")
	w.Says(`"kind":"applied"`)
	text.Says("device d1 applied revision 1")
	c.OK("fleet config unset --force")
	text.Says("all removed")
	r := text.Interrupt()
	if r.Code != fail.OK {
		t.Errorf("ended with %d: %s", r.Code, r.Err)
	}
	says(t, r.Out, `all revision 1 {"n":1}`)
	w.Interrupt()
	equal(t, only.Wait().Out, "applied\n")
}

func TestViews(t *testing.T) {
	at := viewtest.Now.Add(-time.Minute)
	doc := document{Key: "where.phones", Where: `os.name == "Android"`, Revision: 7, Time: at, Config: json.RawMessage(`{"chart_color":"#ff0000","n":5}`)}
	viewtest.Golden(t, "get", doc)
	viewtest.Golden(t, "ls", documents{bucket: "config", all: []document{doc}})
	before := control.Layer{Key: "all", Config: []byte(`{"color":"red","n":1}`), Revision: 6}
	after := control.Layer{Key: "all", Config: []byte(`{"color":"blue","n":1}`), Revision: 7}
	v := newChanged(control.Change{Before: before, After: after, Written: true}, false)
	v.Devices = []outcome{{ID: "d1", State: "applied"}, {ID: "d2", State: "failed", Error: "hook\x1b: exit status 1"}, {ID: "d3", State: "silent"}}
	viewtest.Golden(t, "set", v)
	viewtest.Golden(t, "set-dry-run", newChanged(control.Change{Before: before, After: after}, true))
	viewtest.Golden(t, "history", revisions{key: "all", all: []revision{{6, at, store.Put, "", json.RawMessage(`{"n":1}`), ""}, {7, at, store.Delete, "", json.RawMessage("null"), ""}}})
	viewtest.Golden(t, "state", states{
		{ID: "d1", Nickname: "toaster", State: control.Current, Wanted: 7, Revision: 7, Keys: map[string]uint64{"all": 7}, Has: map[string]uint64{"all": 7}, Time: &at},
		{ID: "d2", Nickname: "kettle", State: control.Failed, Wanted: 7, Revision: 6, Keys: map[string]uint64{"all": 7}, Has: map[string]uint64{"all": 6}, Time: &at, Error: "hook: exit status 1"},
		{ID: "d3", State: control.Unheard, Wanted: 7, Keys: map[string]uint64{"all": 7}, Has: map[string]uint64{}},
	})
	viewtest.Golden(t, "watch", event{Time: at, Kind: "changed", Key: "all", Revision: 7, Config: json.RawMessage(`{"n":1}`)})
	viewtest.Golden(t, "watch-applied", event{Time: at, Kind: "applied", Device: "d1", Revision: 7, Keys: map[string]uint64{"all": 7}})
}
