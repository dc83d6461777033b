package fleetcmd

import (
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/render"
)

// Wordy tells whether sentences have a place on the page: formats for programs hold a table alone.
func Wordy(p *render.Page) bool {
	k := p.Options().Kind
	return k == render.Text || k == render.Wide
}

// Standing is how a device stands to its configuration, in a cell.
func Standing(s control.Standing) any {
	switch s {
	case control.Current:
		return render.Good(s)
	case control.Failed:
		return render.Bad(s)
	}
	return render.Warn(s)
}
