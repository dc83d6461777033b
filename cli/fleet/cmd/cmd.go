// Package cmd is the command group for commands that devices run.
package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// Command is `nats fleet command`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "command", Aliases: []string{"cmd"}, Short: "Run programs on devices",
			Long: "Commands wait in a stream until their device fetches them, also when it is away, and are run at most once. They are lists of arguments, never put through a shell, and each device has a list of programs that it allows. What became of them, with their output, is kept in another stream.",
		},
		Nodes: func() []command.Node {
			return []command.Node{sendVerb(), statusVerb(), lsVerb(), cancelVerb()}
		},
	}
}

// onDevice is where a command has got to on one device.
type onDevice struct {
	Device       string      `json:"device"`
	State        fleet.State `json:"state"`
	Exit         *int        `json:"exit,omitempty"` // when it ran to its end
	Started      *time.Time  `json:"started,omitempty"`
	Ended        *time.Time  `json:"ended,omitempty"`
	Stdout       string      `json:"stdout,omitempty"`
	StdoutBase64 []byte      `json:"stdout_base64,omitempty"` // instead of stdout when that is no UTF-8
	Stderr       string      `json:"stderr,omitempty"`
	StderrBase64 []byte      `json:"stderr_base64,omitempty"`
	Lost         int64       `json:"lost,omitempty"` // bytes of output beyond the device's limit
	Error        string      `json:"error,omitempty"`
	Live         *bool       `json:"live,omitempty"`      // it answered when the command was sent
	Duplicate    bool        `json:"duplicate,omitempty"` // it was in the stream already
}

func newOnDevice(r fleet.Result) onDevice {
	out := onDevice{Device: r.Device, State: r.State, Lost: r.Lost, Error: r.Error, Started: moment(r.Started), Ended: moment(r.Ended)}
	if r.State == fleet.Done {
		out.Exit = &r.Exit
	}
	out.Stdout, out.StdoutBase64 = output(r.Stdout)
	out.Stderr, out.StderrBase64 = output(r.Stderr)
	return out
}

