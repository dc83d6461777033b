package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// Violation is a publish or subscription that the permissions of the user do not allow. The connection stays open.
// errors.Is finds nats.ErrPermissionViolation in it.
type Violation struct {
	Publish bool   // else a subscription
	Subject string // as the server quoted it; empty when it named none
	Text    string // the server's sentence
}

// Error is the text that nats.go gives the same error.
func (v *Violation) Error() string { return nats.ErrPermissionViolation.Error() + ": " + v.Text }

// Unwrap is nats.ErrPermissionViolation.
func (v *Violation) Unwrap() error { return nats.ErrPermissionViolation }

// serverErrors are the errors after which the server closes the connection, by how their text begins.
var serverErrors = []struct {
	text string
	err  error
}{
	{nats.STALE_CONNECTION, nats.ErrStaleConnection},
	{nats.AUTHORIZATION_ERR, nats.ErrAuthorization},
	{nats.AUTHENTICATION_EXPIRED_ERR, nats.ErrAuthExpired},
	{nats.AUTHENTICATION_REVOKED_ERR, nats.ErrAuthRevoked},
	{nats.ACCOUNT_AUTHENTICATION_EXPIRED_ERR, nats.ErrAccountAuthExpired},
	{"authentication timeout", nats.ErrAuthorization},
	{nats.MAX_CONNECTIONS_ERR, nats.ErrMaxConnectionsExceeded},
	{nats.MAX_ACCOUNT_CONNECTIONS_ERR, nats.ErrMaxAccountConnectionsExceeded},
	{"maximum payload", nats.ErrMaxPayload},
	{"slow consumer", nats.ErrSlowConsumer},
	{"secure connection", nats.ErrSecureConnRequired},
}

// maxText is how much of an error's text is kept, in bytes: enough for any subject.
const maxText = 8 << 10

// serverError makes an error of the argument of -ERR and says whether the server closes the connection after it.
func serverError(args []byte) (err error, fatal bool) {
	text := strings.Trim(strings.TrimSpace(string(args[:min(len(args), maxText)])), "'")
	lower := strings.ToLower(text)
	switch {
	case strings.HasPrefix(lower, nats.PERMISSIONS_ERR):
		return violation(text, lower), false
	case strings.HasPrefix(lower, nats.MAX_SUBSCRIPTIONS_ERR):
		return nats.ErrMaxSubscriptionsExceeded, false
	case strings.HasPrefix(lower, "invalid subject"), strings.HasPrefix(lower, "invalid publish subject"):
		return fmt.Errorf("%w: the server says %q", nats.ErrBadSubject, text), false
	}
	for _, e := range serverErrors {
		if strings.HasPrefix(lower, e.text) {
			if e.err.Error() == "nats: "+lower {
				return e.err, true
			}
			return fmt.Errorf("%w: the server says %q", e.err, text), true
		}
	}
	return errors.New("nats: " + text), true
}

func violation(text, lower string) *Violation {
	v := &Violation{Text: text, Publish: strings.Contains(lower, "for publish")}
	if i := strings.IndexByte(text, '"'); i >= 0 {
		if quoted, err := strconv.QuotedPrefix(text[i:]); err == nil {
			v.Subject, _ = strconv.Unquote(quoted)
		}
	}
	return v
}

// isAuth reports errors that the same credentials meet again.
func isAuth(err error) bool {
	for _, e := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
