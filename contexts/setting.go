package contexts

import (
	"strings"
)

// Key is the long name of a global flag, which is also the name of the setting in lists and in --unset.
type Key string

// The settings.
const (
	KeyServer           Key = "server"
	KeyUser             Key = "user"
	KeyPassword         Key = "password"
	KeyPasswordFile     Key = "password-file"  // gives KeyPassword
	KeyPasswordStdin    Key = "password-stdin" // gives KeyPassword
	KeyToken            Key = "token"
	KeyCreds            Key = "creds"
	KeyNKey             Key = "nkey"
	KeyJWT              Key = "jwt"
	KeySeed             Key = "seed"
	KeyTLSCert          Key = "tlscert"
	KeyTLSKey           Key = "tlskey"
	KeyTLSCA            Key = "tlsca"
	KeyTLSFirst         Key = "tlsfirst"
	KeyTLSInsecure      Key = "tls-insecure"
	KeyTLSServerName    Key = "tls-server-name"
	KeyCertStore        Key = "certstore"
	KeyCertStoreMatch   Key = "certstore-match"
	KeyCertStoreMatchBy Key = "certstore-match-by"
	KeyCertStoreCAMatch Key = "certstore-ca-match" // repeatable
	KeyTimeout          Key = "timeout"
	KeySocksProxy       Key = "socks-proxy"
	KeyHTTPProxy        Key = "http-proxy"
	KeyWSHeader         Key = "ws-header" // repeatable, "Name: value"
	KeyJSAPIPrefix      Key = "js-api-prefix"
	KeyJSEventPrefix    Key = "js-event-prefix"
	KeyJSDomain         Key = "js-domain"
	KeyInboxPrefix      Key = "inbox-prefix"
	KeyColors           Key = "colors"
	KeyConnectionName   Key = "connection-name"
	KeyTrace            Key = "trace"
)

// setting says where one setting lives: in the environment, in a context file or in guard.json, and in a Resolved.
type setting struct {
	key   Key
	env   string
	json  string                   // its key in a context file; empty when contexts do not hold it
	guard string                   // its key in guard.json, for what other tools would drop from a context file
	text  func(r *Resolved) string // the value as text; empty when not set
	put   func(r *Resolved, v []string) error
	doc   string // one line for the commented form in which contexts are edited
}

