// Package agents lets several machines take part in one benchmark: agents wait for orders through NATS, a controller starts
// them together and merges their reports.
package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
)

// agentPrefix begins the subjects on which agents and controllers meet: natsbench.GROUP.hello and natsbench.GROUP.AGENT.
const agentPrefix = "natsbench."

// hello is how an agent answers a controller that looks for agents.
type hello struct {
	Name    string `json:"name"`
	CPUs    int    `json:"cpus"`
	Tool    string `json:"tool"`
	Subject string `json:"subject"` // where it takes orders
}

// order is a run for an agent: it says on Answer.ready that it is ready, starts with the message on Start, gives up with that on
// Stop, and sends its report to Answer.report.
type order struct {
	Spec   crew.Spec `json:"spec"`
	Start  string    `json:"start"`
	Stop   string    `json:"stop"`
	Answer string    `json:"answer"`
}

// verdict is the end of an agent's run.
type verdict struct {
	Report *meter.Report `json:"report"`
	Error  string        `json:"error,omitempty"`
	Code   fail.Code     `json:"code,omitempty"`
}

// pieceSize is how much of a report goes into one message; reports of many clients are larger than messages may be.
const pieceSize = 256 << 10

// Serve takes part in runs of the group until ctx ends: it answers controllers and carries out their orders, one at a time.
// ran is called with each report.
func Serve(ctx context.Context, w crew.World, nc *nats.Conn, group, name string, ran func(*meter.Report) error) error {
	mine := agentPrefix + group + "." + nats.NewInbox()[len("_INBOX."):]
	greeting, err := json.Marshal(hello{Name: name, CPUs: runtime.NumCPU(), Tool: w.Tool, Subject: mine})
	if err != nil {
		return err
	}
	calls, err := nc.Subscribe(agentPrefix+group+".hello", func(m *nats.Msg) { _ = m.Respond(greeting) })
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	defer func() { _ = calls.Unsubscribe() }()
	orders := make(chan *nats.Msg, 16)
	sub, err := nc.ChanSubscribe(mine, orders)
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := flush(ctx, w, nc); err != nil {
		return err
	}
	w.Say("Waiting for a controller of group %s as %s", group, name)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-orders:
			var o order
			if err := json.Unmarshal(m.Data, &o); err != nil {
				w.Say("An order is not understood: %s", err)
				continue
			}
			r := obey(ctx, w, nc, o)
			if r != nil {
				if err := ran(r); err != nil {
					return err
				}
			}
		}
	}
}

func flush(ctx context.Context, w crew.World, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	return nc.FlushWithContext(ctx)
}

// obey carries out one order and sends its report.
func obey(ctx context.Context, w crew.World, nc *nats.Conn, o order) *meter.Report {
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	begin := make(chan struct{})
	var once sync.Once
	started, err := nc.Subscribe(o.Start, func(*nats.Msg) { once.Do(func() { close(begin) }) })
	if err == nil {
		defer func() { _ = started.Unsubscribe() }()
		var stopped *nats.Subscription
		if stopped, err = nc.Subscribe(o.Stop, func(*nats.Msg) { stop(fail.ErrInterrupted) }); err == nil {
			defer func() { _ = stopped.Unsubscribe() }()
			err = flush(ctx, w, nc)
		}
	}
	v := verdict{}
	if err == nil {
		w.Say("Running %s with %d clients", o.Spec.Kind, o.Spec.Clients)
		w.Gate = func(ctx context.Context) error {
			if err := nc.Publish(o.Answer+".ready", []byte(o.Spec.Agent)); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-begin:
				return nil
			}
		}
		v.Report, err = load.Run(run, w, o.Spec)
	}
	if err != nil {
		v.Error, v.Code = err.Error(), fail.CodeOf(err)
		w.Say("The run ended: %s", err)
	}
	data, err := json.Marshal(v)
	for err == nil {
		n := min(len(data), pieceSize)
		m := nats.NewMsg(o.Answer + ".report")
		m.Data = data[:n]
		if data = data[n:]; len(data) > 0 {
			m.Header.Set("More", "1")
		}
		if err = nc.PublishMsg(m); len(data) == 0 {
			break
		}
	}
	if err == nil {
		err = flush(context.WithoutCancel(ctx), w, nc)
	}
	if err != nil {
		w.Say("The report could not be sent: %s", err)
	}
	return v.Report
}

