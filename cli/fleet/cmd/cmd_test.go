package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/prompt/prompttest"
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

// setup is a server with the devices d1 … that have registered.
func setup(t *testing.T, n int) (*clitest.CLI, *control.Fleet, []*device.Device, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t)
	f := fleettest.Fleet(t, srv)
	devices, ids := fleettest.Devices(t, srv.URL(), n), []string{}
	for _, d := range devices {
		ids = append(ids, d.Info().ID)
	}
	fleettest.Registered(t, f, ids...)
	group := command.Group{Meta: command.Meta{Name: "fleet", Short: "Fleet"}, Nodes: func() []command.Node { return []command.Node{Command()} }}
	return clitest.New(t, group).Server(srv.URL()).Answers(prompttest.None()), f, devices, srv
}

func TestSendAndWait(t *testing.T) {
	t.Parallel()
	c, _, _, _ := setup(t, 3)
	r := c.OK("fleet command send --all --force --wait --output -- echo -n hello '$HOME'")
	says(t, r.Out, "echo -n hello $HOME", "│ d1     │ done  │ 0    │", "d3 stdout:", "hello $HOME")
	says(t, r.Err, "queued for 3 devices", "d2: done, exit code 0")
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	c, f, devices, srv := setup(t, 3)
	r := c.Fails(fail.Failure, "fleet command send --device nick-d2 --wait --format ndjson -- sh -c 'echo oops >&2; exit 3'", "failed on d2", "command status")
	says(t, r.Out, `"state":"done","exit":3`, `"stderr":"oops\n"`, `"live":true`)
	equal(t, c.Fails(fail.Failure, "fleet command send --device d1 --wait --jq '.devices[0] | .state, .error' -- rm -rf x", "failed on d1").Out, `refused
"rm" is not on this device's allow list
`)
	fleettest.Stop(t, devices[0])
	r = c.Fails(fail.Partial, "fleet command send --all --force --wait --within 1s --idle 200ms --id mixed -- sh -c 'exit 0'", "no end yet on d1")
	says(t, r.Out, "offline: runs when it is back", "│ d2     │ done")
	c.Fails(fail.NoAnswer, "fleet command send --device d1 --wait --within 200ms --idle 200ms -- echo 1", "no end yet on d1")
	says(t, c.OK("fleet command send --device d1 --idle 200ms --id again -- echo back").Out, "queued for 1 device", "Offline, so that it runs when they are back: d1")
	says(t, c.OK("fleet command send --device d1 --idle 200ms --id again -- echo back").Out, "queued for 0 devices", "1 device had it already")
	equal(t, c.OK("fleet command status again --jq '.devices[].state'").Out, "queued\n")
	fleettest.Device(t, srv.URL(), "d1")
	says(t, c.OK("fleet command status again --wait --within 30s --output").Out, "│ d1     │ done", "back")
	says(t, c.OK("fleet command status mixed --wait --within 30s").Out, "Command mixed: sh -c exit 0", "│ d1     │ done")
	says(t, c.OK("fleet command ls").Out, "│ mixed", "sh -c exit 0")
	equal(t, c.OK("fleet command ls --jq '.[] | select(.id == \"mixed\") | .devices, .failed, .states.done'").Out, "3\n0\n3\n")
	if s := testkit.State(t, f.JS, "qcon_results"); s.NumSubjects != s.Msgs {
		t.Errorf("%d results for %d subjects", s.Msgs, s.NumSubjects)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c, _, _, srv := setup(t, 2)
	for line, why := range map[string]string{
		"fleet command send -- echo":                               "say which devices",
		"fleet command send --all --device d1 -- echo":             "one of them",
		"fleet command send --all":                                 "argv",
		"fleet command send --all -- echo":                         "--force",
		"fleet command send --device d1 --id 'a b' -- echo":        "command id",
		"fleet command send --device d1 --output -- echo":          "--wait",
		"fleet command send --where 'cpus >' -- echo":              "column",
		"fleet command send --device d1 --expires 0s -- echo":      "--expires",
		"fleet command send --device d1 --run-timeout -1s -- echo": "--run-timeout",
		"fleet command status 'a.b'":                               "command id",
		"fleet command status":                                     "id",
		"fleet command cancel 'a b'":                               "command id",
	} {
		c.Fails(fail.Usage, line, why)
	}
	c.Fails(fail.NotFound, "fleet command send --device d7 -- echo", "device d7", "d1")
	c.Fails(fail.NotFound, "fleet command send --where 'cpus > 99' -- echo", "no device is meant")
	c.Fails(fail.NotFound, "fleet command status none", "command none", "fleet command ls")
	c.Fails(fail.NotFound, "fleet command cancel none", "command none")
	says(t, c.OK("fleet command ls").Out, "There are no commands")
	c.Answers(prompttest.Scripted(t, false)).Fails(fail.Declined, "fleet command send --all -- echo")
	if s := testkit.State(t, srv.JS(), "qcon_commands"); s.Msgs != 0 {
		t.Errorf("%d commands were sent", s.Msgs)
	}
	says(t, c.OK("fleet command send --device later --unseen -- echo").Out, "queued for 1 device")
}

func TestExpired(t *testing.T) {
	t.Parallel()
	c, _, devices, srv := setup(t, 1)
	fleettest.Stop(t, devices[0])
	c.OK("fleet command send --device d1 --expires 1ms --idle 100ms --id late -- echo")
	fleettest.Device(t, srv.URL(), "d1")
	r := c.Fails(fail.Failure, "fleet command status late --wait --within 30s")
	says(t, r.Out, "expired")
}

func TestCancel(t *testing.T) {
	t.Parallel()
	c, f, devices, srv := setup(t, 3)
	fleettest.Stop(t, devices[2])
	c.OK("fleet command send --all --force --idle 200ms --id nap -- sleep 60")
	testkit.Eventually(t, fleettest.Within, "two to run", func() bool {
		s, err := f.Command(testkit.Context(t), "nap")
		return err == nil && s.Counts()[fleet.Running] == 2
	})
	r := c.OK("fleet command cancel nap --jq '.devices[] | .device + \" \" + .state + \" \" + (.offline|tostring)'")
	equal(t, r.Out, "d1 cancelled false\nd2 cancelled false\nd3 cancelled true\n")
	if n := testkit.State(t, srv.JS(), "qcon_commands").Msgs; n != 2 {
		t.Errorf("%d commands are left", n)
	}
	says(t, c.OK("fleet command status nap").Out, "sleep 60", "cancelled")
	// The device that was away has nothing to run when it is back: the next command is the first it sees.
	fleettest.Device(t, srv.URL(), "d3")
	c.OK("fleet command send --device d3 --wait --within 30s --id next -- echo")
	equal(t, c.OK("fleet command status nap --jq '[.devices[] | .state] | unique | .[]'").Out, "cancelled\n")
	c.Fails(fail.Failure, "fleet command cancel next", "not cancelled on d3")
	c.OK("fleet command send --device d1 --id quick --wait --within 30s -- echo")
	c.OK("fleet command cancel nap")
}

func TestViews(t *testing.T) {
	at, end, three, zero := viewtest.Now.Add(-time.Minute), viewtest.Now.Add(-57*time.Second), 3, 0
	yes, no := true, false
	w := whole{ID: "Jr8sYx", Args: []string{"uname", "-a"}, Issued: at, Expires: &viewtest.Now, outputs: true, Devices: devices{
		{Device: "d1", State: fleet.Done, Exit: &zero, Started: &at, Ended: &end, Stdout: "Linux \x1b[31mred\n", Live: &yes},
		{Device: "d2", State: fleet.Done, Exit: &three, Started: &at, Ended: &end, StderrBase64: []byte{0xff, 'x'}, Lost: 12, Live: &yes},
		{Device: "d3", State: fleet.Queued, Live: &no},
		{Device: "d4", State: fleet.Refused, Error: `"uname" is not on this device's allow list`, Ended: &end},
	}}
	viewtest.Golden(t, "status", w)
	s := sent{whole{ID: w.ID, Args: w.Args, Issued: at, Devices: devices{{Device: "d1", State: fleet.Queued, Live: &yes}, {Device: "d3", State: fleet.Queued, Live: &no}, {Device: "d4", State: fleet.Queued, Live: &yes, Duplicate: true}}}}
	viewtest.Golden(t, "send", s)
	viewtest.Golden(t, "ls", list{{ID: w.ID, Args: w.Args, Issued: at, Devices: 5, Failed: 2, States: map[fleet.State]int{fleet.Done: 3, fleet.Queued: 1, fleet.Cancelled: 1}}})
	viewtest.Golden(t, "cancel", cancelled{ID: w.ID, Devices: []back{{Device: "d1", State: fleet.Cancelled, Cancelled: true}, {Device: "d2", State: fleet.Done, Reason: "too late: it is done"}}})
}
