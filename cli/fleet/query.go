package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type queryOptions struct {
	service fleetcmd.Service
	asking  fleetcmd.Asking
	expr    string
	fields  []string
	count   bool
}

func queryVerb() command.Node {
	return command.Verb[queryOptions]{
		Meta: command.Meta{
			Name: "query", Aliases: []string{"q"}, Short: "Ask all devices at once, now",
			Long: "The expression is evaluated on the devices, each of which answers whether it is selected and who it is. Without an expression every device is. It is refused here, before anything is sent, when it is wrong. The question ends when all devices that have registered, or --expect, have answered, when no further one answers for --idle, or after --timeout; devices that stay silent make it end with 7. With --format ndjson answers are printed as they come.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: answers{},
		Examples: []command.Example{
			{Line: `nats fleet query 'os.name == "Android" && memory > 4e9'`, Says: "d2", About: "Which devices are that, now"},
			{Line: "nats fleet query 'labels.n in [\"1\", \"2\"]' --expect 2 --select id,os.name --format ndjson", Says: `{"id":"d1","os":{"name":"Linux"}}`, About: "Rows as they come, for a script that counts on two devices"},
		},
		Bind: func(c *fisk.CmdClause, o *queryOptions) {
			c.Arg("expression", "The condition, such as os.name == \"Android\" && memory > 4e9").StringVar(&o.expr)
			o.service.Bind(c)
			o.asking.BindExpect(c)
			c.Flag("select", "Show these fields of the devices, such as id,os.name,labels.site").PlaceHolder("FIELD,…").SetValue(flagval.NewSubjects(&o.fields).Literal())
			c.Flag("count", "Print how many devices are selected, and nothing else").UnNegatableBoolVar(&o.count)
		},
		Check: func(o *queryOptions) error {
			if _, err := fleetcmd.Compile(o.expr); err != nil {
				return err
			}
			if err := fleetcmd.CheckFields(o.fields); err != nil {
				return err
			}
			if o.count && len(o.fields) > 0 {
				return fail.Usagef("--count and --select exclude each other")
			}
			return o.service.Check()
		},
		Run: runQuery,
	}
}

// answer is a device that the expression selects.
type answer struct {
	fleet.Info
	fields []string
}

// JSON is the description of the device, or of it what was selected.
func (a answer) JSON() any {
	if len(a.fields) == 0 {
		return a.Info
	}
	out := map[string]any{}
	for i, v := range fleetcmd.Pick(a.Info, a.fields) {
		put(out, a.fields[i], v)
	}
	return out
}

// put writes a value where its path says; what stands below labels is one name, whatever dots it has.
func put(doc map[string]any, path string, v any) {
	head, rest, deep := strings.Cut(path, ".")
	if !deep {
		doc[head] = v
		return
	}
	below, ok := doc[head].(map[string]any)
	if !ok {
		below = map[string]any{}
		doc[head] = below
	}
	below[rest] = v
}

// View is the table of one.
func (a answer) View(p *render.Page) { answers{all: []answer{a}, fields: a.fields}.View(p) }

// answers are the devices that the expression selects.
type answers struct {
	all      []answer
	fields   []string
	asked    bool
	gathered control.Gathered
}

// JSON is the list.
func (a answers) JSON() any {
	out := []any{}
	for _, one := range a.all {
		out = append(out, one.JSON())
	}
	return out
}

// View is one row for each device.
func (a answers) View(p *render.Page) {
	if len(a.all) == 0 && fleetcmd.Wordy(p) {
		p.Line("None of %s is selected", fleetcmd.Plural(a.gathered.Answered, "device", "devices"))
		return
	}
	if len(a.fields) > 0 {
		columns := make([]render.Column, len(a.fields))
		for i, f := range a.fields {
			columns[i] = render.Column{Name: f}
		}
		t := p.Table("", columns...)
		for _, one := range a.all {
			cells := fleetcmd.Pick(one.Info, a.fields)
			for i, c := range cells {
				if cells[i] = plain(c); a.fields[i] == "memory" {
					cells[i] = render.Bytes(one.Memory)
				}
			}
			t.Row(cells...)
		}
	} else {
		t := p.Table("", render.Column{Name: "ID"}, render.Column{Name: "Nickname"}, render.Column{Name: "Model", Elide: render.End, Drop: 2}, render.Column{Name: "OS"},
			render.Column{Name: "Arch", Drop: 1}, render.Column{Name: "CPUs", Wide: true}, render.Column{Name: "Memory"}, render.Column{Name: "Server"}, render.Column{Name: "Labels", Elide: render.End, Drop: 3})
		for _, d := range a.all {
			t.Row(d.ID, d.Nickname, d.Model, system(d.OS), d.Arch, d.CPUs, render.Bytes(d.Memory), d.Server, labels(d.Labels))
		}
	}
	if a.asked && fleetcmd.Wordy(p) {
		p.Note("%s of %s", fleetcmd.Plural(len(a.all), "device", "devices"), fleetcmd.Plural(a.gathered.Answered, "that answered", "that answered"))
	}
}

// plain is a value of a field in a cell.
func plain(v any) any {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return render.Count(uint64(v))
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// labels are the labels in one cell, sorted.
func labels(all map[string]string) string {
	out := make([]string, 0, len(all))
	for k, v := range all {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// tallied is how many devices are selected.
type tallied struct {
	Selected int `json:"selected"`
	Answered int `json:"answered"`
	Expected int `json:"expected"` // 0 when nobody knows
}

// View is the number.
func (t tallied) View(p *render.Page) {
	if !fleetcmd.Wordy(p) {
		p.Table("", render.Column{Name: "Selected"}, render.Column{Name: "Answered"}, render.Column{Name: "Expected"}).Row(t.Selected, t.Answered, t.Expected)
		return
	}
	p.Line("%d", t.Selected)
}

func runQuery(ctx context.Context, e *env.Env, o queryOptions) error {
	return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
		p := o.asking.Patience(e)
		known, err := f.Registry(ctx)
		if err != nil {
			return err
		}
		p.Known = control.IDs(known)
		out, feed := answers{fields: o.fields, asked: true}, (*render.Feed)(nil)
		if e.Out.Format().Kind == render.NDJSON && !o.count {
			feed = e.Out.Feed()
		}
		out.gathered, err = f.Query(ctx, o.expr, p, func(a fleet.Answer) error {
			if a.Error != "" {
				e.IO.Warn("device %s: %s", a.ID, a.Error)
			}
			if !a.Match {
				return nil
			}
			one := answer{*a.Info, o.fields}
			if feed != nil {
				return feed.Emit(one)
			}
			out.all = append(out.all, one)
			return nil
		})
		if feed != nil {
			if closeErr := feed.Close(nil); err == nil {
				err = closeErr
			}
		}
		if err == nil && feed == nil && out.gathered.Answered > 0 {
			err = out.print(e, o)
		}
		if err != nil {
			return err
		}
		return fleetcmd.Missing(out.gathered)
	})
}

// print sorts what came in any order.
func (a answers) print(e *env.Env, o queryOptions) error {
	if o.count {
		return e.Out.Print(tallied{len(a.all), a.gathered.Answered, a.gathered.Expected})
	}
	slices.SortFunc(a.all, func(x, y answer) int { return strings.Compare(x.Nickname+"\x00"+x.ID, y.Nickname+"\x00"+y.ID) })
	return e.Out.Print(a)
}
