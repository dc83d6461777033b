package contexts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/contexts/internal/jsonfile"
	"github.com/natskit/natskit/contexts/internal/near"
)

// Entry is one row of a listing: a context, or why it cannot be read.
type Entry struct {
	Name   string
	Stored *Stored // nil when Err is set
	Err    error
}

// Entries loads every context that List names.
func (s *Store) Entries(ctx context.Context) ([]Entry, error) {
	names, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	out := []Entry{}
	for _, name := range names {
		st, err := s.Load(ctx, name)
		if err != nil {
			st = nil
		}
		out = append(out, Entry{name, st, err})
	}
	return out, nil
}

// JSON is the context for machines: its name, every setting that natscontext knows under its key, what else the file holds, and
// selected, protected, read_only and path. Without showSecrets, secrets and those in URLs are redacted, and of unknown keys
// those that sound like secrets.
func (st *Stored) JSON(showSecrets bool) (json.RawMessage, error) {
	known, err := st.fields()
	if err != nil {
		return nil, err
	}
	known.Remove("name")
	var out jsonfile.Object
	out.Set("name", jsonfile.Encode(st.Name))
	for _, m := range known {
		v, err := jsonfile.Decode(m.Value)
		if err != nil {
			return nil, err
		}
		if text, ok := v.(string); ok && !showSecrets {
			v = redactKey(m.Name, text)
		}
		out.Set(m.Name, jsonfile.Encode(v))
	}
	for _, m := range st.doc {
		if out.Get(m.Name) != nil {
			continue
		}
		if !showSecrets {
			v, err := jsonfile.Decode(m.Value)
			if err != nil {
				return nil, err
			}
			m.Value = jsonfile.Encode(redactUnknown(m.Name, v))
		}
		out = append(out, m)
	}
	for _, m := range st.extraMembers() {
		v := m.Value
		if !showSecrets {
			v = redactExtra(m)
		}
		out.Set(m.Name, v)
	}
	out.Set("selected", jsonfile.Encode(st.Selected))
	out.Set("protected", jsonfile.Encode(st.Protected))
	out.Set("read_only", jsonfile.Encode(st.ReadOnly))
	out.Set("path", jsonfile.Encode(st.Path))
	return out.MarshalJSON()
}

// extraMembers is what guard.json adds to the context, in the order of the settings.
func (st *Stored) extraMembers() jsonfile.Object {
	var out jsonfile.Object
	if st.extras.TLSServerName != "" {
		out.Set("tls_server_name", jsonfile.Encode(st.extras.TLSServerName))
	}
	if st.extras.HTTPProxy != "" {
		out.Set("http_proxy", jsonfile.Encode(st.extras.HTTPProxy))
	}
	if len(st.extras.WSHeaders) > 0 {
		out.Set("ws_headers", jsonfile.Encode(st.extras.WSHeaders))
	}
	return out
}

func redactExtra(m jsonfile.Member) json.RawMessage {
	lines := textsOf(m.Value)
	switch m.Name {
	case "ws_headers":
		for i, l := range lines {
			lines[i] = redactHeader(l)
		}
		return jsonfile.Encode(lines)
	case "http_proxy":
		return jsonfile.Encode(RedactURL(lines[0]))
	}
	return m.Value
}

// redactKey is redactSetting by the key of the file.
func redactKey(key, v string) string {
	for _, row := range settings() {
		if row.stored() == key {
			return redactSetting(row.key, v)
		}
	}
	return v
}

// redactUnknown hides what stands under a name that sounds like a secret, at any depth.
func redactUnknown(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			v[k] = redactUnknown(k, inner)
		}
		return v
	case []any:
		for i, inner := range v {
			v[i] = redactUnknown(name, inner)
		}
		return v
	}
	if soundsSecret(name) {
		return Redacted
	}
	return v
}

func soundsSecret(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc([]string{"pass", "secret", "token", "seed", "jwt", "key", "cred"}, func(word string) bool { return strings.Contains(key, word) })
}

// Shown is one value of the file by its JSON key as it may be shown: redacted unless showSecrets.
func (st *Stored) Shown(key string, showSecrets bool) string {
	v := st.doc.Text(key)
	for _, m := range st.extraMembers() {
		if m.Name == key {
			v = strings.Join(textsOf(m.Value), ", ")
			if !showSecrets {
				v = strings.Join(textsOf(redactExtra(m)), ", ")
			}
			return v
		}
	}
	if showSecrets {
		return v
	}
	return redactKey(key, v)
}

