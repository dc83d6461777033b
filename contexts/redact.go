package contexts

import (
	"net/url"
	"slices"
	"strings"
)

// Redacted stands where a secret was; it has the same length for all of them.
const Redacted = "*****"

// RedactURL hides passwords, tokens and queries in a comma separated list of server URLs, well-formed or not. User names that
// come with a password stay.
func RedactURL(urls string) string {
	parts := strings.Split(urls, ",")
	for i, p := range parts {
		parts[i] = redactOne(p)
	}
	return strings.Join(parts, ",")
}

// redactOne works on the text, since what cannot be parsed is what error messages quote.
func redactOne(u string) string {
	if strings.HasPrefix(u, embeddedScheme) {
		return u
	}
	scheme, rest := splitScheme(u)
	// Everything up to the last @ may be part of a password with an @ or a / in it.
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, _, pair := strings.Cut(rest[:at], ":")
		if pair && !strings.ContainsAny(user, "/@?") {
			return scheme + user + ":" + Redacted + "@" + redactQuery(rest[at+1:])
		}
		return scheme + Redacted + "@" + redactQuery(rest[at+1:])
	}
	// A colon that no port follows: the first half of a password that has a comma in it.
	host, _, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, ":"); i >= 0 && !strings.HasSuffix(host, "]") && strings.Trim(host[i+1:], "0123456789") != "" && !strings.Contains(host[i+1:], "?") {
		return scheme + host[:i+1] + Redacted
	}
	return scheme + redactQuery(rest)
}

// splitScheme takes "nats://" off the front; what only looks like it further back is part of something else.
func splitScheme(u string) (scheme, rest string) {
	i := strings.Index(u, "://")
	if i < 0 || strings.ContainsAny(u[:i], ":@/?#, ") {
		return "", u
	}
	return u[:i+3], u[i+3:]
}

func redactQuery(s string) string {
	if before, _, found := strings.Cut(s, "?"); found {
		return before + "?" + Redacted
	}
	return s
}

// redactSecret hides a value that is a secret itself and shows one that only says where the secret is.
func redactSecret(v string) string {
	switch schemeOf(v) {
	case "":
		if v == "" {
			return ""
		}
	case "env", "file", "op", "nsc":
		return v
	case "data":
		return "data:" + Redacted
	}
	return Redacted
}

// redactLocation is for creds and nkey, where a bare value is a path.
func redactLocation(v string) string {
	if schemeOf(v) == "data" {
		return "data:" + Redacted
	}
	return v
}

func redactHeader(h string) string {
	name, _, found := strings.Cut(h, ":")
	if !found {
		return Redacted
	}
	return name + ": " + Redacted
}

// redactSetting is the form of a value that may be shown.
func redactSetting(k Key, v string) string {
	switch k {
	case KeyServer, KeySocksProxy, KeyHTTPProxy:
		return RedactURL(v)
	case KeyPassword, KeyToken, KeyJWT, KeySeed:
		return redactSecret(v)
	case KeyCreds, KeyNKey:
		return redactLocation(v)
	}
	return v
}

// schemeOf is the scheme of a reference that a credential resolver knows; everything else is a literal or a path. It parses as
// natscontext does, so that the two agree on what is a secret and what only points at one.
func schemeOf(v string) string {
	u, err := url.Parse(v)
	if err != nil {
		return ""
	}
	switch u.Scheme {
	case "env", "file", "op", "nsc", "data":
		return u.Scheme
	}
	return ""
}

// SecretsOf lists the secret texts in r, for scrubbing the environment of children, logs and errors: passwords, tokens, JWT,
// seeds, embedded credentials, those in URLs, header values, and the values of env:// references.
func SecretsOf(r Resolved) []string {
	var out []string
	add := func(v string) {
		if v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	if r.literal {
		add(r.Password)
	}
	for _, v := range []string{r.Password, r.Token, r.JWT, r.Seed, r.Creds, r.NKey} {
		switch schemeOf(v) {
		case "env":
			add(r.lookup(strings.TrimPrefix(v[len("env:"):], "//")))
		case "data":
			add(v)
			_, payload, _ := strings.Cut(v, ",")
			add(payload)
		case "":
			if v != r.Creds && v != r.NKey {
				add(v)
			}
		}
	}
	for _, list := range []string{r.URL, r.SocksProxy, r.HTTPProxy} {
		for u := range strings.SplitSeq(list, ",") {
			urlSecrets(u, add)
		}
	}
	for _, h := range r.WSHeaders {
		_, v, _ := strings.Cut(h, ":")
		add(strings.TrimSpace(v))
	}
	return out
}

func urlSecrets(u string, add func(string)) {
	_, rest := splitScheme(u)
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return
	}
	secret := rest[:at]
	if _, pass, pair := strings.Cut(secret, ":"); pair {
		secret = pass
	}
	add(secret)
	if plain, err := url.PathUnescape(secret); err == nil {
		add(plain)
	}
}

// scrub takes secrets out of text from elsewhere. Very short ones are left: replacing them would eat the text and save nothing.
func scrub(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, Redacted)
		}
	}
	return text
}

// scrubbed is an error whose text has lost its secrets and whose chain is intact.
type scrubbed struct {
	err  error
	text string
}

func (s *scrubbed) Error() string { return s.text }
func (s *scrubbed) Unwrap() error { return s.err }

func scrubError(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if clean := scrub(text, secrets); clean != text {
		return &scrubbed{err, clean}
	}
	return err
}
