package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	hdr, err := AppendHeader(nil, nats.Header{"b": {"2", "3"}, "A": {" x:y "}})
	if err != nil {
		t.Fatal(err)
	}
	const block = "NATS/1.0\r\nA:  x:y \r\nb: 2\r\nb: 3\r\n\r\n"
	if string(hdr) != block {
		t.Errorf("header %q", hdr)
	}
	rows := []struct {
		subject, reply string
		hdr            []byte
		payload, want  string
	}{
		{"s", "", nil, "hello", "PUB s 5\r\nhello\r\n"},
		{"s.t", "r", nil, "", "PUB s.t r 0\r\n\r\n"},
		{"s", "", hdr, "hi", "HPUB s 34 36\r\n" + block + "hi\r\n"},
		{"s", "r.r", hdr, "", "HPUB s r.r 34 34\r\n" + block + "\r\n"},
	}
	for _, r := range rows {
		if got := string(EncodePub([]byte("x"), r.subject, r.reply, r.hdr, []byte(r.payload))); got != "x"+r.want {
			t.Errorf("%q, want %q", got, r.want)
		}
	}
	if back, err := ParseHeader(hdr); err != nil || !reflect.DeepEqual(back, nats.Header{"b": {"2", "3"}, "A": {"x:y "}}) {
		t.Errorf("decoded %v %v", back, err)
	}
	if h, err := ParseHeader(nil); h != nil || err != nil {
		t.Errorf("no header: %v %v", h, err)
	}
	if b, err := AppendHeader(nil, nil); b != nil || err != nil {
		t.Errorf("no header: %q %v", b, err)
	}
}

func TestHeaderRefuses(t *testing.T) {
	t.Parallel()
	for _, h := range []nats.Header{{"": {"x"}}, {"a b": {"x"}}, {"a:": {"x"}}, {"a\r\nb": {"x"}}, {"a": {"x\r\ny"}}, {"a": {"\n"}}, {"ä": {""}}} {
		if b, err := AppendHeader(nil, h); err == nil {
			t.Errorf("%q became %q", h, b)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	rows := []struct {
		block string
		code  int
		text  string
	}{
		{"NATS/1.0 503\r\n\r\n", 503, ""}, {"NATS/1.0 409 Message Size Exceeds MaxBytes\r\nA: b\r\n\r\n", 409, "Message Size Exceeds MaxBytes"},
		{"NATS/1.0\r\nA: b\r\n\r\n", 0, ""}, {"", 0, ""}, {"NATS/1.0 12\r\n\r\n", 0, ""}, {"HTTP/1.0 200\r\n\r\n", 0, ""},
	}
	for _, r := range rows {
		if code, text := Status([]byte(r.block)); code != r.code || text != r.text {
			t.Errorf("%q: %d %q", r.block, code, text)
		}
	}
}

func TestCheckSubject(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "a.b", "a.>", "*", "ü.ñ", strings.Repeat("x", 5000), "$SYS.a-b_c"} {
		if err := CheckSubject(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", " ", "a b", "a\tb", "a\r\nPUB x 0\r\n", "a\n", "\x00", "a\x7f"} {
		if err := CheckSubject([]byte(s)); !errors.Is(err, nats.ErrBadSubject) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestServerErrors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		text  string
		is    error
		fatal bool
		says  string
	}{
		{`'Permissions Violation for Publish to "a.b"'`, nats.ErrPermissionViolation, false, `nats: permissions violation: Permissions Violation for Publish to "a.b"`},
		{`'Stale Connection'`, nats.ErrStaleConnection, true, "nats: stale connection"},
		{`'Slow Consumer'`, nats.ErrSlowConsumer, true, "Slow Consumer"},
		{`'Maximum Payload Violation'`, nats.ErrMaxPayload, true, "Maximum Payload Violation"},
		{`'Authorization Violation'`, nats.ErrAuthorization, true, "nats: authorization violation"},
		{`'Authentication Timeout'`, nats.ErrAuthorization, true, "Authentication Timeout"},
		{`'User Authentication Expired'`, nats.ErrAuthExpired, true, "User Authentication Expired"},
		{`'User Authentication Revoked'`, nats.ErrAuthRevoked, true, ""},
		{`'Account Authentication Expired'`, nats.ErrAccountAuthExpired, true, ""},
		{`'maximum connections exceeded'`, nats.ErrMaxConnectionsExceeded, true, ""},
		{`'maximum account active connections exceeded'`, nats.ErrMaxAccountConnectionsExceeded, true, ""},
		{`'maximum subscriptions exceeded'`, nats.ErrMaxSubscriptionsExceeded, false, ""},
		{`'Secure Connection - TLS Required'`, nats.ErrSecureConnRequired, true, ""},
		{`'Invalid Subject'`, nats.ErrBadSubject, false, ""},
		{`'Unknown Protocol Operation'`, nil, true, "nats: Unknown Protocol Operation"},
		{`'maximum control line exceeded'`, nil, true, "nats: maximum control line exceeded"},
		{``, nil, true, "nats: "},
	}
	for _, r := range rows {
		err, fatal := serverError([]byte(" " + r.text + " "))
		if r.is != nil && !errors.Is(err, r.is) || fatal != r.fatal || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%s: %v, fatal %v", r.text, err, fatal)
		}
	}
	violations := map[string]Violation{
		`'Permissions Violation for Publish to "a b"'`:                             {Publish: true, Subject: "a b"},
		`'Permissions Violation for Publish with Reply of "r"'`:                    {Publish: true, Subject: "r"},
		`'Permissions Violation for Subscription to "s.>"'`:                        {Subject: "s.>"},
		`'Permissions Violation for Subscription to "s" using queue "q"'`:          {Subject: "s"},
		`'Permissions Violation for Subscription to "s\"x" using queue "q" (sid)'`: {Subject: `s"x`},
		`'Permissions Violation'`:                                                  {},
		`'Permissions Violation for Publish to "`:                                  {Publish: true},
	}
	for text, want := range violations {
		err, _ := serverError([]byte(text))
		var v *Violation
		if !errors.As(err, &v) || v.Publish != want.Publish || v.Subject != want.Subject {
			t.Errorf("%s: %+v", text, v)
		}
	}
	if err, _ := serverError([]byte(strings.Repeat("x", 1<<20))); len(err.Error()) > 2*maxText {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}
