package context

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

// document is the JSON of a context: the keys of its file and what is known beside it. Secrets are redacted unless --show-secrets.
type document struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	URL         string `json:"url"`
	SocksProxy  string `json:"socks_proxy"`
	Token       string `json:"token"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Creds       string `json:"creds"`
	NKey        string `json:"nkey"`
	Cert        string `json:"cert"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
	NSC         string `json:"nsc"`

	JSDomain      string `json:"jetstream_domain"`
	JSAPIPrefix   string `json:"jetstream_api_prefix"`
	JSEventPrefix string `json:"jetstream_event_prefix"`
	InboxPrefix   string `json:"inbox_prefix"`

	UserJWT     string `json:"user_jwt"`
	UserSeed    string `json:"user_seed"`
	ColorScheme string `json:"color_scheme"`
	TLSFirst    bool   `json:"tls_first"`

	CertStore        string   `json:"windows_cert_store"`
	CertStoreMatchBy string   `json:"windows_cert_match_by"`
	CertStoreMatch   string   `json:"windows_cert_match"`
	CertStoreCAMatch []string `json:"windows_ca_certs_match"`

	TLSServerName string   `json:"tls_server_name,omitempty"`
	HTTPProxy     string   `json:"http_proxy,omitempty"`
	WSHeaders     []string `json:"ws_headers,omitempty"`

	Selected  bool   `json:"selected"`
	Protected bool   `json:"protected"`
	ReadOnly  bool   `json:"read_only"`
	Path      string `json:"path"`
}

// findings is what info adds to a context: what was found out about it here and now.
type findings struct {
	Problems   []problem   `json:"problems"`
	Overrides  []string    `json:"overrides"` // variables of the environment that go before what is stored
	Connection *connection `json:"connection,omitempty"`
}

type problem struct {
	Key  string `json:"key"` // of the file; empty when it is about the whole
	Text string `json:"text"`
}

func (f problem) String() string {
	if f.Key == "" {
		return f.Text
	}
	return f.Key + ": " + f.Text
}

type connection struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// detailsShape is the JSON of details, for the documentation.
type detailsShape struct {
	document
	findings
}

// details is the info screen of one context.
type details struct {
	document
	findings

	raw  json.RawMessage   // the document with the keys that are not known here
	tags map[string]string // by key: what is said in parentheses behind the value
}

// describe finds out what there is to say of a context without connecting.
func describe(e *env.Env, st *contexts.Stored) (*details, error) {
	raw, err := st.JSON(e.ShowSecrets)
	if err != nil {
		return nil, err
	}
	d := &details{raw: raw, tags: map[string]string{}, findings: findings{Problems: []problem{}, Overrides: overrides(e)}}
	if err := json.Unmarshal(raw, &d.document); err != nil {
		return nil, err
	}
	bad := map[string]bool{}
	for _, p := range store(e).Check(st) {
		d.Problems = append(d.Problems, problem(p))
		bad[p.Key] = true
	}
	for _, key := range []string{"token", "password", "creds", "nkey", "cert", "key", "ca", "user_jwt", "user_seed"} {
		d.tag(key, st.Text(key), bad[key], e.ShowSecrets)
	}
	return d, nil
}

// tag says where the value of a credential is kept, and whether it can be had.
func (d *details) tag(key, value string, bad, show bool) {
	source := contexts.SourceOf(key, value)
	switch {
	case value == "":
	case bad:
		d.tags[key] = "ERROR"
	case source == contexts.SourceFile:
		d.tags[key] = "OK"
	case source == contexts.SourceEmbedded && !show:
		d.tags[key] = string(source)
	case source == contexts.SourceLiteral, source == contexts.SourceEmbedded:
	default:
		d.tags[key] = string(source)
	}
}

