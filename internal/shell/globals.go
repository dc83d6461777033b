package shell

import (
	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
)

// globals are the flags of every command line and what was given for them.
type globals struct {
	settings []*setting
	context  setting

	noContext   bool
	trace       bool
	noPrompt    bool
	showSecrets bool
	utc         bool
	insecure    bool
	pwStdin     bool
}

// setting is one connection setting: its flag, its variable, and what the parser found.
type setting struct {
	key    contexts.Key
	env    string
	values []string
	value  string
	bool   bool
	isBool bool
	set    bool // by the user, on the command line
}

type declaration struct {
	key, env, placeholder, help string
	short                       rune
	list                        bool
}

// The connection settings in the order of the help. Colors, trace and the booleans are declared beside them.
func declarations() []declaration {
	return []declaration{
		{key: "server", short: 's', env: "NATS_URL", placeholder: "URL", help: "Server URLs, separated by commas"},
		{key: "user", env: "NATS_USER", placeholder: "USER", help: "User name; alone it is sent as a token"},
		{key: "password", env: "NATS_PASSWORD", placeholder: "PASSWORD", help: "Password of the user"},
		{key: "password-file", placeholder: "FILE", help: "Read the password from the first line of FILE"},
		{key: "token", env: "NATS_TOKEN", placeholder: "TOKEN", help: "Token to authenticate with"},
		{key: "connection-name", placeholder: "NAME", help: "Name under which servers list the connection"},
		{key: "creds", env: "NATS_CREDS", placeholder: "LOCATION", help: "Credentials: a file or a file:, op:, nsc:, env: or data: reference"},
		{key: "nkey", env: "NATS_NKEY", placeholder: "LOCATION", help: "NKey seed: a file or a reference"},
		{key: "jwt", env: "NATS_JWT", placeholder: "LOCATION", help: "User JWT, or a reference to it"},
		{key: "seed", env: "NATS_SEED", placeholder: "LOCATION", help: "User seed that goes with the JWT, or a reference to it"},
		{key: "tlscert", env: "NATS_CERT", placeholder: "FILE", help: "Certificate for the client side of TLS"},
		{key: "tlskey", env: "NATS_KEY", placeholder: "FILE", help: "Private key of the certificate"},
		{key: "tlsca", env: "NATS_CA", placeholder: "FILE", help: "Certificates of the authorities to trust"},
		{key: "tls-server-name", placeholder: "NAME", help: "Name that the server's certificate must carry"},
		{key: "timeout", env: "NATS_TIMEOUT", help: "How long to wait for answers"},
		{key: "socks-proxy", env: "NATS_SOCKS_PROXY", placeholder: "PROXY", help: "SOCKS5 proxy to connect through; none clears it"},
		{key: "http-proxy", placeholder: "URL", help: "HTTP proxy to connect through"},
		{key: "ws-header", placeholder: "K:V", list: true, help: "Header to send when a websocket is opened"},
		{key: "js-api-prefix", placeholder: "PREFIX", help: "Subject prefix of the JetStream API"},
		{key: "js-event-prefix", placeholder: "PREFIX", help: "Subject prefix of JetStream events"},
		{key: "js-domain", placeholder: "DOMAIN", help: "JetStream domain to talk to"},
		{key: "inbox-prefix", placeholder: "PREFIX", help: "Subject prefix of inboxes, instead of _INBOX"},
	}
}

var colorSchemes = []string{"blue", "cyan", "double", "green", "magenta", "red", "rounded", "yellow"}