// Control runs spec on n agents of the group and merges what they report. It fails when fewer agents answer.
func Control(ctx context.Context, w crew.World, nc *nats.Conn, group string, n int, spec crew.Spec) (*meter.Report, error) {
	agents, err := find(ctx, w, nc, group, n)
	if err != nil {
		return nil, err
	}
	c := &controller{w: w, nc: nc, inbox: nats.NewInbox(), answers: make(chan *nats.Msg, 1024)}
	sub, err := nc.ChanSubscribe(c.inbox+".>", c.answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	specs := split(spec, agents)
	c.pieces, c.verdicts, c.ready = make([][]byte, n), make([]*verdict, n), make([]bool, n)
	for i, s := range specs {
		data, err := json.Marshal(order{Spec: s, Start: c.inbox + ".start", Stop: c.inbox + ".stop", Answer: fmt.Sprintf("%s.agent.%d", c.inbox, i)})
		if err != nil {
			return nil, err
		}
		if err := nc.Publish(agents[i].Subject, data); err != nil {
			return nil, fmt.Errorf("agent %s: %w", s.Agent, err)
		}
		w.Say("Agent %s runs %d clients", s.Agent, s.Clients)
	}
	err = c.conduct(ctx)
	return c.merge(spec, agents, err)
}

// find looks for n agents of the group; the names of two that have the same are told apart.
func find(ctx context.Context, w crew.World, nc *nats.Conn, group string, n int) ([]hello, error) {
	inbox := nats.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(agentPrefix+group+".hello", inbox, nil); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	var found []hello
	for len(found) < n {
		m, err := sub.NextMsgWithContext(bounded)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, fail.Newf(fail.NoAnswer, "%d of %d agents of group %s answered within %s", len(found), n, group, w.Timeout).WithHint("nats bench agent --group %s, on each machine", group)
		}
		var h hello
		if json.Unmarshal(m.Data, &h) == nil && strings.HasPrefix(h.Subject, agentPrefix+group+".") {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, func(a, b hello) int { return strings.Compare(a.Name+a.Subject, b.Name+b.Subject) })
	for i := range found {
		for j := range found[:i] {
			if found[j].Name == found[i].Name {
				found[i].Name = fmt.Sprintf("%s-%d", found[i].Name, i+1)
			}
		}
	}
	return found, nil
}

// split gives each agent its clients and their messages.
func split(spec crew.Spec, agents []hello) []crew.Spec {
	k, _ := crew.KindOf(spec.Kind)
	clients := meter.Divide(int64(spec.Clients), len(agents))
	shares := meter.Divide(spec.Messages, spec.Clients)
	out := make([]crew.Spec, len(agents))
	for i, c := range clients {
		s := spec
		s.Agent, s.Clients, s.FirstClient, s.AllClients = agents[i].Name, int(c.Messages), int(c.Offset), spec.Clients
		if k.Divide && spec.Messages > 0 {
			s.Messages, s.FirstMessage = 0, shares[c.Offset].Offset
			for _, sh := range shares[c.Offset : c.Offset+c.Messages] {
				s.Messages += sh.Messages
			}
		}
		out[i] = s
	}
	return out
}

// controller waits for the agents of one run.
type controller struct {
	w        crew.World
	nc       *nats.Conn
	inbox    string
	answers  chan *nats.Msg
	pieces   [][]byte
	verdicts []*verdict
	ready    []bool
}

// conduct starts the agents when all are ready, and returns when all have reported. When ctx ends it stops them and waits for
// their partial reports.
func (c *controller) conduct(ctx context.Context) error {
	done := ctx.Done()
	var ended error
	var limit <-chan time.Time
	started := false
	for {
		missing, unready := 0, 0
		for i, v := range c.verdicts {
			if v == nil {
				missing++
			}
			if v == nil && !c.ready[i] {
				unready++
			}
		}
		if missing == 0 {
			return ended
		}
		if unready == 0 && !started {
			started = true
			if err := c.nc.Publish(c.inbox+".start", nil); err != nil {
				return err
			}
		}
		select {
		case <-done:
			ended, done = context.Cause(ctx), nil
			limit = time.After(c.w.Timeout)
			if err := c.nc.Publish(c.inbox+".stop", nil); err != nil {
				return err
			}
		case <-limit:
			return ended
		case m := <-c.answers:
			if err := c.take(m); err != nil {
				return err
			}
		}
	}
}

func (c *controller) take(m *nats.Msg) error {
	var i int
	var what string
	if _, err := fmt.Sscanf(strings.ReplaceAll(strings.TrimPrefix(m.Subject, c.inbox+".agent."), ".", " "), "%d %s", &i, &what); err != nil || i < 0 || i >= len(c.verdicts) {
		return nil // our own start and stop
	}
	if what == "ready" {
		c.ready[i] = true
		return nil
	}
	c.pieces[i] = append(c.pieces[i], m.Data...)
	if m.Header.Get("More") != "" {
		return nil
	}
	c.verdicts[i] = &verdict{}
	if err := json.Unmarshal(c.pieces[i], c.verdicts[i]); err != nil {
		return fmt.Errorf("the report of an agent is not understood: %w", err)
	}
	if c.verdicts[i].Error != "" && !c.ready[i] { // the others would wait for it
		return c.nc.Publish(c.inbox+".stop", nil)
	}
	return nil
}

// merge makes one report of those of the agents. err is why the run ended early.
func (c *controller) merge(spec crew.Spec, agents []hello, err error) (*meter.Report, error) {
	var out *meter.Report
	for i, v := range c.verdicts {
		if v == nil {
			err = errors.Join(err, fail.Partialf("agent %s did not report", agents[i].Name))
			continue
		}
		if v.Error != "" && (err == nil || fail.CodeOf(err) == fail.Interrupted && v.Code != fail.Interrupted) {
			err = fail.Newf(v.Code, "agent %s: %s", agents[i].Name, v.Error)
		}
		if v.Report == nil {
			continue
		}
		if out == nil {
			out = v.Report
			continue
		}
		out.Join(v.Report)
	}
	if out == nil {
		return nil, err
	}
	out.Config, out.Host.Agents, out.Host.Tool = spec.Config(), len(agents), c.w.Tool
	if err != nil && out.Outcome == meter.Complete {
		out.Outcome = meter.Failed
	}
	if err == nil {
		err = load.Judge(out)
	}
	return out, err
}
