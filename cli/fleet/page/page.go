// Package page is the command that serves a web page on which a browser becomes a device of the fleet.
package page

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/render"
)

// Command is `nats fleet page`.
func Command() command.Node { return pageVerb() }

type pageOptions struct {
	listen          string
	websocket       string
	service         string
	bucket          string
	survey          string
	metrics         string
	labels          map[string]string
	withCredentials bool
}

func pageVerb() command.Node {
	return command.Verb[pageOptions]{
		Meta: command.Meta{
			Name: "page", Short: "Serve a web page on which a phone or browser becomes a device",
			Long: `Who opens the page joins the fleet over websockets: the browser answers as an instance of the service, follows the configuration in the bucket, publishes metrics every second, and takes part in the survey. The page comes from this program alone and loads nothing from anywhere else.

The server to join is --websocket, else that of the context if it has a ws:// or wss:// URL; nats server run --websocket prints it. The person at the browser can type another, and the token or user that it demands: the page itself holds no credentials. With --with-credentials the printed address carries those of the context, and whoever has the address can use them.

It listens on this machine alone. For phones, listen on an address that they reach: --listen 0.0.0.0:8080.`,
		},
		Scope: command.Local, Output: command.Feed, Result: serving{},
		Examples: []command.Example{
			{Line: "nats fleet page --listen 127.0.0.1:0 --websocket ws://127.0.0.1:8081", Says: "Open http://127.0.0.1:", About: "A page on a free port, for the websocket port of a server"},
			{Line: "nats fleet page --listen 127.0.0.1:0 --service sensors --label site=north --json", Says: `"url"`, About: "Devices of another service, each with a label"},
		},
		Bind: bindPage, Check: checkPage, Run: runPage,
	}
}

func bindPage(c *fisk.CmdClause, o *pageOptions) {
	c.Flag("listen", "Address to serve the page on; port 0 or -1 picks a free one").Default("127.0.0.1:8080").PlaceHolder("HOST:PORT").StringVar(&o.listen)
	c.Flag("websocket", "Server that devices join, with a ws:// or wss:// URL").PlaceHolder("URL").StringVar(&o.websocket)
	c.Flag("service", "Name of the service that devices are").Default("qcon").StringVar(&o.service)
	c.Flag("bucket", "Bucket of the configuration").Default("config").StringVar(&o.bucket)
	c.Flag("survey", "Stream of the survey, and the first token of its subjects").Default("survey").StringVar(&o.survey)
	c.Flag("metrics", "First token of the subjects of metrics").Default("metrics").StringVar(&o.metrics)
	flagval.MapVar(c.Flag("label", "Label of every device that joins from this page").PlaceHolder("NAME=VALUE"), &o.labels)
	c.Flag("with-credentials", "Put the token, or user and password, of the context into the printed address").UnNegatableBoolVar(&o.withCredentials)
}

func checkPage(o *pageOptions) error {
	var err error
	if o.listen, err = listenAddress(o.listen); err != nil {
		return err
	}
	for flag, value := range map[string]string{"service": o.service, "bucket": o.bucket, "survey": o.survey, "metrics": o.metrics} {
		if !fleet.IsToken(value, 128, false) {
			return fail.Usagef("--%s: %q: 1 to 128 letters, digits, _ and - only", flag, value)
		}
	}
	if o.websocket == "" {
		return nil
	}
	for one := range strings.SplitSeq(o.websocket, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss":
			return fail.Usagef("--websocket: a URL such as ws://127.0.0.1:8081 is needed").WithHint("nats server run --websocket=-1 prints one")
		case u.User != nil:
			return fail.Usagef("--websocket: credentials do not belong into the page: leave them out, or use a context and --with-credentials")
		}
	}
	return nil
}

// listenAddress completes what people type: 8080, :8080, host:-1.
func listenAddress(s string) (string, error) {
	if _, err := strconv.Atoi(s); err == nil {
		s = net.JoinHostPort("127.0.0.1", s)
	}
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < -1 || n > 65535 {
		return "", fail.Usagef("--listen: %q is no HOST:PORT such as 127.0.0.1:8080; port -1 picks a free one", s)
	}
	return net.JoinHostPort(host, strconv.Itoa(max(n, 0))), nil
}

// serving is what is known of the page when it can be opened.
type serving struct {
	URL             string            `json:"url"`              // to open; with the credentials after # if they were asked for
	URLs            []string          `json:"urls"`             // the same on every address that it is served on
	Websocket       string            `json:"websocket_url"`    // server that the page proposes; empty when the person types it
	Service         string            `json:"service"`          // that devices are an instance of
	WithCredentials bool              `json:"credentials"`      // whether the URLs carry credentials
	Labels          map[string]string `json:"labels,omitempty"` // of every device
}

// View shows nothing: people read the narration on stderr.
func (serving) View(*render.Page) {}

func runPage(ctx context.Context, e *env.Env, o pageOptions) error {
	socket, given, err := connection(ctx, e, o)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fail.Newf(fail.Failure, "page on %s: %w", o.listen, err).WithHint("nats fleet page --listen 127.0.0.1:-1 takes a free port")
	}
	site, err := newSite(settings{
		Websocket: socket, Service: o.service, Bucket: o.bucket, Survey: o.survey, Metrics: o.metrics, Labels: o.labels, Version: e.Build.Version,
	})
	if err != nil {
		_ = ln.Close()
		return err
	}
	urls := addresses(ln.Addr(), o.listen)
	for i := range urls {
		urls[i] += given.fragment()
	}
	r := serving{URL: urls[0], URLs: urls, Websocket: socket, Service: o.service, WithCredentials: given != nil, Labels: o.labels}
	return serve(ctx, e, ln, site, r)
}

// serve answers browsers until ctx ends.
func serve(ctx context.Context, e *env.Env, ln net.Listener, site http.Handler, r serving) error {
	server := newServer(site, e.Log)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	feed := e.Out.Feed()
	err := feed.Emit(r)
	if err == nil {
		err = feed.Flush()
	}
	if err == nil {
		announce(e, r)
		select {
		case <-ctx.Done():
			err = fail.Ended(ctx, context.Cause(ctx))
			e.Say("Stopping")
		case err = <-ended:
			ended <- err
		}
	}
	// Nothing that the page serves is worth waiting for.
	_ = server.Close()
	<-ended
	if cerr := feed.Close(nil); err == nil {
		err = cerr
	}
	return err
}

// announce tells a person what to open.
func announce(e *env.Env, r serving) {
	if r.WithCredentials {
		e.IO.Warn("the address holds credentials: whoever sees it can use them")
	}
	for _, u := range r.URLs {
		if e.Out.Machine() {
			break // the address is on stdout; stderr may be a log
		}
		e.Say("Open %s", u)
	}
	if r.Websocket == "" {
		e.Say("  devices join the server that is typed there: pass --websocket URL to propose one")
	} else {
		e.Say("  devices join %s as %s", r.Websocket, r.Service)
	}
}