func (g *globals) bind(app *fisk.Application) {
	var domain *setting
	for _, d := range declarations() {
		s := &setting{key: contexts.Key(d.key), env: d.env}
		g.settings = append(g.settings, s)
		f := app.Flag(d.key, d.help).IsSetByUser(&s.set)
		if d.short != 0 {
			f.Short(d.short)
		}
		if d.placeholder != "" {
			f.PlaceHolder(d.placeholder)
		}
		if d.env != "" {
			f.Envar(d.env)
		}
		switch {
		case d.list:
			f.StringsVar(&s.values)
		case d.key == "timeout":
			f.Default("5s").Validator(validDuration).StringVar(&s.value)
		default:
			f.StringVar(&s.value)
		}
		if d.key == "js-domain" {
			domain = s
		}
	}
	app.Flag("domain", "JetStream domain to talk to").Hidden().PlaceHolder("DOMAIN").IsSetByUser(&domain.set).StringVar(&domain.value)

	g.boolean(app, "tlsfirst", "Start TLS before the server says what it is", "tls-first")
	bindCertStore(g, app)

	colors := &setting{key: "colors", env: "NATS_COLOR"}
	g.settings = append(g.settings, colors)
	app.Flag("colors", "Colour scheme, or border style").PlaceHolder("SCHEME").Envar("NATS_COLOR").IsSetByUser(&colors.set).EnumVar(&colors.value, colorSchemes...)

	g.context.env = "NATS_CONTEXT"
	app.Flag("context", "Named set of connection settings, or a file of one").PlaceHolder("NAME").Envar("NATS_CONTEXT").IsSetByUser(&g.context.set).StringVar(&g.context.value)
	app.Flag("no-context", "Use no context, not even the selected one").UnNegatableBoolVar(&g.noContext)
	app.Flag("trace", "Show API traffic and connection events").UnNegatableBoolVar(&g.trace)
	app.Flag("tls-insecure", "Accept any server certificate; never saved").UnNegatableBoolVar(&g.insecure)
	app.Flag("password-stdin", "Read the password from the first line of standard input, or ask for it on a terminal").UnNegatableBoolVar(&g.pwStdin)
	app.Flag("no-prompt", "Ask nothing, fail instead").UnNegatableBoolVar(&g.noPrompt)
	app.Flag("show-secrets", "Show passwords, tokens and seeds instead of stars").UnNegatableBoolVar(&g.showSecrets)
	app.Flag("utc", "Show times in UTC").UnNegatableBoolVar(&g.utc)
}

func (g *globals) boolean(app *fisk.Application, name, help string, hiddenAlias string) {
	s := &setting{key: contexts.Key(name), isBool: true}
	g.settings = append(g.settings, s)
	app.Flag(name, help).IsSetByUser(&s.set).BoolVar(&s.bool)
	if hiddenAlias != "" {
		app.Flag(hiddenAlias, help).Hidden().IsSetByUser(&s.set).BoolVar(&s.bool)
	}
}

func validDuration(s string) error {
	_, err := flagval.ParseDuration(s)
	return err
}

// request is what was given, by flag or else by variable, with its origin. getenv stands for the process's environment.
func (g *globals) request(getenv func(string) string) (contexts.Request, error) {
	r := contexts.Request{NoContext: g.noContext, Settings: map[contexts.Key]contexts.Given{}}
	for _, s := range g.settings {
		given, ok, err := s.given(getenv)
		if err != nil {
			return r, err
		}
		if ok {
			r.Settings[s.key] = given
		}
	}
	ctx, ok, err := (&setting{key: "context", env: g.context.env, set: g.context.set, value: g.context.value}).given(getenv)
	if err != nil {
		return r, err
	}
	if ok {
		r.Context = ctx
	}
	for key, on := range map[contexts.Key]bool{"trace": g.trace, "tls-insecure": g.insecure, "password-stdin": g.pwStdin} {
		if on {
			r.Settings[key] = contexts.Given{Values: []string{"true"}, From: flagOrigin(key)}
		}
	}
	return r, nil
}

func flagOrigin(key contexts.Key) contexts.Origin {
	return contexts.Origin{Kind: contexts.FromFlag, Name: "--" + string(key)}
}

func (s *setting) given(getenv func(string) string) (contexts.Given, bool, error) {
	switch {
	case s.set && s.isBool:
		v := "false"
		if s.bool {
			v = "true"
		}
		return contexts.Given{Values: []string{v}, From: flagOrigin(s.key)}, true, nil
	case s.set && s.values != nil:
		return contexts.Given{Values: s.values, From: flagOrigin(s.key)}, true, nil
	case s.set:
		return contexts.Given{Values: []string{s.value}, From: flagOrigin(s.key)}, true, nil
	}
	if s.env == "" {
		return contexts.Given{}, false, nil
	}
	v := getenv(s.env)
	if v == "" {
		return contexts.Given{}, false, nil
	}
	if s.key == "timeout" {
		if err := validDuration(v); err != nil {
			return contexts.Given{}, false, fail.Usagef("$%s: %w", s.env, err)
		}
	}
	return contexts.Given{Values: []string{v}, From: contexts.Origin{Kind: contexts.FromEnv, Name: s.env}}, true, nil
}
