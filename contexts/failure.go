package contexts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// connectError says what could not be reached, where that setting came from, and as whom, if that mattered.
func (m *Manager) connectError(err error) error {
	where := fmt.Sprintf("%s (%s)", RedactURL(m.r.URL), m.r.Origin(KeyServer))
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fail.Newf(fail.Unreachable, "cannot connect to %s as %s (%s): %w", where, m.r.Who(), m.r.Origin(m.r.identityKey()), scrubError(err, m.secrets)).
			WithHint("nats context info --effective shows where each setting comes from")
	case errors.As(err, &dns):
	case errors.As(err, &op) && op.Op == "dial", errors.Is(err, context.DeadlineExceeded):
		// A server that does not answer is as absent as one that refuses; only the latter does the client call by that name.
		err = fmt.Errorf("%w: %w", nats.ErrNoServers, err)
	}
	out := fail.Newf(fail.Unreachable, "cannot connect to %s: %w", where, scrubError(err, m.secrets))
	if hint := m.connectHint(err); hint != "" {
		return out.WithHint("%s", hint)
	}
	return out
}

func (m *Manager) connectHint(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return "--tlsca FILE names the authority that signed the server's certificate"
	case errors.As(err, &host):
		return "--tls-server-name NAME is the name to look for in the server's certificate"
	case errors.As(err, &record), errors.Is(err, nats.ErrSecureConnWanted):
		return "the server does not speak TLS there: check the URL, the port and --tlsfirst"
	case errors.Is(err, nats.ErrNoServers) && m.r.Origin(KeyServer).Kind == FromDefault:
		return "name a server with --server, or choose a context with nats context select"
	}
	return ""
}