// overrides are the variables that are set and go before a context, in the order of the help.
func overrides(e *env.Env) []string {
	out := []string{}
	set := contexts.FromEnvironment(e.Getenv)
	for _, k := range []contexts.Key{
		contexts.KeyServer, contexts.KeyUser, contexts.KeyPassword, contexts.KeyToken, contexts.KeyCreds, contexts.KeyNKey, contexts.KeyJWT, contexts.KeySeed,
		contexts.KeyTLSCert, contexts.KeyTLSKey, contexts.KeyTLSCA, contexts.KeyTimeout, contexts.KeySocksProxy, contexts.KeyColors,
	} {
		if _, ok := set[k]; ok {
			out = append(out, contexts.EnvOf(k))
		}
	}
	return out
}

// JSON is the stored context with its unknown keys, and the findings.
func (d *details) JSON() any { return d.json() }

func (d *details) json() json.RawMessage {
	more, err := json.Marshal(d.findings)
	if err != nil {
		return d.raw
	}
	head := bytes.TrimSuffix(bytes.TrimSpace(d.raw), []byte("}"))
	return slices.Concat(head, []byte(","), bytes.TrimPrefix(more, []byte("{")))
}

// View is the info screen.
func (d *details) View(p *render.Page) {
	p.Heading("NATS Configuration Context %q", d.Name)
	for _, r := range d.rows() {
		if r.value != "" {
			p.Field(r.label, r.cell(d.tags[r.key]))
		}
	}
	if c := d.Connection; c != nil {
		if c.OK {
			p.Field("Connection", render.Good("OK"))
		} else {
			p.Field("Connection", render.Bad(c.Error))
		}
	}
	if len(d.Problems) > 0 {
		p.Gap()
	}
	for _, f := range d.Problems {
		p.Line("%s %s", render.Bad("ERROR:"), f.String())
	}
	if len(d.Overrides) > 0 {
		p.Gap()
		p.Line("%s Shell environment overrides in place using %s", render.Warn("WARNING:"), strings.Join(d.Overrides, ", "))
	}
}

// row is one line of the screen; a row without a value is left out.
type row struct{ label, key, value string }

func (d *details) rows() []row {
	yes := func(on bool) string {
		if on {
			return "true"
		}
		return ""
	}
	return []row{
		{"Description", "", d.Description},
		{"Server URLs", "", d.URL},
		{"SOCKS5 Proxy", "", d.SocksProxy},
		{"HTTP Proxy", "", d.HTTPProxy},
		{"Websocket Headers", "", strings.Join(d.WSHeaders, ", ")},
		{"Username", "", d.User},
		{"Password", "password", d.Password},
		{"Token", "token", d.Token},
		{"Credentials", "creds", d.Creds},
		{"User JWT", "user_jwt", d.UserJWT},
		{"User Seed", "user_seed", d.UserSeed},
		{"NKey", "nkey", d.NKey},
		{"Certificate", "cert", d.Cert},
		{"Key", "key", d.Key},
		{"Certificate Store", "", d.CertStore},
		{"Certificate Store Match", "", d.CertStoreMatch},
		{"Certificate Store Match By", "", d.CertStoreMatchBy},
		{"Certificate Store CA Match", "", strings.Join(d.CertStoreCAMatch, ", ")},
		{"CA", "ca", d.CA},
		{"TLS First", "", yes(d.TLSFirst)},
		{"TLS Server Name", "", d.TLSServerName},
		{"NSC Lookup", "", d.NSC},
		{"JS API Prefix", "", d.JSAPIPrefix},
		{"JS Event Prefix", "", d.JSEventPrefix},
		{"JS Domain", "", d.JSDomain},
		{"Inbox Prefix", "", d.InboxPrefix},
		{"Protected", "", yes(d.Protected)},
		{"Path", "", d.Path},
		{"Color Scheme", "", d.ColorScheme},
	}
}

func (r row) cell(tag string) any {
	switch tag {
	case "":
		return r.value
	case string(contexts.SourceEmbedded):
		return tag
	case "ERROR":
		return render.Sprintf("%s %s", r.value, render.Bad("(ERROR)"))
	}
	return render.Sprintf("%s (%s)", r.value, tag)
}
