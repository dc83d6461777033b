// Package agents lets several machines take part in one benchmark: agents wait for orders through NATS, a controller starts
// them together and merges their reports.
package agents

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
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
	p := &pulse{last: map[string]time.Time{}}
	pulses, err := nc.Subscribe(mine+".pulse", p.feel)
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	defer func() { _ = pulses.Unsubscribe() }()
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
			r := obey(ctx, w, nc, o, p)
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
func obey(ctx context.Context, w crew.World, nc *nats.Conn, o order, p *pulse) *meter.Report {
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var watch sync.WaitGroup
	defer watch.Wait()
	watching, enough := context.WithCancel(ctx)
	defer enough()
	watch.Go(func() { p.watch(watching, o.Answer, stop) })
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
	enough()
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
