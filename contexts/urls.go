package contexts

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/natskit/natskit/internal/fail"
)

// checkURLs refuses what the client would only stumble over later, without quoting any secret.
func checkURLs(list string, from Origin) error {
	code := fail.Usage
	if from.Kind == FromContext {
		code = fail.Failure
	}
	parts := strings.Split(list, ",")
	for _, p := range parts {
		if err := checkURL(strings.TrimSpace(p), len(parts) == 1); err != nil {
			return fail.Newf(code, "server %q (%s): %w", RedactURL(p), from, err)
		}
	}
	return nil
}

func checkURL(s string, alone bool) error {
	if dir, ok := strings.CutPrefix(s, embeddedScheme); ok {
		switch {
		case !alone:
			return errors.New("embedded: must be the only server")
		case dir == "":
			return errors.New("write embedded:DIR")
		}
		return nil
	}
	if s == "" {
		return errors.New("is empty")
	}
	u, err := parseURL(s)
	if err != nil {
		return errors.New("is not a URL") // the parser's own text may quote a password
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
	default:
		return fmt.Errorf("unknown scheme %q: use nats, tls, ws, wss or embedded", u.Scheme)
	}
	if u.Hostname() == "" {
		return errors.New("has no host")
	}
	return nil
}

func parseURL(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "nats://" + s
	}
	return url.Parse(s)
}

// urlUser is the user of the first URL that names one, and whether a password comes with it; without one it is a token.
func urlUser(list string) (name string, pair bool) {
	for p := range strings.SplitSeq(list, ",") {
		if u, err := parseURL(strings.TrimSpace(p)); err == nil && u.User != nil {
			_, pair = u.User.Password()
			return u.User.Username(), pair
		}
	}
	return "", false
}

// allWithUser reports whether every URL names a user; the client then looks at no other user, token or nkey.
func allWithUser(list string) bool {
	for p := range strings.SplitSeq(list, ",") {
		if u, err := parseURL(strings.TrimSpace(p)); err != nil || u.User == nil {
			return false
		}
	}
	return true
}

// withoutUser drops users, passwords and tokens from the URLs.
func withoutUser(list string) string {
	parts := strings.Split(list, ",")
	for i, p := range parts {
		if u, err := parseURL(strings.TrimSpace(p)); err == nil && u.User != nil {
			u.User = nil
			parts[i] = u.String()
		}
	}
	return strings.Join(parts, ",")
}

// noProxy are the words that clear a proxy.
func noProxy(v string) bool { return slices.Contains([]string{"none", "NONE", "-"}, v) }

// proxyURL reads the address of a proxy; without a scheme it is the plain one of its kind.
func proxyURL(v string, kind Key) (*url.URL, error) {
	schemes := []string{"socks5", "socks5h"}
	if kind == KeyHTTPProxy {
		schemes = []string{"http", "https"}
	}
	if !strings.Contains(v, "://") {
		v = schemes[0] + "://" + v
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not the URL of a proxy", RedactURL(v))
	case !slices.Contains(schemes, u.Scheme):
		return nil, fmt.Errorf("%q: the scheme must be %s", RedactURL(v), strings.Join(schemes, " or "))
	}
	if u.Port() == "" {
		port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
		if port == "" {
			port = "1080"
		}
		u.Host += ":" + port
	}
	return u, nil
}

// headers parses "Name: value" lines.
func headers(lines []string) (http.Header, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	out := http.Header{}
	for _, l := range lines {
		name, value, found := strings.Cut(l, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !found || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("invalid header %q: write \"Name: value\"", redactHeader(l))
		}
		out.Add(textproto.CanonicalMIMEHeaderKey(name), value)
	}
	return out, nil
}
