package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type infoOptions struct {
	service fleetcmd.Service
	asking  fleetcmd.Asking
	id      string
}

func infoVerb() command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "info", Aliases: []string{"i"}, Short: "Show all about one device",
			Long: "What the device says of itself now, or said last, how it stands to the configuration that is there for it, and its latest commands.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: about{},
		Examples: []command.Example{
			{Line: "nats fleet info d1", Says: "Information for Device d1"},
			{Line: "nats fleet info nick-d1 --jq .os.name", About: "One fact about one device, by its nickname", Says: "Linux"},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			c.Arg("device", "The device, by its id or nickname").Required().StringVar(&o.id)
			o.service.BindBucket(c)
			o.asking.Bind(c)
		},
		Check: func(o *infoOptions) error { return o.service.Check() },
		Run:   runInfo,
	}
}

// about is all about one device.
type about struct {
	known
	Configuration standing      `json:"configuration"`
	Commands      []lastCommand `json:"commands"` // newest first
}

// standing is how a device stands to its configuration.
type standing struct {
	Status control.Standing  `json:"status"`
	Keys   map[string]uint64 `json:"keys"`            // that are for it, and their revisions
	Has    map[string]uint64 `json:"has"`             // that it has applied
	Value  json.RawMessage   `json:"value,omitempty"` // what it has applied
}

// lastCommand is a command on this device.
type lastCommand struct {
	ID     string      `json:"id"`
	Args   []string    `json:"args"`
	State  fleet.State `json:"state"`
	Exit   int         `json:"exit"`
	Issued time.Time   `json:"issued"`
	Error  string      `json:"error,omitempty"`
}

// View draws a section for each.
func (a about) View(p *render.Page) {
	p.Heading("Information for Device %s", render.Key(a.ID))
	p.Field("Nickname", a.Nickname)
	p.FieldIf(a.Model != "", "Model", a.Model)
	p.FieldIf(a.OS.Name != "", "Operating System", system(a.OS))
	p.FieldIf(a.Arch != "", "Architecture", a.Arch)
	p.FieldIf(a.CPUs > 0, "CPUs", render.Count(a.CPUs))
	p.FieldIf(a.Memory > 0, "Memory", render.Bytes(a.Memory))
	p.FieldIf(len(a.Labels) > 0, "Labels", labels(a.Labels))
	p.FieldIf(a.Version != "", "Version", a.Version)
	p.Field("Last Seen", a.seen(false))
	p.FieldIf(!a.Started.IsZero(), "Started", render.At(a.Started))
	p.FieldIf(a.Trouble != "", "Trouble", render.Warn(a.Trouble))
	p.Section("Connection")
	p.Field("Server", a.Server)
	p.FieldIf(a.Cluster != "", "Cluster", a.Cluster)
	p.FieldIf(a.Domain != "", "Domain", a.Domain)
	p.FieldIf(a.Instance != "", "Service Instance", a.Instance)
	p.Section("Configuration")
	p.Field("State", fleetcmd.Standing(a.Configuration.Status))
	for _, key := range slices.Sorted(maps.Keys(a.Configuration.Keys)) {
		has := any(render.Warn("not applied"))
		if r, ok := a.Configuration.Has[key]; ok && r == a.Configuration.Keys[key] {
			has = render.Good("applied")
		} else if ok {
			has = render.Warn(fmt.Sprintf("revision %d is applied", r))
		}
		p.Field(key, render.Sprintf("revision %d, %s", a.Configuration.Keys[key], has))
	}
	if a.Applied != nil {
		p.Field("Applied", render.At(a.Applied.Time))
		p.FieldIf(a.Applied.Error != "", "Error", render.Bad(a.Applied.Error))
	}
	if len(a.Configuration.Value) > 0 && string(a.Configuration.Value) != "null" {
		p.Gap()
		p.Text(string(control.Canonical(a.Configuration.Value)))
	}
	if len(a.Commands) > 0 {
		p.Gap()
		t := p.Table("Latest Commands", render.Column{Name: "ID"}, render.Column{Name: "Command", Elide: render.End}, render.Column{Name: "State"}, render.Column{Name: "Exit"}, render.Column{Name: "Issued"})
		for _, c := range a.Commands {
			exit := ""
			if c.State == fleet.Done {
				exit = fmt.Sprint(c.Exit)
			}
			t.Row(c.ID, strings.Join(c.Args, " "), string(c.State), exit, render.Since(c.Issued))
		}
	}
}

// latest is how many commands of a device are shown.
const latest = 10

func runInfo(ctx context.Context, e *env.Env, o infoOptions) error {
	return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
		all, err := f.Devices(ctx, fleet.Selector{}, o.asking.Patience(e))
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return control.Unknown(o.id, nil).WithHint("no device is known: %s", fleetcmd.NoDevices)
		}
		d, err := fleetcmd.Named(o.id, all)
		if err != nil {
			return err
		}
		out := about{known: newKnown(d), Commands: []lastCommand{}}
		applied, applyErr := f.Standings(ctx, []control.Device{d})
		statuses, err := f.Commands(ctx)
		if err := errors.Join(applyErr, err); err != nil {
			return err
		}
		out.Configuration = standing{Status: applied[0].Status, Keys: applied[0].Wants, Has: map[string]uint64{}}
		if d.Conf != nil {
			out.Configuration.Has, out.Configuration.Value = d.Conf.Keys, d.Conf.Config
		}
		for _, s := range statuses {
			for _, p := range s.Devices {
				if p.Device == d.Info.ID && len(out.Commands) < latest {
					out.Commands = append(out.Commands, lastCommand{s.ID, s.Args, p.State, p.Exit, s.Issued, p.Error})
				}
			}
		}
		return e.Out.Print(out)
	})
}