func (st *Stored) secrets() []string {
	return SecretsOf(Resolved{
		URL: st.doc.Text("url"), SocksProxy: st.doc.Text("socks_proxy"), HTTPProxy: st.extras.HTTPProxy, WSHeaders: st.extras.WSHeaders,
		Password: st.doc.Text("password"), Token: st.doc.Text("token"), JWT: st.doc.Text("user_jwt"), Seed: st.doc.Text("user_seed"),
		Creds: st.doc.Text("creds"), NKey: st.doc.Text("nkey"),
	})
}

// AuthKind is how the context authenticates: "user", "creds", "nkey", "jwt", "nsc", "token", "tls", "url" or "none".
func (st *Stored) AuthKind() string {
	for _, k := range [][2]string{{"user", "user"}, {"creds", "creds"}, {"nkey", "nkey"}, {"user_jwt", "jwt"}, {"nsc", "nsc"}, {"token", "token"}} {
		if st.doc.Text(k[0]) != "" {
			return k[1]
		}
	}
	if name, _ := urlUser(st.doc.Text("url")); name != "" {
		return "url"
	}
	if st.doc.Text("cert") != "" || st.doc.Text("windows_cert_store") != "" {
		return "tls"
	}
	return "none"
}

// Source is where the value of a credential setting is kept.
type Source string

// The sources.
const (
	SourceLiteral     Source = "literal"
	SourceFile        Source = "file"
	SourceEmbedded    Source = "embedded data"
	SourceEnvironment Source = "runtime environment"
	Source1Password   Source = "1Password"
	SourceNSC         Source = "nsc"
)

// SourceOf is where the value of a file's key is kept; bare values of creds, nkey, cert, key and ca are files.
func SourceOf(key, value string) Source {
	switch schemeOf(value) {
	case "file":
		return SourceFile
	case "data":
		return SourceEmbedded
	case "env":
		return SourceEnvironment
	case "op":
		return Source1Password
	case "nsc":
		return SourceNSC
	}
	if slices.Contains(pathKeys, key) || strings.HasPrefix(key, "user_") && looksLikePath(value) {
		return SourceFile
	}
	return SourceLiteral
}

// Problem is something in a context that will not work.
type Problem struct {
	Key  string // of the file
	Text string // what is wrong, without secrets
}

// Check finds what can be found wrong without connecting: bad URLs, files that cannot be read, unset variables, more than one
// kind of credentials, halves of pairs, and keys that are no settings.
func (s *Store) Check(st *Stored) []Problem {
	out := []Problem{}
	add := func(key, format string, args ...any) { out = append(out, Problem{key, fmt.Sprintf(format, args...)}) }
	if u := st.doc.Text("url"); u != "" {
		from := Origin{FromContext, st.Label()}
		if err := checkURLs(expandKnown(u, s.getenv), from); err != nil {
			add("url", "%v", err)
		}
	}
	if err := st.Context.Validate(); err != nil && !errors.Is(err, natscontext.ErrInvalidName) {
		add("", "%v", err)
	}
	if st.from.dir != "" && !st.from.trusted {
		if err := st.from.fence(st); err != nil {
			add("", "%v", err)
		}
	}
	for _, key := range []string{"creds", "nkey", "cert", "key", "ca", "user_jwt", "user_seed", "password", "token"} {
		if err := s.reachable(st, key); err != nil {
			add(key, "%v", err)
		}
	}
	if (st.doc.Text("cert") == "") != (st.doc.Text("key") == "") {
		add("cert", "cert and key only work together")
	}
	for _, key := range st.Unknown() {
		text := "is not a setting of contexts"
		if close := near.Names(key, knownKeys()); len(close) > 0 {
			text += ", did you mean " + strings.Join(close, " or ") + "?"
		}
		add(key, "%s", text)
	}
	return out
}

func (s *Store) reachable(st *Stored, key string) error {
	v := st.doc.Text(key)
	if v == "" {
		return nil
	}
	if st.from.dir != "" && slices.Contains(pathKeys, key) {
		v = st.from.local(v)
	}
	switch SourceOf(key, v) {
	case SourceFile:
		f, err := os.Open(expandPath(filePath(v), s.getenv))
		if err != nil {
			return err
		}
		return f.Close()
	case SourceEnvironment:
		if name := strings.TrimPrefix(v, "env://"); s.getenv(name) == "" {
			return fmt.Errorf("the variable %s is not set", name)
		}
	}
	return nil
}

// knownKeys is every key that a context file may have.
func knownKeys() []string {
	out := []string{"name", "description", "nsc"}
	for _, row := range settings() {
		if row.json != "" {
			out = append(out, row.json)
		}
	}
	return out
}

// Unknown is the keys of the file that are no settings; they are kept, and do nothing.
func (st *Stored) Unknown() []string {
	var out []string
	known := knownKeys()
	for _, m := range st.doc {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, m.Name) }) {
			out = append(out, m.Name)
		}
	}
	return out
}
