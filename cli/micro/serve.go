package micro

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"
	service "github.com/nats-io/nats.go/micro"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
)

type (
	proto   = service.EndpointInfo
	counted = service.EndpointStats
)

type serveOptions struct {
	name    string
	headers nats.Header
}

func serveVerb() command.Node {
	return command.Verb[serveOptions]{
		Meta: command.Meta{
			Name: "serve", Short: "Run an instance of a service that echoes its requests",
			Long: "For trying things out: the endpoint echo answers on NAME.echo with the body and headers of the request, and says in further headers who answered. Several instances share the requests.",
		},
		Scope: command.User, Output: command.Feed, Result: handled{},
		Examples: []command.Example{
			{Line: "nats micro serve calc", Says: "waiting for requests", About: "An instance of the service calc"},
		},
		Bind: func(c *fisk.CmdClause, o *serveOptions) {
			c.Arg("name", "Name of the service: letters, digits, - and _").Required().StringVar(&o.name)
			flagval.HeaderVar(c.Flag("header", "Header to put on every answer").Short('H').PlaceHolder("K:V"), &o.headers)
		},
		Check: func(o *serveOptions) error {
			if o.name == "" || strings.Trim(strings.ToLower(o.name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				return fail.Usagef("service name %q: only letters, digits, - and _ are allowed", o.name)
			}
			return nil
		},
		Run: runServe,
	}
}

// handled is one request that was answered.
type handled struct {
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Bytes   int       `json:"bytes"`
}

// View shows nothing: for people requests are narrated on stderr.
func (handled) View(*render.Page) {}

func runServe(ctx context.Context, e *env.Env, o serveOptions) error {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return err
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	feed := e.Out.Feed()
	var payload atomic.Int64
	svc, err := service.AddService(nc, service.Config{
		Name: o.name, Version: "1.0.0", Description: "NATS CLI Demo Service (" + o.name + ")",
		Metadata:     map[string]string{"_nats.client.created.library": "natskit", "_nats.client.created.version": e.Build.Version},
		StatsHandler: func(*service.Endpoint) any { return map[string]int64{"total_payload": payload.Load()} },
	})
	if err != nil {
		return err
	}
	defer func() { _ = svc.Stop() }()
	subject := o.name + ".echo"
	err = svc.AddEndpoint("echo", service.HandlerFunc(func(r service.Request) {
		payload.Add(int64(len(r.Data())))
		answer(e, nc, o, r)
		if e.Out.Machine() {
			_ = feed.Emit(handled{e.Clock.Now(), r.Subject(), len(r.Data())})
		} else {
			e.Say("Handling request on subject %s", r.Subject())
		}
	}), service.WithEndpointSubject(subject))
	if err != nil {
		return err
	}
	if err := nc.FlushWithContext(bounded(ctx, e)); err != nil {
		return contexts.Refusal(ctx, err)
	}
	announce(e, nc, o, subject)
	<-ctx.Done()
	err = fail.Ended(ctx, contexts.Refusal(ctx, context.Cause(ctx)))
	if cerr := feed.Close(nil); err == nil {
		err = cerr
	}
	return err
}

// bounded is ctx with the timeout; its timer ends with it.
func bounded(ctx context.Context, e *env.Env) context.Context {
	ctx, cancel := e.Nats.Deadline(ctx)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func announce(e *env.Env, nc *nats.Conn, o serveOptions, subject string) {
	if e.Out.Machine() {
		e.Say("%s waiting for requests on %s", o.name, contexts.RedactURL(nc.ConnectedUrl()))
		return
	}
	e.IO.Line("NATS CLI Service " + o.name + " handler " + strconv.Itoa(os.Getpid()) + " waiting for requests on " + contexts.RedactURL(nc.ConnectedUrl()))
	e.IO.Line("\nListening Subjects:\n\n  " + subject + ": Echo Service")
	if len(o.headers) > 0 {
		e.IO.Line("\nCustom Response Headers:\n")
		for k, values := range o.headers {
			for _, v := range values {
				e.IO.Line("  " + k + ": " + v)
			}
		}
	}
	e.IO.Line("\nRequests Log:\n")
}

// answer echoes the request: who answered in headers, then our own, then those of the request.
func answer(e *env.Env, nc *nats.Conn, o serveOptions, r service.Request) {
	h := service.Headers{
		"ConnectedUrl": {contexts.RedactURL(nc.ConnectedUrl())}, "Handler": {strconv.Itoa(os.Getpid())}, "Subject": {r.Subject()},
		"Timestamp": {e.Clock.Now().Format(time.RFC3339)},
	}
	if cluster := nc.ConnectedClusterName(); cluster != "" {
		h["ConnectedCluster"] = []string{cluster}
	}
	for _, more := range []map[string][]string{o.headers, r.Headers()} {
		for k, v := range more {
			h[k] = append(h[k], v...)
		}
	}
	if err := r.Respond(r.Data(), service.WithHeaders(h)); err != nil {
		e.IO.Warn("the answer on %s could not be sent: %s", r.Subject(), err)
	}
}
