package fleet

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type moveOptions struct {
	service fleetcmd.Service
	targets fleetcmd.Targets
	asking  fleetcmd.Asking
	within  fleetcmd.Within
	url     string
	home    bool
	wait    bool
	force   bool
}

func moveVerb() command.Node {
	return command.Verb[moveOptions]{
		Meta: command.Meta{
			Name: "move", Short: "Move devices to another server, or back home",
			Long: "Each device connects to the new server before it leaves the old one, and says where it is. It keeps its credentials unless the URL has some. One that cannot connect stays where it is; one that misses its configuration there says so. With --wait each must answer a query from where it is now.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: moves{},
		Examples: []command.Example{
			{Line: "nats fleet move --home --all --force", Says: "d1", About: "Back to the servers that the devices were started with"},
			{Line: "nats fleet move --home --device d1 --wait --jq '.[0].server'", Says: "test", About: "Where one is afterwards, for a script"},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *moveOptions) {
			c.Arg("url", "The server to move to, or several, parted by commas").StringVar(&o.url)
			c.Flag("home", "Back to the servers they were started with").UnNegatableBoolVar(&o.home)
			o.targets.Bind(c)
			c.Flag("wait", "Wait until they answer again").UnNegatableBoolVar(&o.wait)
			o.within.Bind(c, 0)
			c.Flag("force", "Do not ask when several devices are meant").Short('f').UnNegatableBoolVar(&o.force)
			o.service.Bind(c)
			o.asking.Bind(c)
		},
		Check: func(o *moveOptions) error {
			if (o.url == "") == !o.home {
				return fail.Usagef("give the URL of a server, or --home")
			}
			for part := range strings.SplitSeq(o.url, ",") {
				if u, err := url.Parse(strings.TrimSpace(part)); o.url != "" && (err != nil || u.Scheme == "" || u.Host == "") {
					return fail.Usagef("%q is no URL of a server, such as nats://leaf.example.net:4222", bare(part)) // the parser's own words would hold the password
				}
			}
			if err := o.targets.Check(); err != nil {
				return err
			}
			return o.service.Check()
		},
		Run: runMove,
	}
}

// bare is a URL without what stands before the @.
func bare(u string) string {
	if at := strings.LastIndexByte(u, '@'); at >= 0 {
		scheme, _, ok := strings.Cut(u, "://")
		if ok {
			return scheme + "://" + u[at+1:]
		}
		return u[at+1:]
	}
	return u
}

// redact takes the credentials of the URL out of what a device says.
func (o moveOptions) redact(text string) string {
	for part := range strings.SplitSeq(o.url, ",") {
		part = strings.TrimSpace(part)
		u, err := url.Parse(part)
		if err != nil || u.User == nil {
			continue
		}
		text = strings.ReplaceAll(text, part, bare(part))
		secrets := []string{u.User.String(), u.User.Username()} // without a password the name is a token
		if p, ok := u.User.Password(); ok {
			secrets = []string{u.User.String(), p, url.QueryEscape(p)}
		}
		for _, s := range secrets {
			if s != "" {
				text = strings.ReplaceAll(text, s, "********")
			}
		}
	}
	return text
}

// moved is where a device is.
type moved struct {
	Device  string `json:"device"`
	OK      bool   `json:"ok"`
	URL     string `json:"url,omitempty"`    // of the server it is on
	Server  string `json:"server,omitempty"` // its name, with --wait
	Domain  string `json:"domain,omitempty"` // of JetStream there, with --wait
	Error   string `json:"error,omitempty"`
	Warning string `json:"warning,omitempty"` // what it misses there
}

// moves are all of them.
type moves []moved

// View is one row for each device.
func (l moves) View(p *render.Page) {
	t := p.Table("", render.Column{Name: "Device"}, render.Column{Name: "Moved"}, render.Column{Name: "URL"}, render.Column{Name: "Server"}, render.Column{Name: "Domain", Drop: 1}, render.Column{Name: "Remark", Elide: render.End})
	for _, m := range l {
		is := any(render.Good("yes"))
		if !m.OK {
			is = render.Bad("no")
		}
		t.Row(m.Device, is, m.URL, m.Server, m.Domain, cmp.Or(m.Error, m.Warning))
	}
}

func runMove(ctx context.Context, e *env.Env, o moveOptions) error {
	return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
		found, err := o.targets.Resolve(ctx, f, o.asking.Patience(e), false)
		if err != nil {
			return err
		}
		if len(found) > 1 {
			where := "home"
			if !o.home {
				where = "to " + bare(o.url)
			}
			if err := o.service.Sure(ctx, e, o.force, "move "+fleetcmd.Plural(len(found), "device", "devices")+" "+where); err != nil {
				return err
			}
		}
		live, away := fleetcmd.Live(found)
		out := moves{}
		for _, id := range away {
			out = append(out, moved{Device: id, Error: "it is offline"})
		}
		target := strings.TrimSpace(o.url)
		err = f.Control(ctx, live, fleet.Control{Move: &target}, e.Nats.Effective().Timeout, func(a control.Order) error {
			m := newMoved(a)
			m.Error, m.Warning = o.redact(m.Error), o.redact(m.Warning)
			out = append(out, m)
			return nil
		})
		if err != nil {
			return err
		}
		if o.wait {
			if err := o.await(ctx, e, f, out); err != nil {
				return err
			}
		}
		slices.SortFunc(out, func(a, b moved) int { return strings.Compare(a.Device, b.Device) })
		if err := e.Out.Print(out); err != nil {
			return err
		}
		return out.verdict()
	})
}

func newMoved(a control.Order) moved {
	m := moved{Device: a.Device, OK: a.Answer.OK, URL: bare(a.Answer.Server), Error: a.Answer.Error, Warning: a.Answer.Warning}
	switch {
	case a.Offline:
		m.Error = "it is offline"
	case a.Err != nil:
		m.Error = a.Err.Error()
	}
	return m
}

// await wants an answer of each device that says it has moved.
func (o moveOptions) await(ctx context.Context, e *env.Env, f *control.Fleet, all moves) error {
	at, ids := map[string]int{}, []string{}
	for i, m := range all {
		if m.OK {
			at[m.Device] = i
			ids = append(ids, m.Device)
		}
	}
	silent, err := f.AwaitAnswers(ctx, ids, o.within.Duration(e), e.Nats.Effective().Timeout, func(d fleet.Info) error {
		m := &all[at[d.ID]]
		m.Server, m.Domain = d.Server, d.Domain
		if m.Warning == "" {
			m.Warning = d.Trouble
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range silent {
		m := &all[at[id]]
		m.OK, m.Error = false, "no answer from there"
	}
	return nil
}

// verdict is the error when not all have moved.
func (l moves) verdict() error {
	bad := []string{}
	for _, m := range l {
		if !m.OK {
			bad = append(bad, m.Device)
		}
	}
	switch len(bad) {
	case 0:
		return nil
	case len(l):
		return fail.Newf(fail.Failure, "no device has moved: %s", fleetcmd.List(bad))
	}
	return fail.Partialf("not moved: %s", fleetcmd.List(bad))
}
