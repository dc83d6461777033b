package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/embedded"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
)

type runOptions struct {
	name          string
	host          string
	port          int64
	jetstream     bool
	jetstreamSet  bool
	store         string
	clean         bool
	websocket     int64
	monitor       int64
	config        string
	leafs         []string
	leafCreds     string
	leafListen    string
	cluster       string
	clusterListen string
	routes        []string
	keep          bool
}

func runVerb() command.Node {
	return command.Verb[runOptions]{
		Meta: command.Meta{
			Name: "run", Short: "Run a server in the foreground until it is interrupted",
			Long: `The server listens on the loopback interface with JetStream on, and keeps its streams between runs. While it runs there are two contexts, NAME and NAME_system, with which to reach it: nats --context NAME.

The credentials that it demands are --token, or --user and --password, given with it or in their variables; with none it makes up a user and a system user, which only the contexts know. With --config FILE a nats-server configuration decides, and flags override it.

A server in another process can be told apart by its lock only when nats runs it: never point a nats-server of your own at the same --store.`,
		},
		Effect: command.Writes, Output: command.Feed, Result: ready{},
		Examples: []command.Example{
			{Line: "nats server run demo --port=-1", Says: "listening on", About: "A server on a free port, reached with --context demo"},
			{Line: "nats server run hub --port=-1 --token s3cr3t --js-domain cloud --websocket=-1", Says: "websockets", About: "A hub for an edge fleet, with a token"},
			{Line: "nats server run hub2 --port=-1 --token s3cr3t --js-domain cloud2 --leaf-listen 127.0.0.1:-1", Says: "leaf nodes on", About: "One that leaf nodes can connect to, with the same token"},
			{Line: "nats server run scratch --port=-1 --store ./data --clean --json", Says: `"url"`, About: "An empty store, and one line of JSON when it is ready"},
		},
		Bind:  bindRun,
		Check: checkRun,
		Run:   runServer,
	}
}

func bindRun(c *fisk.CmdClause, o *runOptions) {
	c.Arg("name", "Name of the server and of its contexts").Default("local").StringVar(&o.name)
	c.Flag("host", "Address to listen on; 127.0.0.1 without --config").PlaceHolder("ADDRESS").StringVar(&o.host)
	flagval.Int64Var(c.Flag("port", "Port for clients; 4222 without --config, -1 picks a free one").PlaceHolder("PORT"), &o.port)
	c.Flag("jetstream", "Offer streams and stores; on without --config").IsSetByUser(&o.jetstreamSet).BoolVar(&o.jetstream)
	c.Flag("store", "Directory for streams; kept between runs").PlaceHolder("DIR").StringVar(&o.store)
	c.Flag("clean", "Remove what earlier runs have stored").UnNegatableBoolVar(&o.clean)
	flagval.Int64Var(c.Flag("websocket", "Port for websocket connections; -1 picks a free one").PlaceHolder("PORT"), &o.websocket)
	flagval.Int64Var(c.Flag("monitor", "Port for the HTTP monitoring pages; -1 picks a free one").PlaceHolder("PORT"), &o.monitor)
	c.Flag("config", "A nats-server configuration file, honoured whole").PlaceHolder("FILE").StringVar(&o.config)
	c.Flag("leaf", "Connect to this hub as a leaf node").PlaceHolder("URL").StringsVar(&o.leafs)
	c.Flag("leaf-creds", "Credentials file to present to the hubs").PlaceHolder("FILE").StringVar(&o.leafCreds)
	c.Flag("leaf-listen", "Where leaf nodes connect; port -1 picks a free one").PlaceHolder("HOST:PORT").StringVar(&o.leafListen)
	c.Flag("cluster", "Name of the cluster to be part of").PlaceHolder("NAME").StringVar(&o.cluster)
	c.Flag("cluster-listen", "Where other servers of the cluster connect").PlaceHolder("HOST:PORT").StringVar(&o.clusterListen)
	c.Flag("routes", "Other servers of the cluster").PlaceHolder("URL").StringsVar(&o.routes)
	c.Flag("keep", "Leave the contexts behind when the server ends").UnNegatableBoolVar(&o.keep)
}

func checkRun(o *runOptions) error {
	if err := natscontext.ValidateName(o.name); err != nil || strings.ContainsAny(o.name, " \t") {
		return fail.Usagef("%q cannot name a server: letters, digits, - and _ can", o.name)
	}
	for name, port := range map[string]int64{"port": o.port, "websocket": o.websocket, "monitor": o.monitor} {
		if port < -1 || port > 65535 {
			return fail.Usagef("--%s: %d is no port: -1 picks a free one", name, port)
		}
	}
	if o.leafCreds != "" && len(o.leafs) == 0 {
		return fail.Usagef("--leaf-creds is for --leaf")
	}
	if o.jetstreamSet && !o.jetstream && (o.store != "" || o.clean) {
		return fail.Usagef("--no-jetstream has no store: leave out --store and --clean")
	}
	return nil
}

// ready is what is known of the server when it accepts connections.
type ready struct {
	Name          string `json:"name"`
	URL           string `json:"url"`
	WebsocketURL  string `json:"websocket_url,omitempty"`
	MonitorURL    string `json:"monitor_url,omitempty"`
	LeafURL       string `json:"leaf_url,omitempty"`
	ClusterURL    string `json:"cluster_url,omitempty"`
	Store         string `json:"store,omitempty"`
	Domain        string `json:"domain,omitempty"`
	Context       string `json:"context"`
	SystemContext string `json:"system_context,omitempty"`
	PID           int    `json:"pid"`
}

// View shows nothing: people read the narration on stderr.
func (ready) View(*render.Page) {}

