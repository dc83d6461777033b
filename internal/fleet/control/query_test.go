package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/testkit"
)

// long is patience that no test should need to the end.
var long = control.Patience{Timeout: fleettest.Within}

func matching(t *testing.T, f *control.Fleet, expr string, p control.Patience) ([]string, control.Gathered) {
	t.Helper()
	var ids []string
	g, err := f.Query(testkit.Context(t), expr, p, func(a fleet.Answer) error {
		if a.Match {
			ids = append(ids, a.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids, g
}

func TestQuery(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	srv := testkit.Server(t)
	f := fleettest.Fleet(t, srv)
	devices := fleettest.Devices(t, srv.URL(), 5)
	p := long
	p.Expect = 5
	ids, g := matching(t, f, `os.name == "Android" && memory > 4e9`, p)
	if strings.Join(ids, " ") != "d2 d4" || g.Answered != 5 || !g.Complete() {
		t.Errorf("%v %+v", ids, g)
	}
	if ids, _ := matching(t, f, "", p); len(ids) != 5 {
		t.Errorf("an empty expression selects %v", ids)
	}
	fleettest.Registered(t, f, "d1", "d2", "d3", "d4", "d5")
	known, err := f.Registry(testkit.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	p = long
	p.Known = control.IDs(known)
	if ids, g := matching(t, f, "cpus == 4", p); len(ids) != 5 || g.Expected != 5 || !g.Complete() {
		t.Errorf("%v %+v", ids, g)
	}
	fleettest.Stop(t, devices[2])
	p.Quiet = 200 * time.Millisecond
	if ids, g := matching(t, f, "cpus == 4", p); strings.Join(ids, " ") != "d1 d2 d4 d5" || strings.Join(g.Silent, " ") != "d3" || g.Complete() {
		t.Errorf("%v %+v", ids, g)
	}
	all, err := f.Devices(testkit.Context(t), fleet.Selector{}, p)
	if err != nil || len(all) != 5 || all[2].Live || !all[1].Live || all[2].Seen.IsZero() {
		t.Errorf("%+v %v", all, err)
	}
}

func TestAnswersCountOncePerDevice(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	f := fleettest.Bare(t, srv)
	var strange []string
	f.Strange = func(reason string) { strange = append(strange, reason) }
	_, err := srv.Conn().Subscribe("qcon.query", func(m *nats.Msg) {
		info := fleet.Info{ID: "a"}
		for _, a := range []any{
			fleet.Answer{ID: "a", Match: true, Info: &info}, fleet.Answer{ID: "a", Match: true, Info: &info}, "text", fleet.Answer{ID: "no id"},
			fleet.Answer{ID: "b", Match: true, Info: &info}, fleet.Answer{ID: "c", Error: "cannot"},
		} {
			body, err := json.Marshal(a)
			if err != nil {
				t.Error(err)
			}
			if err := m.Respond(body); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	p := long
	p.Expect = 2
	ids, g := matching(t, f, "", p)
	if strings.Join(ids, " ") != "a" || g.Answered != 2 || len(strange) != 3 {
		t.Errorf("%v %+v %q", ids, g, strange)
	}
}

func TestQueryEnds(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	srv := testkit.Server(t)
	f := fleettest.Bare(t, srv)
	p := long
	p.Known = []string{"gone"}
	if ids, g := matching(t, f, "", p); len(ids) > 0 || g.Answered != 0 || strings.Join(g.Silent, " ") != "gone" {
		t.Errorf("nobody listens: %v %+v", ids, g)
	}
	testkit.Subscribe(t, srv.Conn(), "qcon.query") // someone who never answers
	short := control.Patience{Timeout: 50 * time.Millisecond, Expect: 3}
	if _, g := matching(t, f, "", short); g.Answered != 0 || g.Expected != 3 || g.Complete() {
		t.Errorf("after the timeout: %+v", g)
	}
	ctx, cancel := context.WithCancelCause(testkit.Context(t))
	why := errors.New("enough")
	cancel(why)
	if _, err := f.Query(ctx, "", long, nil); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
	fleettest.Device(t, srv.URL(), "d1")
	if _, err := f.Query(testkit.Context(t), "", long, func(fleet.Answer) error { return why }); !errors.Is(err, why) {
		t.Errorf("an error of the reader: %v", err)
	}
}