func output(b []byte) (string, []byte) {
	if utf8.Valid(b) {
		return string(b), nil
	}
	return "", b
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// failed tells whether the command came to an end that is not a good one.
func (d onDevice) failed() bool { return d.State.Final() && (d.State != fleet.Done || *d.Exit != 0) }

// state is the state in a cell.
func (d onDevice) state() any {
	switch {
	case d.failed():
		return render.Bad(d.State)
	case d.State == fleet.Done:
		return render.Good(d.State)
	}
	return render.Warn(d.State)
}

func (d onDevice) exit() any {
	if d.Exit == nil {
		return ""
	}
	return *d.Exit
}

// took is how long the command ran.
func (d onDevice) took() any {
	if d.Started == nil || d.Ended == nil {
		return ""
	}
	return render.Span(d.Ended.Sub(*d.Started))
}

// why is what else there is to say.
func (d onDevice) why() string {
	switch {
	case d.Error != "":
		return d.Error
	case d.State == fleet.Queued && d.Live != nil && !*d.Live:
		return "offline: runs when it is back"
	}
	return ""
}

// says is the state in words.
func (d onDevice) says() string {
	text := string(d.State)
	if d.Exit != nil {
		text += fmt.Sprintf(", exit code %d", *d.Exit)
	}
	if w := d.why(); w != "" {
		text += ": " + term.Visible(w, false)
	}
	return text
}

// View is the row of one.
func (d onDevice) View(p *render.Page) { devices([]onDevice{d}).View(p) }

// devices are the rows of all.
type devices []onDevice

// View is one row for each.
func (l devices) View(p *render.Page) {
	t := p.Table("", render.Column{Name: "Device"}, render.Column{Name: "State"}, render.Column{Name: "Exit"}, render.Column{Name: "Took"}, render.Column{Name: "Error", Elide: render.End})
	for _, d := range l {
		t.Row(d.Device, d.state(), d.exit(), d.took(), d.why())
	}
}

// outputs draws what the programs wrote, below the name of each device.
func (l devices) outputs(p *render.Page) {
	for _, d := range l {
		for _, o := range []struct {
			name, text string
			bytes      []byte
		}{{"stdout", d.Stdout, d.StdoutBase64}, {"stderr", d.Stderr, d.StderrBase64}} {
			if o.text == "" && len(o.bytes) == 0 {
				continue
			}
			p.Gap()
			p.Line("%s %s:", render.Key(d.Device), o.name)
			p.Text(term.Visible(o.text+string(o.bytes), true))
		}
		if d.Lost > 0 {
			p.Note("%s: %d bytes more than the device keeps", d.Device, d.Lost)
		}
	}
}

// whole is a command and where it has got to everywhere.
type whole struct {
	ID      string     `json:"id"`
	Args    []string   `json:"args"`
	Issued  time.Time  `json:"issued"`
	Expires *time.Time `json:"expires,omitempty"`
	Devices devices    `json:"devices"`

	outputs bool
}

func newWhole(s control.Status) whole {
	out := whole{ID: s.ID, Args: s.Args, Issued: s.Issued.UTC(), Expires: moment(s.Expires), Devices: devices{}}
	for _, p := range s.Devices {
		out.Devices = append(out.Devices, newOnDevice(p.Result))
	}
	return out
}

// View is a line about the command, a row for each device, and the outputs.
func (w whole) View(p *render.Page) {
	if fleetcmd.Wordy(p) {
		p.Line("Command %s: %s", render.Key(w.ID), term.Visible(strings.Join(w.Args, " "), false))
		if !w.Issued.IsZero() {
			p.Line("Issued %s", render.At(w.Issued))
		}
		if w.Expires != nil {
			p.Line("Not begun after %s", render.At(*w.Expires))
		}
		p.Gap()
	}
	w.Devices.View(p)
	if w.outputs && fleetcmd.Wordy(p) {
		w.Devices.outputs(p)
	}
}

// verdict is the error when the command has not ended well everywhere; waited says that everybody had the time to.
func (w whole) verdict(waited bool) error {
	bad, open := []string{}, []string{}
	for _, d := range w.Devices {
		switch {
		case d.failed():
			bad = append(bad, d.Device)
		case !d.State.Final():
			open = append(open, d.Device)
		}
	}
	if !waited {
		open = nil
	}
	hint := "nats fleet command status " + w.ID + " --output shows more"
	switch all := len(w.Devices); {
	case len(bad)+len(open) == 0:
		return nil
	case len(bad) == all:
		return fail.Newf(fail.Failure, "command %s failed on %s", w.ID, fleetcmd.List(bad)).WithHint("%s", hint)
	case len(open) == all:
		return fail.Newf(fail.NoAnswer, "command %s: no end yet on %s", w.ID, fleetcmd.List(open)).WithHint("%s", hint)
	case len(bad) == 0:
		return fail.Partialf("command %s: no end yet on %s", w.ID, fleetcmd.List(open)).WithHint("%s", hint)
	case len(open) == 0:
		return fail.Partialf("command %s failed on %s", w.ID, fleetcmd.List(bad)).WithHint("%s", hint)
	}
	return fail.Partialf("command %s failed on %s; no end yet on %s", w.ID, fleetcmd.List(bad), fleetcmd.List(open)).WithHint("%s", hint)
}

// follow tells what becomes of a command on its devices as it comes, and puts it into the rows, until all have come to an end or the
// time is over. With --format ndjson each row is printed as it comes to its end, and printed tells so.
func (w *whole) follow(ctx context.Context, e *env.Env, f *control.Fleet, within time.Duration) (printed bool, err error) {
	at, ids := map[string]int{}, []string{}
	for i, d := range w.Devices {
		at[d.Device] = i
		ids = append(ids, d.Device)
	}
	feed := (*render.Feed)(nil)
	if e.Out.Format().Kind == render.NDJSON {
		feed = e.Out.Feed()
	}
	open, err := f.Follow(ctx, w.ID, ids, within, func(r fleet.Result) error {
		d := &w.Devices[at[r.Device]]
		live, duplicate := d.Live, d.Duplicate
		*d = newOnDevice(r)
		d.Live, d.Duplicate = live, duplicate
		switch {
		case feed != nil && r.State.Final():
			return feed.Emit(*d)
		case feed == nil && !e.Out.Machine():
			e.Say("%s: %s", r.Device, d.says())
		}
		return nil
	})
	if ctx.Err() != nil && !e.Out.Machine() {
		e.Say("The command goes on: nats fleet command status %s shows where it has got to", w.ID)
	}
	if feed == nil {
		return false, err
	}
	for _, id := range open {
		if err == nil {
			err = feed.Emit(w.Devices[at[id]])
		}
	}
	if closeErr := feed.Close(nil); err == nil {
		err = closeErr
	}
	return true, err
}

// finish prints a command, after having waited for its end if that is wanted.
func (w *whole) finish(ctx context.Context, e *env.Env, f *control.Fleet, wait bool, within time.Duration) error {
	printed := false
	if wait {
		var err error
		if printed, err = w.follow(ctx, e, f, within); err != nil {
			return err
		}
	}
	slices.SortFunc(w.Devices, func(a, b onDevice) int { return strings.Compare(a.Device, b.Device) })
	if !printed {
		if err := e.Out.Print(*w); err != nil {
			return err
		}
	}
	return w.verdict(wait)
}
