package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// setup is a server with the buckets and streams of a fleet, and n devices that have registered.
func setup(t *testing.T, n int) (*clitest.CLI, *control.Fleet, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t)
	f := fleettest.Fleet(t, srv)
	ids := []string{}
	for _, d := range fleettest.Devices(t, srv.URL(), n) {
		ids = append(ids, d.Info().ID)
	}
	fleettest.Registered(t, f, ids...)
	return clitest.New(t, Command()).Server(srv.URL()), f, srv
}

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

func TestLs(t *testing.T) {
	t.Parallel()
	c, _, srv := setup(t, 3)
	says(t, c.OK("fleet ls").Out, "│ d1 │ nick-d1  │ Box   │ Linux 6.1", "│ d2 │ nick-d2  │ Box   │ Android 6.1", "now")
	equal(t, c.OK(`fleet ls --where 'os.name == "Android"' --names`).Out, "d2\n")
	equal(t, c.OK(`fleet ls --jq '.[2] | .id, .live, .server'`).Out, "d3\ntrue\ntest\n")
	c.Fails(fail.Usage, "fleet ls --where 'os.nmae == 1'", "column 4", "\n    os.nmae == 1\n       ^")
	c.Fails(fail.Usage, "fleet ls --service 'a b'", "service name")
	fleettest.Device(t, srv.URL(), "x9")
	says(t, c.OK("fleet ls").Out, "x9")
}

func TestLsShowsTheSilent(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	f := fleettest.Fleet(t, srv)
	d := fleettest.Device(t, srv.URL(), "d1")
	fleettest.Registered(t, f, "d1")
	fleettest.Stop(t, d)
	c := clitest.New(t, Command()).Server(srv.URL())
	says(t, c.OK("fleet ls").Out, "d1", " ago")
	equal(t, c.OK("fleet ls --jq '.[] | .id, .live, (.last_seen != null)'").Out, "d1\nfalse\ntrue\n")
	c.Fails(fail.NoAnswer, "fleet query", "no device answered", "was last seen")
	says(t, c.OK("fleet info nick-d1").Out, "Information for Device d1", "ago")
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	for _, srv := range []*testkit.NATS{testkit.Server(t), testkit.Server(t, testkit.WithoutJetStream())} {
		c := clitest.New(t, Command()).Server(srv.URL())
		says(t, c.OK("fleet ls").Out, "No devices of qcon are known")
		equal(t, c.OK("fleet ls --json").Out, "[]\n")
		says(t, c.TTY(100).OK("fleet ls").Err, "nats fleet agent")
		c.Fails(fail.NoAnswer, "fleet query 'cpus > 1'", "no device answered", "nats fleet agent")
		c.Fails(fail.NotFound, "fleet info d1", "device d1", "nats fleet agent")
	}
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "fleet ls", "no servers available")
}

func TestDenied(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	c := clitest.New(t, Command()).Server(srv.UserURL("limited"))
	c.Fails(fail.Unreachable, "fleet query --timeout 20s", "ermissions")
}

func TestQuery(t *testing.T) {
	t.Parallel()
	c, _, _ := setup(t, 4)
	r := c.OK(`fleet query 'os.name == "Android" && memory > 4e9'`)
	says(t, r.Out, "│ d2 │", "│ d4 │", "2 devices of 4 that answered")
	if strings.Contains(r.Out, "d1") || r.Err != "" {
		t.Errorf("out %s err %s", r.Out, r.Err)
	}
	equal(t, c.OK(`fleet query 'cpus > 3' --count`).Out, "4\n")
	says(t, c.OK(`fleet query 'cpus > 40'`).Out, "None of 4 devices is selected")
	equal(t, c.OK(`fleet query 'cpus > 40' --json`).Out, "[]\n")
	equal(t, c.OK(`fleet query 'id == "d2"' --select id,os.name,labels.n,memory --format ndjson`).Out, `{"id":"d2","labels":{"n":"2"},"memory":8589934592,"os":{"name":"Android"}}`+"\n")
	equal(t, c.OK(`fleet query 'id == "d2"' --select id,os.name,labels.n,memory,labels --format csv`).Out, "id,os.name,labels.n,memory,labels\nd2,Android,2,8589934592,\"{\"\"n\"\":\"\"2\"\"}\"\n")
	if n := strings.Count(c.OK("fleet query --format ndjson").Out, `"nickname":"nick-d`); n != 4 {
		t.Errorf("%d lines", n)
	}
	r = c.Fails(fail.Partial, "fleet query --expect 6 --timeout 300ms", "4 of 6 devices answered")
	says(t, r.Out, "│ d1 │")
	c.Fails(fail.Partial, "fleet query --expect 6 --idle 200ms --count", "4 of 6 devices answered")
	says(t, c.Run("fleet query '[1][cpus] == 1'").Err, "device d1:")
}

