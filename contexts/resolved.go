package contexts

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// embeddedScheme marks the URL of a server that runs inside this process on the data of a directory: embedded:DIR.
const embeddedScheme = "embedded:"

// DefaultTimeout is how long answers are waited for when nothing else is said.
const DefaultTimeout = 5 * time.Second

// Resolved is the settings in effect. It prints and marshals without its secrets; its fields hold them in clear.
type Resolved struct {
	Context     string // name of the context in use, or the path it was named by; empty when there is none
	ContextPath string // its file
	Description string

	URL      string // one or more server URLs, comma separated
	User     string
	Password string // literal, or a reference that is looked up when connecting, as are the next five
	Token    string
	Creds    string
	NKey     string
	JWT      string
	Seed     string

	Cert, Key, CA    string // paths
	TLSFirst         bool
	TLSInsecure      bool
	TLSServerName    string
	CertStore        string
	CertStoreMatch   string
	CertStoreMatchBy string
	CertStoreCAMatch []string

	SocksProxy string
	HTTPProxy  string
	WSHeaders  []string // "Name: value"

	JSDomain      string
	JSAPIPrefix   string
	JSEventPrefix string
	InboxPrefix   string

	ColorScheme    string
	ConnectionName string
	Timeout        time.Duration
	Trace          bool
	Protected      bool     // the context is one where destructive commands ask twice
	Warnings       []string // for the user, once, before anything else

	origins map[Key]Origin
	getenv  func(string) string
	literal bool // Password is what it says, even if it looks like a reference
}

// Origin is where the value of k came from; settings that nothing was said of are from the default.
func (r Resolved) Origin(k Key) Origin { return r.origins[k] }

// List is every setting in effect, in a fixed order. Without showSecrets, secrets and what URLs carry of them are redacted.
func (r Resolved) List(showSecrets bool) []Effective {
	out := []Effective{}
	for _, row := range settings() {
		v := row.text(&r)
		if v == "" {
			if o := r.origins[row.key]; o.Kind == FromDefault {
				continue
			}
		}
		if !showSecrets {
			v = r.shown(row.key, v)
		}
		out = append(out, Effective{row.key, v, r.Origin(row.key)})
	}
	return out
}

func (r Resolved) shown(k Key, v string) string {
	switch k {
	case KeyPassword:
		if r.literal {
			return Redacted
		}
	case KeyWSHeader:
		var names []string
		for _, h := range r.WSHeaders {
			names = append(names, redactHeader(h))
		}
		return strings.Join(names, ", ")
	}
	return redactSetting(k, v)
}

// Embedded is the directory of the server that runs inside this process, if that is what the URL asks for. There are no sockets then.
func (r Resolved) Embedded() (dir string, ok bool) { return strings.CutPrefix(r.URL, embeddedScheme) }

// Who names the identity that is shown to the server, without any secret: `user "bob"`, `a token`, `the credentials in FILE`.
func (r Resolved) Who() string {
	switch {
	case r.User != "":
		return fmt.Sprintf("user %q", r.User)
	case r.Creds != "":
		return "the credentials in " + redactLocation(r.Creds)
	case r.NKey != "":
		return "the nkey in " + redactLocation(r.NKey)
	case r.JWT != "":
		return "a user JWT"
	case r.Token != "":
		return "a token"
	}
	if name, pair := urlUser(r.URL); pair {
		return fmt.Sprintf("user %q", name)
	} else if name != "" {
		return "a token"
	}
	return "no credentials"
}

// identityKey is the setting Who speaks of.
func (r Resolved) identityKey() Key {
	for _, k := range []struct {
		value string
		key   Key
	}{{r.User, KeyUser}, {r.Creds, KeyCreds}, {r.NKey, KeyNKey}, {r.JWT, KeyJWT}, {r.Token, KeyToken}} {
		if k.value != "" {
			return k.key
		}
	}
	return KeyServer
}

func (r Resolved) lookup(name string) string {
	if r.getenv == nil {
		return os.Getenv(name)
	}
	return r.getenv(name)
}

// String is a short form for logs.
func (r Resolved) String() string {
	return fmt.Sprintf("contexts.Resolved{%s (%s) as %s}", RedactURL(r.URL), r.Origin(KeyServer), r.Who())
}

// GoString keeps %#v as discreet as %v.
func (r Resolved) GoString() string { return r.String() }

// MarshalJSON writes List without secrets, so that a Resolved within another value gives none away.
func (r Resolved) MarshalJSON() ([]byte, error) {
	type row struct {
		Key   Key    `json:"key"`
		Value string `json:"value"`
		From  string `json:"from"`
	}
	rows := []row{}
	for _, e := range r.List(false) {
		rows = append(rows, row{e.Key, e.Value, e.From.String()})
	}
	return json.Marshal(rows)
}
