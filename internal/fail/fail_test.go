package fail_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/jsm.go/natscontext"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

func TestCodeOf(t *testing.T) {
	rows := []struct {
		err  error
		want fail.Code
	}{
		{nil, fail.OK},
		{&os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}, fail.OK},
		{&net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}, fail.Unreachable},
		{errors.New("boom"), fail.Failure},
		{fail.Usagef("bad flag"), fail.Usage},
		{fmt.Errorf("connecting: %w", nats.ErrNoServers), fail.Unreachable},
		{fmt.Errorf("%w: \"Permissions Violation for Publish to x\"", nats.ErrPermissionViolation), fail.Unreachable},
		{errors.New("nats: Authorization Violation"), fail.Unreachable},
		{fmt.Errorf("stream X: %w", jetstream.ErrStreamNotFound), fail.NotFound},
		{&api.ApiError{Code: 404, ErrCode: 10059, Description: "stream not found"}, fail.NotFound},
		{api.ApiError{Code: 404, ErrCode: 10014, Description: "consumer not found"}, fail.NotFound},
		{&api.ApiError{Code: 503, ErrCode: 10039, Description: "jetstream not enabled"}, fail.Unreachable},
		{&api.ApiError{Code: 400, ErrCode: 10065, Description: "subjects overlap"}, fail.Failure},
		{jetstream.ErrKeyNotFound, fail.NotFound},
		{natscontext.ErrNotFound, fail.NotFound},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, fail.NotFound},
		{nats.ErrNoResponders, fail.NoAnswer},
		{nats.ErrTimeout, fail.NoAnswer},
		{context.DeadlineExceeded, fail.NoAnswer},
		{context.Canceled, fail.Interrupted},
		{fail.ErrTerminated, fail.Terminated},
		{nats.ErrMaxConnectionsExceeded, fail.Unreachable},
		{fmt.Errorf("x: %w", nats.ErrMaxAccountConnectionsExceeded), fail.Unreachable},
		{errors.New("nats: 'maximum connections exceeded'"), fail.Unreachable},
		{nats.ErrTLS, fail.Unreachable},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, fail.Unreachable},
		{x509.CertificateInvalidError{Reason: x509.Expired}, fail.Unreachable},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}, fail.Unreachable},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, fail.Unreachable},
		{tls.AlertError(42), fail.Unreachable},
		{errors.New("remote error: tls: certificate required"), fail.Unreachable},
		{nats.ErrMaxPayload, fail.Failure},
		{nats.ErrDrainTimeout, fail.NoAnswer},
		{nats.ErrBadSubject, fail.Usage},
		{fail.Silently(2), 2},
		{fail.Hint(fmt.Errorf("x: %w", nats.ErrTimeout), "try more"), fail.NoAnswer},
	}
	for _, r := range rows {
		if got := fail.CodeOf(r.err); got != r.want {
			t.Errorf("CodeOf(%v) = %d, want %d", r.err, got, r.want)
		}
	}
}

func TestTableIsComplete(t *testing.T) {
	seen := map[fail.Code]bool{}
	for _, r := range fail.Table {
		if seen[r.Code] {
			t.Errorf("code %d stands twice", r.Code)
		}
		seen[r.Code] = true
		if r.Kind == "" || r.Meaning == "" || r.From == "" || strings.ToLower(r.Kind) != r.Kind {
			t.Errorf("row %+v is incomplete", r)
		}
		if r.Code.Kind() != r.Kind {
			t.Errorf("Kind(%d) = %q", r.Code, r.Code.Kind())
		}
	}
	if fail.Code(99).Kind() != "failure" {
		t.Error("an unknown code is a failure")
	}
}

func TestHints(t *testing.T) {
	inner := fail.NotFoundf("stream %s: not found", "A").WithHint("nats stream ls")
	wrapped := fmt.Errorf("reading: %w", inner)
	if got := fail.HintOf(wrapped); got != "nats stream ls" {
		t.Errorf("hint = %q", got)
	}
	if got := fail.HintOf(fail.Hint(wrapped, "outer")); got != "outer" {
		t.Errorf("outermost hint = %q", got)
	}
	if fail.Hint(nil, "x") != nil || fail.HintOf(nil) != "" {
		t.Error("nil stays nil")
	}
	rows := map[string]error{
		"max_connections": fmt.Errorf("connecting: %w", nats.ErrMaxConnectionsExceeded), "nats account info": fail.Newf(fail.Unreachable, "x: %w", nats.ErrMaxAccountConnectionsExceeded),
		"--tlscert FILE": errors.New("remote error: tls: certificate required"), "expired": x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired},
		"check the URL": nats.ErrNoInfoReceived,
	}
	for want, err := range rows {
		if got := fail.HintOf(err); !strings.Contains(got, want) {
			t.Errorf("hint of %v is %q", err, got)
		}
	}
	if got := fail.HintOf(fail.Newf(fail.Unreachable, "x: %w", nats.ErrMaxConnectionsExceeded).WithHint("own")); got != "own" {
		t.Errorf("hint = %q", got)
	}
	if got := fail.HintOf(errors.New("boom")); got != "" {
		t.Errorf("hint = %q", got)
	}
	if !fail.IsSilent(fail.Silently(1)) || !fail.IsSilent(fail.ErrDifference) || fail.IsSilent(inner) {
		t.Error("silence is for verdicts alone")
	}
}