func TestQueryNamesTheSilent(t *testing.T) {
	t.Parallel()
	c, f, srv := setup(t, 2)
	gone := fleettest.Device(t, srv.URL(), "gone")
	fleettest.Registered(t, f, "gone")
	fleettest.Stop(t, gone)
	r := c.Fails(fail.Partial, "fleet query --idle 200ms --format names", "2 of 3 devices answered, silent: gone")
	equal(t, r.Out, "d1\nd2\n")
}

// A bad expression is refused before anything is sent: there is no server to send it to.
func TestBadExpressionsAreRefusedHere(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	c.Fails(fail.Usage, `fleet query 'os.name = "x"'`, "wrong at column 9", "\n    os.name = \"x\"\n            ^", "fields are id, instance")
	c.Fails(fail.Usage, `fleet query 'memory > "x"'`, "column 8")
	c.Fails(fail.Usage, "fleet query --select os.nmae", `no field "os.nmae"`, "os.name")
	c.Fails(fail.Usage, "fleet query --select id --count", "exclude")
	c.Fails(fail.Usage, "fleet query --expect 0", "--expect")
}

func TestInfo(t *testing.T) {
	t.Parallel()
	c, _, _ := setup(t, 2)
	says(t, c.OK("fleet info d2").Out, "Information for Device d2", "Nickname: nick-d2", "Operating System: Android 6.1", "Memory: 8.0 GiB", "Server: test", "Last Seen: now")
	equal(t, c.OK("fleet info nick-d2 --jq .id").Out, "d2\n")
	c.Fails(fail.NotFound, "fleet info nick-d3", "device nick-d3", "nick-d")
	c.Fails(fail.Usage, "fleet info", "device")
}

func TestInit(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	equal(t, c.OK("fleet init --keep 1h --jq '.[] | .name + \" \" + (.created|tostring)'").Out, "config true\nqcon_state true\nqcon_commands true\nqcon_results true\n")
	equal(t, c.OK("fleet init --keep 2h --jq '.[].created'").Out, "false\nfalse\nfalse\nfalse\n")
	s, err := srv.JS().Stream(testkit.Context(t), "qcon_commands")
	if err != nil {
		t.Fatal(err)
	}
	if age := s.CachedInfo().Config.MaxAge; age != time.Hour {
		t.Errorf("max age %s", age)
	}
}

func sample() known {
	seen := viewtest.Now.Add(-time.Hour)
	return known{
		Info: fleet.Info{ID: "n0XLSb", Instance: "Q8", Nickname: "kettle\x1b[31m", Model: "Pixel 9", OS: fleet.OS{Name: "Android", Version: "16"}, Arch: "arm64", CPUs: 8,
			Memory: 8 << 30, Labels: map[string]string{"site": "north", "floor": "2"}, Version: "1.0.0", Server: "hub-1", Cluster: "cloud", Domain: "cloud", Started: viewtest.Now.Add(-2 * time.Hour)},
		LastSeen: &seen, Applied: &applied{Revision: 7, Time: viewtest.Now.Add(-time.Minute)},
	}
}

func TestViews(t *testing.T) {
	silent, live := sample(), sample()
	live.ID, live.Nickname, live.Live, live.LastSeen = "a1", "toaster", true, &viewtest.Now
	live.Applied = &applied{Revision: 6, Time: viewtest.Now, Error: "hook: exit status 1"}
	viewtest.Golden(t, "ls", listing{service: "qcon", all: []known{silent, live}})
	g := control.Gathered{Answered: 3, Expected: 3, Silent: []string{}}
	viewtest.Golden(t, "query", answers{all: []answer{{Info: silent.Info}, {Info: live.Info}}, asked: true, gathered: g})
	fields := []string{"id", "os.name", "labels.site", "cpus"}
	viewtest.Golden(t, "query-select", answers{all: []answer{{silent.Info, fields}, {live.Info, fields}}, fields: fields, asked: true, gathered: g})
	viewtest.Golden(t, "query-count", tallied{2, 3, 4})
	viewtest.Golden(t, "init", places{{Kind: "bucket", Name: "config", Holds: "configuration", Created: true}, {Kind: "stream", Name: "qcon_commands", Holds: "commands"}})
	viewtest.Golden(t, "info", about{known: live,
		Configuration: standing{Status: control.Behind, Keys: map[string]uint64{"all": 7, "device.a1": 9}, Has: map[string]uint64{"all": 6}, Value: []byte(`{"chart_color":"#ff0000"}`)},
		Commands:      []lastCommand{{ID: "c1", Args: []string{"uname", "-a"}, State: fleet.Done, Exit: 1, Issued: viewtest.Now.Add(-time.Minute)}}})
}
