package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
)

// Control runs spec on n agents of the group and merges what they report. It fails when fewer agents answer, and when one fails or
// is gone, which ends the others.
func Control(ctx context.Context, w crew.World, nc *nats.Conn, group string, n int, spec crew.Spec) (*meter.Report, error) {
	found, err := find(ctx, w, nc, group, n)
	if err != nil {
		return nil, err
	}
	c := &controller{w: w, nc: nc, inbox: nats.NewInbox(), answers: make(chan *nats.Msg, 1024)}
	sub, err := nc.ChanSubscribe(c.inbox+".>", c.answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	for i, s := range split(spec, found) {
		a := &agent{hello: found[i], answer: fmt.Sprintf("%s.agent.%d", c.inbox, i), heard: time.Now()}
		c.agents = append(c.agents, a)
		data, err := json.Marshal(order{Spec: s, Start: c.inbox + ".start", Stop: c.inbox + ".stop", Answer: a.answer})
		if err != nil {
			return nil, err
		}
		if err := nc.Publish(a.Subject, data); err != nil {
			return nil, fmt.Errorf("agent %s: %w", s.Agent, err)
		}
		w.Say("Agent %s runs %d clients", s.Agent, s.Clients)
	}
	err = c.conduct(ctx)
	return c.merge(spec, err)
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
	w       crew.World
	nc      *nats.Conn
	inbox   string
	answers chan *nats.Msg
	agents  []*agent
	stopped bool
	limit   <-chan time.Time // how long to wait for the reports of agents that were told to stop
	culprit error            // why the run had to end before its time: the first agent that failed or is gone
}

// agent is what the controller knows of one.
type agent struct {
	hello
	answer  string // the subject of its answers, without the last token
	ready   bool
	pieces  []byte
	verdict *verdict
	heard   time.Time
	missed  int // signs of life, one after the other, that nobody was there to give
	gone    bool
}

// conduct starts the agents when all are ready, and returns when all have reported or are gone. When ctx ends, or one of them
// fails, it stops the others and waits for their partial reports.
func (c *controller) conduct(ctx context.Context) error {
	done := ctx.Done()
	var ended error
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for started := false; ; {
		missing, unready := 0, 0
		for _, a := range c.agents {
			if a.verdict == nil && !a.gone {
				missing++
				if !a.ready {
					unready++
				}
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
		var err error
		select {
		case <-done:
			ended, done = context.Cause(ctx), nil
			err = c.stop()
		case <-c.limit:
			return ended
		case <-tick.C:
			err = c.feel()
		case m := <-c.answers:
			err = c.take(m)
		}
		if err != nil {
			return err
		}
	}
}

// stop ends the agents that still run.
func (c *controller) stop() error {
	c.stopped, c.limit = true, time.After(c.w.Timeout+patience)
	return c.nc.Publish(c.inbox+".stop", nil)
}

// feel asks the agents for a sign of life and gives up those that have given none for too long.
func (c *controller) feel() error {
	for _, a := range c.agents {
		if a.verdict != nil || a.gone {
			continue
		}
		if silent := time.Since(a.heard); a.missed >= misses || silent > patience {
			a.gone = true
			why := "it is gone"
			if a.missed < misses {
				why = fmt.Sprintf("it gave no sign of life for %s", silent.Round(time.Second))
			}
			if err := c.blame(fail.Partialf("agent %s did not report: %s", a.Name, why)); err != nil {
				return err
			}
			continue
		}
		if err := c.nc.PublishRequest(a.Subject+".pulse", a.answer+".pulse", []byte(a.answer)); err != nil {
			return err
		}
	}
	return nil
}

// blame ends the run because of one agent.
func (c *controller) blame(err error) error {
	if c.stopped {
		return nil
	}
	c.culprit = err
	return c.stop()
}

func (c *controller) take(m *nats.Msg) error {
	var i int
	var what string
	if _, err := fmt.Sscanf(strings.ReplaceAll(strings.TrimPrefix(m.Subject, c.inbox+".agent."), ".", " "), "%d %s", &i, &what); err != nil || i < 0 || i >= len(c.agents) {
		return nil // our own start and stop
	}
	a := c.agents[i]
	if what == "pulse" && m.Header.Get("Status") == "503" {
		a.missed++
		return nil
	}
	a.heard, a.missed = time.Now(), 0
	switch what {
	case "ready":
		a.ready = true
	case "report":
		a.pieces = append(a.pieces, m.Data...)
		if m.Header.Get("More") == "" {
			return c.judge(a)
		}
	}
	return nil
}

// judge reads the report of an agent. One that failed ends the others, which would wait for it or measure something else; one
// that had too few messages does not.
func (c *controller) judge(a *agent) error {
	a.verdict = &verdict{}
	if err := json.Unmarshal(a.pieces, a.verdict); err != nil {
		return fmt.Errorf("the report of agent %s is not understood: %w", a.Name, err)
	}
	v := a.verdict
	if v.Error == "" || a.ready && v.Report != nil && (v.Report.Outcome == meter.Idle || v.Report.Outcome == meter.Lossy) {
		return nil
	}
	code := v.Code
	if code == fail.Interrupted || code == fail.Terminated { // someone stopped the agent, not this command
		code = fail.Partial
	}
	return c.blame(fail.Newf(code, "agent %s: %s", a.Name, v.Error))
}

// merge makes one report of those of the agents. ended is why the run ended early.
func (c *controller) merge(spec crew.Spec, ended error) (*meter.Report, error) {
	err := ended
	if err == nil {
		err = c.culprit
	}
	var out *meter.Report
	for _, a := range c.agents {
		v := a.verdict
		if v == nil {
			if c.culprit == nil {
				err = errors.Join(err, fail.Partialf("agent %s did not report", a.Name))
			}
			continue
		}
		if v.Error != "" && err == nil {
			err = fail.Newf(v.Code, "agent %s: %s", a.Name, v.Error)
		}
		if v.Report == nil {
			continue
		}
		if c.culprit != nil && v.Report.Outcome == meter.Interrupted { // by us, or told below
			v.Report.Errors = nil
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
	out.Config, out.Host.Agents, out.Host.Tool = spec.Config(), len(c.agents), c.w.Tool
	if c.culprit != nil {
		out.Errors = append(out.Errors, c.culprit.Error())
	}
	if c.culprit != nil && ended == nil || err != nil && out.Outcome == meter.Complete {
		out.Outcome = meter.Failed
	}
	if err == nil {
		err = load.Judge(out)
	}
	return out, err
}
