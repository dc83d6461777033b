package fleet

import (
	"time"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/render"
)

// known is one device as the results show it.
type known struct {
	fleet.Info
	Live     bool       `json:"live"`                // it answered now
	LastSeen *time.Time `json:"last_seen,omitempty"` // when it last spoke
	Applied  *applied   `json:"applied,omitempty"`   // what it says it has applied
}

// applied is what a device says of its configuration.
type applied struct {
	Revision uint64    `json:"revision"`
	Time     time.Time `json:"time"`
	Error    string    `json:"error,omitempty"`
}

func newKnown(d control.Device) known {
	out := known{Info: d.Info, Live: d.Live}
	if !d.Seen.IsZero() {
		seen := d.Seen.UTC()
		out.LastSeen = &seen
	}
	if d.Conf != nil {
		out.Applied = &applied{d.Conf.Revision, d.Conf.Time, d.Conf.Error}
	}
	return out
}

// system is the operating system in one cell.
func system(o fleet.OS) string {
	if o.Version == "" {
		return o.Name
	}
	return o.Name + " " + o.Version
}

// revision is the revision of the configuration that the device runs with; red when it could not apply what there is.
func (d known) revision() any {
	switch {
	case d.Applied == nil:
		return ""
	case d.Applied.Error != "":
		return render.Sprintf("%s", render.Bad("failed"))
	}
	return render.Count(d.Applied.Revision)
}

// seen is when the device last spoke.
func (d known) seen(machine bool) any {
	switch {
	case d.Live && !machine:
		return render.Good("now")
	case d.LastSeen == nil:
		return ""
	}
	return render.Since(*d.LastSeen)
}

// age is how long ago the device was started.
func (d known) age() any {
	if d.Started.IsZero() {
		return ""
	}
	return render.Since(d.Started)
}