func runServer(ctx context.Context, e *env.Env, o runOptions) error {
	creds, err := demanded(ctx, e)
	if err != nil {
		return err
	}
	opts, err := o.server(e, creds)
	if err != nil {
		return err
	}
	files := contextFiles{store: e.Contexts, server: o.name}
	if err := files.free(ctx); err != nil {
		return err
	}
	srv, err := embedded.Start(ctx, opts)
	if err != nil {
		return err
	}
	stop := func() error {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		if !o.keep {
			files.remove(ctx)
		}
		return srv.Stop(ctx)
	}
	r := ready{
		Name: srv.Name(), URL: srv.URL(), WebsocketURL: srv.WebsocketURL(), MonitorURL: srv.MonitorURL(), LeafURL: srv.LeafURL(), ClusterURL: srv.ClusterURL(),
		Store: srv.Store(), Domain: opts.Domain, Context: o.name, PID: os.Getpid(),
	}
	if err := files.write(ctx, &r, opts); err != nil {
		_ = stop()
		return err
	}
	feed := e.Out.Feed()
	err = feed.Emit(r)
	if err == nil {
		err = feed.Flush()
	}
	if err != nil {
		_ = stop()
		return err
	}
	announce(e, r)
	select {
	case <-ctx.Done():
		err = fail.Ended(ctx, context.Cause(ctx))
		e.Say("Stopping")
	case <-srv.Done():
		err = srv.Err()
	}
	if serr := stop(); err == nil {
		err = serr
	}
	if cerr := feed.Close(nil); err == nil {
		err = cerr
	}
	return err
}

// announce tells a person where the server is and what to type next.
func announce(e *env.Env, r ready) {
	e.Say("Server %s listening on %s", r.Name, r.URL)
	for _, more := range []struct{ what, url string }{{"websockets", r.WebsocketURL}, {"monitoring", r.MonitorURL}, {"leaf nodes", r.LeafURL}, {"routes", r.ClusterURL}} {
		if more.url != "" {
			e.Say("  %s on %s", more.what, more.url)
		}
	}
	if r.Store != "" {
		e.Say("  streams in %s", r.Store)
	}
	e.Say("Next: nats --context %s sub '>'", r.Context)
	if r.SystemContext != "" {
		e.Say("  or for the system account: nats --context %s", r.SystemContext)
	}
}

// demanded are the credentials that clients will have to present. They come from flags and their variables alone.
func demanded(ctx context.Context, e *env.Env) (contexts.Resolved, error) {
	req := contexts.Request{NoContext: true, Settings: map[contexts.Key]contexts.Given{}, Password: e.Request.Password}
	if e.Request.Context.From.Kind == contexts.FromFlag {
		return contexts.Resolved{}, fail.Usagef("--context is for clients: a server demands what --token, or --user and --password, say")
	}
	for key, given := range e.Request.Settings {
		switch key {
		case contexts.KeyUser, contexts.KeyPassword, contexts.KeyPasswordFile, contexts.KeyPasswordStdin, contexts.KeyToken, contexts.KeyJSDomain:
			req.Settings[key] = given
		case contexts.KeyServer, contexts.KeyCreds, contexts.KeyNKey, contexts.KeyJWT, contexts.KeySeed:
			if given.From.Kind == contexts.FromFlag {
				return contexts.Resolved{}, fail.Usagef("--%s is for clients: a server demands what --token, or --user and --password, say", key)
			}
		}
	}
	return contexts.Resolve(ctx, e.Contexts, req)
}

// server turns the flags into a server. Without a configuration file it listens on the loopback interface, with JetStream,
// and lets nobody in who has no credentials.
func (o runOptions) server(e *env.Env, creds contexts.Resolved) (embedded.Options, error) {
	s := embedded.Options{
		Host: o.host, Port: int(o.port), Websocket: int(o.websocket), Monitor: int(o.monitor), Domain: creds.JSDomain, Clean: o.clean,
		LeafListen: o.leafListen, Cluster: o.cluster, ClusterListen: o.clusterListen, Routes: o.routes, Log: e.Log,
		JetStream: o.jetstream, NoJetStream: o.jetstreamSet && !o.jetstream,
		Token: creds.Token, User: creds.User, Password: creds.Password,
	}
	if (s.User == "") != (s.Password == "") {
		return s, fail.Usagef("a server needs both --user and --password, or --token")
	}
	for _, url := range o.leafs {
		leaf := embedded.Leaf{URL: url}
		if o.leafCreds != "" {
			leaf.Creds = e.Files.Path(o.leafCreds)
		}
		s.Leafs = append(s.Leafs, leaf)
	}
	if o.store != "" {
		s.Store = e.Files.Path(o.store)
	}
	if o.config != "" {
		s.Config = e.Files.Path(o.config)
		return s, nil
	}
	s.Name = o.name
	s.JetStream = o.jetstream || !o.jetstreamSet
	if s.JetStream && s.Store == "" {
		dir, err := dataHome(e)
		if err != nil {
			return s, err
		}
		s.Store = filepath.Join(dir, "nats", "server", o.name)
	}
	if !s.JetStream {
		s.Store = ""
	}
	madeUp(&s)
	return s, nil
}

// dataHome is the root for data of the user: $XDG_DATA_HOME, else ~/.local/share.
func dataHome(e *env.Env) (string, error) {
	if dir := e.Getenv("XDG_DATA_HOME"); dir != "" {
		return dir, nil
	}
	home := e.Getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", fail.Usagef("no home directory for the store: pass --store DIR")
		}
	}
	return filepath.Join(home, ".local", "share"), nil
}
