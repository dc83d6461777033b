// Package trace is the command that shows which way a message takes.
package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/snappy"
)

// Command is `nats trace`.
func Command() command.Node { return traceVerb() }

type traceOptions struct {
	subject   string
	payload   string
	deliver   bool
	timestamp bool
	headers   map[string]string
	dot       string
	diagram   string
}

func traceVerb() command.Node {
	return command.Verb[traceOptions]{
		Meta: command.Meta{
			Name: "trace", Short: "Show the way of a message through the servers",
			Long: `The message is sent with headers that make every server on its way report where it goes; they need to be of version 2.11 or later. Nobody receives it unless --deliver is given: streams then store it and subscribers get it, with the headers.

--diagram prints the route as a picture for GraphViz or Mermaid instead of a tree; --dot writes one to a file beside it. Formats of rows have a row for each step.

The command ends with 5 when nobody is interested in the subject, with 3 when it may not be published, and with 7 when a server has not reported within --timeout.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: route{},
		Examples: []command.Example{
			{Line: "nats trace orders.new", Says: "--C Client", About: "Who would get a message", Needs: []string{"& sub orders.new"}},
			{Line: "nats trace orders.new --json", Says: `"egress"`, About: "The same for a script", Needs: []string{"& sub orders.new"}},
			{Line: "nats trace orders.new --diagram mermaid", Says: "flowchart LR", About: "A picture of the route for a document", Needs: []string{"& sub orders.new"}},
		},
		Bind: func(c *fisk.CmdClause, o *traceOptions) {
			c.Arg("subject", "Subject to publish to").Required().StringVar(&o.subject)
			c.Arg("payload", "Body of the message").StringVar(&o.payload)
			c.Flag("deliver", "Deliver the message, not just trace it").UnNegatableBoolVar(&o.deliver)
			c.Flag("timestamp", "Show when each step happened").Short('T').UnNegatableBoolVar(&o.timestamp)
			flagval.MapVar(c.Flag("header", "Header to put on the message").Short('H').PlaceHolder("K:V"), &o.headers)
			c.Flag("dot", "Write the route as GraphViz to a file too").PlaceHolder("FILE").StringVar(&o.dot)
			c.Flag("diagram", "Print the route as a picture: dot or mermaid").PlaceHolder("FORM").EnumVar(&o.diagram, "dot", "mermaid")
		},
		Check: func(o *traceOptions) error {
			if err := flagval.CheckSubject(o.subject, false); err != nil {
				return fail.Usagef("%w: %s", nats.ErrBadSubject, err)
			}
			return nil
		},
		Run: runTrace,
	}
}

func runTrace(ctx context.Context, e *env.Env, o traceOptions) error {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return err
	}
	if v := nc.ConnectedServerVersion(); !atLeast(v, 2, 11) {
		return fmt.Errorf("tracing messages require NATS Server 2.11, %s has version %s", nc.ConnectedServerName(), v)
	}
	events, err := gather(ctx, e, nc, o)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return fail.Newf(fail.NoAnswer, "no server reported on the message to %s within %s: %w", o.subject, e.Nats.Effective().Timeout, nats.ErrTimeout)
	}
	r, err := link(events, o)
	if err != nil {
		return err
	}
	if o.dot != "" {
		if err := e.Files.WriteFile(o.dot, []byte(r.draws("dot"))); err != nil {
			return fmt.Errorf("diagram %s: %w", o.dot, err)
		}
	}
	if err := e.Out.Print(r); err != nil {
		return err
	}
	return r.verdict(e.Nats.Effective().Timeout)
}

// gather sends the message and collects the reports of the servers until all those expected are there, or time is over.
func gather(ctx context.Context, e *env.Env, nc *nats.Conn, o traceOptions) ([]*event, error) {
	m := nats.NewMsg(o.subject)
	m.Data = []byte(o.payload)
	for k, v := range o.headers {
		m.Header.Set(k, v)
	}
	inbox := nc.NewInbox()
	m.Header.Set("Nats-Trace-Dest", inbox)
	m.Header.Set(snappy.Header, snappy.Name) // the reports may be compressed
	if !o.deliver {
		m.Header.Set("Nats-Trace-Only", "true")
	}
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	ctx, cancel := e.Nats.Deadline(ctx)
	defer cancel()
	if err := nc.FlushWithContext(ctx); err != nil {
		return nil, err
	}
	// The interest in the reports has to reach the other servers, which nobody tells us about.
	select {
	case <-e.Clock.After(250 * time.Millisecond):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := nc.PublishMsg(m); err != nil {
		return nil, err
	}
	var events []*event
	// Any server may be the first to report, each tells how many it sent the message on to.
	for expected, started := 1, false; len(events) < expected || !started; {
		msg, err := sub.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return events, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			return nil, fmt.Errorf("waiting for trace events: %w", err)
		}
		data, err := snappy.Body(msg)
		if err != nil {
			return nil, fmt.Errorf("a trace event cannot be unpacked: %w", err)
		}
		e.Log.Debug(">>> " + string(data))
		ev := &event{}
		if err := json.Unmarshal(data, ev); err != nil {
			return nil, fmt.Errorf("a trace event cannot be read: %w", err)
		}
		events = append(events, ev)
		expected += ev.Hops
		started = started || ev.hop() == ""
	}
	return events, nil
}

// atLeast compares versions such as 2.11.0-dev.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (a > major || a == major && b >= minor)
}

// event is the report of one server, as it is on the wire.
type event struct {
	Server struct {
		Name    string `json:"name"`
		Cluster string `json:"cluster"`
		Version string `json:"ver"`
	} `json:"server"`
	Request struct {
		Header map[string][]string `json:"header"`
	} `json:"request"`
	Hops   int         `json:"hops"`
	Events []traceStep `json:"events"`
}

// traceStep is one thing that happened to the message at a server; which fields are set depends on the type.
type traceStep struct {
	Type       string    `json:"type"`
	Time       time.Time `json:"ts"`
	Kind       int       `json:"kind"`
	CID        uint64    `json:"cid"`
	Name       string    `json:"name"`
	Account    string    `json:"acc"`
	Subject    string    `json:"subj"`
	Error      string    `json:"error"`
	To         string    `json:"to"`
	From       string    `json:"from"`
	Stream     string    `json:"stream"`
	Stored     string    `json:"subject"`
	NoInterest bool      `json:"nointerest"`
	Hop        string    `json:"hop"`
	Sub        string    `json:"sub"`
	Queue      string    `json:"queue"`
}

// hop is the number that the sending server gave to the way to this one; empty at the first server.
func (e *event) hop() string {
	for k, v := range e.Request.Header {
		if strings.EqualFold(k, "Nats-Trace-Hop") && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}
