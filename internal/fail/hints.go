package fail

import (
	"crypto/x509"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"
)

// wayOut is what helps against an error of the libraries that nobody has given a hint of its own.
func wayOut(err error) string {
	for _, known := range []struct {
		err  error
		hint string
	}{
		{nats.ErrMaxConnectionsExceeded, "the server has all the clients that its max_connections allows: name another server of the cluster with --server, or try again later"},
		{nats.ErrMaxAccountConnectionsExceeded, "the account has all the connections that it may have: nats account info shows its limits"},
		{nats.ErrMaxSubscriptionsExceeded, "the connection has all the subscriptions that it may have: ask for fewer subjects, or for one with a wildcard"},
		{nats.ErrMaxPayload, "nats account info shows how large a message may be; nats object put stores what is larger"},
		{nats.ErrNoInfoReceived, "what listens there does not speak the protocol of NATS: check the URL and the port"},
		{nats.ErrHeadersNotSupported, "servers before version 2.2 take no headers"},
	} {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return "the certificate of the server has expired or is not valid yet: check the clock of this machine too"
	}
	text := err.Error()
	switch {
	case errors.Is(err, nats.ErrTLS) && strings.Contains(text, "after TLS handshake"):
		return "the server may want a certificate of its clients: --tlscert FILE and --tlskey FILE"
	case strings.Contains(text, "tls: certificate required"), strings.Contains(text, "tls: bad certificate"):
		return "the server wants a certificate of its clients: --tlscert FILE and --tlskey FILE"
	case strings.Contains(text, "tls: unknown certificate authority"), strings.Contains(text, "tls: unknown authority"):
		return "the server does not know the authority of our certificate: check --tlscert"
	case strings.Contains(text, "maximum subscriptions"):
		return "the account has all the subscriptions that it may have: nats account info shows its limits"
	}
	return ""
}
