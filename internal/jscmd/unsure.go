package jscmd

import (
	"errors"
	"fmt"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

// Unsure adds to the error of a request for a change whether the change may have been made all the same: when no answer came, since
// the server or the connection to it went away, nobody here knows. change is such as "it was created", look the command that shows
// it. An answer of the server, and one that it did not let the request through, leave no doubt.
func Unsure(err error, change, look string) error {
	var answer api.ApiError
	var answered *jetstream.APIError
	switch code := fail.CodeOf(err); {
	case err == nil, code == fail.Usage, code == fail.NotFound, errors.As(err, &answer), errors.As(err, &answered),
		errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return err
	}
	return fail.Hint(fmt.Errorf("%w; whether %s is unknown", err, change), "%s shows it; the same command may be given again", look)
}
