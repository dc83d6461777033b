package fail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/jsm.go/natscontext"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type family struct {
	code   Code
	errors []error
}

// families is read in order: a permission violation that also timed out is a permission violation.
var families = []family{
	{OK, []error{syscall.EPIPE}},
	{Unreachable, []error{
		nats.ErrNoServers, nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
		nats.ErrPermissionViolation, nats.ErrConnectionClosed, nats.ErrConnectionReconnecting, nats.ErrDisconnected, nats.ErrStaleConnection,
		nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrNkeysNotSupported, nats.ErrNoUserCB, nats.ErrTokenAlreadySet,
		nats.ErrMaxConnectionsExceeded, nats.ErrMaxAccountConnectionsExceeded, nats.ErrMaxSubscriptionsExceeded, nats.ErrNoInfoReceived,
		nats.ErrTLS, nats.ErrConnectionDraining, nats.ErrReconnectBufExceeded, nats.ErrServerNotInPool,
		jetstream.ErrJetStreamNotEnabled, jetstream.ErrJetStreamNotEnabledForAccount, syscall.ECONNREFUSED,
	}},
	{NotFound, []error{
		jetstream.ErrStreamNotFound, jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDoesNotExist, jetstream.ErrMsgNotFound, jetstream.ErrBucketNotFound,
		jetstream.ErrKeyNotFound, jetstream.ErrKeyDeleted, jetstream.ErrNoKeysFound, jetstream.ErrObjectNotFound,
		jetstream.ErrNoObjectsFound, nats.ErrStreamNotFound, nats.ErrConsumerNotFound, nats.ErrMsgNotFound,
		natscontext.ErrNotFound, fs.ErrNotExist,
	}},
	{NoAnswer, []error{
		nats.ErrTimeout, nats.ErrNoResponders, context.DeadlineExceeded, os.ErrDeadlineExceeded,
		jetstream.ErrNoStreamResponse, jetstream.ErrNoHeartbeat, nats.ErrDrainTimeout,
	}},
	{Usage, []error{nats.ErrBadSubject, nats.ErrBadQueueName, nats.ErrMixingWebsocketSchemes}},
	{Interrupted, []error{context.Canceled}},
}

// CodeOf is the exit code for err. An *Error in the chain decides; then the libraries' own errors by the families above;
// then API errors by their HTTP-like code; anything else is Failure.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var own *Error
	if errors.As(err, &own) {
		return own.Code
	}
	if code, ok := apiCode(err); ok {
		return code
	}
	// A pipe that broke is a reader that went away only when it is ours; a socket's is a lost connection.
	if op := (*net.OpError)(nil); errors.Is(err, syscall.EPIPE) && errors.As(err, &op) {
		return Unreachable
	}
	for _, f := range families {
		for _, known := range f.errors {
			if errors.Is(err, known) {
				return f.code
			}
		}
	}
	if unreachable(err) {
		return Unreachable
	}
	return Failure
}

// apiCode reads the code of a JetStream API error as either library reports it: 404 is a missing thing, 503 a JetStream that is not there.
func apiCode(err error) (Code, bool) {
	var status, number int
	var lib api.ApiError
	var libp *api.ApiError
	var js *jetstream.APIError
	var old *nats.APIError
	switch {
	case errors.As(err, &libp):
		status, number = libp.Code, int(libp.ErrCode)
	case errors.As(err, &lib):
		status, number = lib.Code, int(lib.ErrCode)
	case errors.As(err, &js):
		status, number = js.Code, int(js.ErrorCode)
	case errors.As(err, &old):
		status, number = old.Code, int(old.ErrorCode)
	default:
		return 0, false
	}
	switch {
	case number == 10039 || number == 10076 || number == 10008: // JetStream off for the account or the server, or not answering as a system
		return Unreachable, true
	case status == 404, number == 10037, number == 10043, number == 10057: // the last two: a sequence that is not there, an empty store
		return NotFound, true
	case status == 401 || status == 403:
		return Unreachable, true
	case status == 408:
		return NoAnswer, true
	}
	return Failure, true
}

func unreachable(err error) bool {
	var (
		dns      *net.DNSError
		op       *net.OpError
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		roots    x509.SystemRootsError
		limits   x509.ConstraintViolationError
		critical x509.UnhandledCriticalExtension
		weak     x509.InsecureAlgorithmError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
	)
	for _, kind := range []any{&dns, &op, &unknown, &host, &invalid, &roots, &limits, &critical, &weak, &verify, &record, &alert} {
		if errors.As(err, kind) {
			return true
		}
	}
	// The server's -ERR lines reach us as text where the client has no error value for them.
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "permissions violation") || strings.Contains(text, "authorization violation") ||
		strings.Contains(text, "authentication") || strings.Contains(text, "maximum connections exceeded") ||
		strings.Contains(text, "maximum account active connections exceeded") || strings.Contains(text, "maximum subscriptions exceeded") ||
		strings.Contains(text, "remote error: tls: ")
}