// settings is in the order in which values are listed. It is a function so that importing the package costs nothing.
func settings() []setting {
	return []setting{
		str(KeyServer, "NATS_URL", "url", "server URLs, separated by commas", func(r *Resolved) *string { return &r.URL }),
		str(KeyUser, "NATS_USER", "user", "user name", func(r *Resolved) *string { return &r.User }),
		str(KeyPassword, "NATS_PASSWORD", "password", "password, or where it is: env://NAME, file://PATH, op://…", func(r *Resolved) *string { return &r.Password }),
		str(KeyToken, "NATS_TOKEN", "token", "token, or where it is, as for password", func(r *Resolved) *string { return &r.Token }),
		str(KeyCreds, "NATS_CREDS", "creds", "credentials file, or nsc://OPERATOR/ACCOUNT/USER, op://…, env://NAME, data:…", func(r *Resolved) *string { return &r.Creds }),
		str(KeyNKey, "NATS_NKEY", "nkey", "nkey seed file, or where it is, as for creds", func(r *Resolved) *string { return &r.NKey }),
		str(KeyJWT, "NATS_JWT", "user_jwt", "user JWT, or where it is", func(r *Resolved) *string { return &r.JWT }),
		str(KeySeed, "NATS_SEED", "user_seed", "seed that signs for user_jwt, or where it is", func(r *Resolved) *string { return &r.Seed }),
		str(KeyTLSCert, "NATS_CERT", "cert", "TLS client certificate file", func(r *Resolved) *string { return &r.Cert }),
		str(KeyTLSKey, "NATS_KEY", "key", "TLS client key file", func(r *Resolved) *string { return &r.Key }),
		str(KeyTLSCA, "NATS_CA", "ca", "file of the certificate authorities to accept", func(r *Resolved) *string { return &r.CA }),
		flag(KeyTLSFirst, "tls_first", "TLS handshake before the server says anything", func(r *Resolved) *bool { return &r.TLSFirst }),
		flag(KeyTLSInsecure, "", "", func(r *Resolved) *bool { return &r.TLSInsecure }),
		guarded(str(KeyTLSServerName, "", "", "name the server's certificate must carry", func(r *Resolved) *string { return &r.TLSServerName }), "tls_server_name"),
		str(KeyCertStore, "", "windows_cert_store", "Windows certificate store: user or machine", func(r *Resolved) *string { return &r.CertStore }),
		str(KeyCertStoreMatch, "", "windows_cert_match", "which certificate of the store", func(r *Resolved) *string { return &r.CertStoreMatch }),
		str(KeyCertStoreMatchBy, "", "windows_cert_match_by", "what is matched: subject or issuer", func(r *Resolved) *string { return &r.CertStoreMatchBy }),
		list(KeyCertStoreCAMatch, "windows_ca_certs_match", "which authorities of the store", func(r *Resolved) *[]string { return &r.CertStoreCAMatch }),
		timeoutSetting(),
		str(KeySocksProxy, "NATS_SOCKS_PROXY", "socks_proxy", "SOCKS5 proxy", func(r *Resolved) *string { return &r.SocksProxy }),
		guarded(str(KeyHTTPProxy, "", "", "HTTP proxy that allows CONNECT", func(r *Resolved) *string { return &r.HTTPProxy }), "http_proxy"),
		guarded(list(KeyWSHeader, "", "headers of the websocket handshake, each \"Name: value\"", func(r *Resolved) *[]string { return &r.WSHeaders }), "ws_headers"),
		str(KeyJSAPIPrefix, "", "jetstream_api_prefix", "subject prefix of the JetStream API", func(r *Resolved) *string { return &r.JSAPIPrefix }),
		str(KeyJSEventPrefix, "", "jetstream_event_prefix", "subject prefix of JetStream events", func(r *Resolved) *string { return &r.JSEventPrefix }),
		str(KeyJSDomain, "", "jetstream_domain", "JetStream domain", func(r *Resolved) *string { return &r.JSDomain }),
		str(KeyInboxPrefix, "", "inbox_prefix", "subject prefix of replies, instead of _INBOX", func(r *Resolved) *string { return &r.InboxPrefix }),
		str(KeyColors, "NATS_COLOR", "color_scheme", "colour scheme of tables", func(r *Resolved) *string { return &r.ColorScheme }),
		str(KeyConnectionName, "", "", "", func(r *Resolved) *string { return &r.ConnectionName }),
		flag(KeyTrace, "", "", func(r *Resolved) *bool { return &r.Trace }),
	}
}

func str(k Key, env, json, doc string, field func(*Resolved) *string) setting {
	return setting{
		key: k, env: env, json: json, doc: doc,
		text: func(r *Resolved) string { return *field(r) },
		put:  func(r *Resolved, v []string) error { *field(r) = v[len(v)-1]; return nil },
	}
}

func list(k Key, json, doc string, field func(*Resolved) *[]string) setting {
	return setting{
		key: k, json: json, doc: doc,
		text: func(r *Resolved) string { return strings.Join(*field(r), ", ") },
		put:  func(r *Resolved, v []string) error { *field(r) = v; return nil },
	}
}

func flag(k Key, json, doc string, field func(*Resolved) *bool) setting {
	return setting{
		key: k, json: json, doc: doc,
		text: func(r *Resolved) string {
			if *field(r) {
				return "true"
			}
			return ""
		},
		put: func(r *Resolved, v []string) (err error) { *field(r), err = parseBool(v[len(v)-1]); return err },
	}
}

func timeoutSetting() setting {
	return setting{
		key: KeyTimeout, env: "NATS_TIMEOUT",
		text: func(r *Resolved) string { return r.Timeout.String() },
		put:  func(r *Resolved, v []string) (err error) { r.Timeout, err = parseTimeout(v[len(v)-1]); return err },
	}
}

func guarded(s setting, key string) setting {
	s.guard = key
	return s
}

// stored is the name under which the setting is kept, empty when it is not kept at all.
func (s setting) stored() string {
	if s.json != "" {
		return s.json
	}
	return s.guard
}

// EnvOf is the environment variable that stands for a flag, empty when there is none.
func EnvOf(k Key) string {
	for _, s := range settings() {
		if s.key == k {
			return s.env
		}
	}
	return ""
}

// FromEnvironment is what the environment alone says of the settings, for programs without a flag parser. Empty variables are left out.
func FromEnvironment(getenv func(string) string) map[Key]Given {
	out := map[Key]Given{}
	for _, s := range settings() {
		if s.env == "" {
			continue
		}
		if v := getenv(s.env); v != "" {
			out[s.key] = Given{Values: []string{v}, From: Origin{FromEnv, s.env}}
		}
	}
	return out
}
