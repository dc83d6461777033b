package fleetcmd

import (
	"context"
	"slices"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
)

// Targets are the devices that a command is for.
type Targets struct {
	Devices []string // ids or nicknames
	Where   string
	All     bool

	sel fleet.Selector
}

// Bind declares --device, --where and --all.
func (t *Targets) Bind(c *fisk.CmdClause) {
	c.Flag("device", "This device, by its id or nickname; may be repeated").PlaceHolder("ID").StringsVar(&t.Devices)
	c.Flag("where", "The devices that the expression selects").PlaceHolder("EXPR").StringVar(&t.Where)
	c.Flag("all", "All devices").UnNegatableBoolVar(&t.All)
}

// Check wants one way of saying who is meant.
func (t *Targets) Check() error {
	ways := 0
	for _, given := range []bool{len(t.Devices) > 0, t.Where != "", t.All} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return fail.Usagef("say which devices: --device ID, --where EXPR or --all, one of them")
	}
	var err error
	t.sel, err = Compile(t.Where)
	return err
}

// Resolve finds the devices that are meant among those that are known or answer now. Not to know one that was named is an error, unless
// unseen allows its id; such a device has nothing but an id.
func (t *Targets) Resolve(ctx context.Context, f *control.Fleet, p control.Patience, unseen bool) ([]control.Device, error) {
	found, err := f.Devices(ctx, t.sel, p)
	if err != nil {
		return nil, err
	}
	if len(t.Devices) == 0 {
		if len(found) == 0 {
			return nil, fail.NotFoundf("no device is meant by that: none is known that it selects").WithHint("nats fleet ls shows the devices; " + NoDevices)
		}
		return found, nil
	}
	out := []control.Device{}
	for _, name := range t.Devices {
		d, err := Named(name, found)
		if err != nil && (!unseen || fleet.CheckID(name) != nil) {
			return nil, err
		}
		if err != nil {
			d.Info.ID = name
		}
		if !slices.ContainsFunc(out, func(o control.Device) bool { return o.Info.ID == d.Info.ID }) {
			out = append(out, d)
		}
	}
	return out, nil
}

// Named is the device of an id, or of a nickname that one device alone has.
func Named(name string, among []control.Device) (control.Device, error) {
	var same []control.Device
	known := []string{}
	for _, d := range among {
		if d.Info.ID == name {
			return d, nil
		}
		if d.Info.Nickname == name {
			same = append(same, d)
		}
		known = append(known, d.Info.ID, d.Info.Nickname)
	}
	switch len(same) {
	case 0:
		return control.Device{}, control.Unknown(name, known)
	case 1:
		return same[0], nil
	}
	ids := []string{}
	for _, d := range same {
		ids = append(ids, d.Info.ID)
	}
	return control.Device{}, fail.Usagef("%d devices have the nickname %s: %s", len(same), name, List(ids)).WithHint("name one by its id")
}

// Live are the ids of those of the devices that answer now, and those that do not.
func Live(devices []control.Device) (live, silent []string) {
	live, silent = []string{}, []string{}
	for _, d := range devices {
		if d.Live {
			live = append(live, d.Info.ID)
		} else {
			silent = append(silent, d.Info.ID)
		}
	}
	return live, silent
}

// Missing is the error when some devices did not answer, naming them when they are known; nil when all did.
func Missing(g control.Gathered) error {
	switch {
	case g.Answered == 0:
		err := fail.Newf(fail.NoAnswer, "no device answered")
		if g.Expected > 0 {
			return err.WithHint("nats fleet ls shows when each was last seen")
		}
		return err.WithHint(NoDevices)
	case g.Complete():
		return nil
	case len(g.Silent) > 0:
		return fail.Partialf("%d of %d devices answered, silent: %s", g.Answered, g.Expected, List(g.Silent)).WithHint("nats fleet ls shows when each was last seen")
	}
	return fail.Partialf("%d of %d devices answered", g.Answered, g.Expected).WithHint("raise --timeout, or see nats fleet ls")
}
