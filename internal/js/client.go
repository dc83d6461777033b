// Package js is what JetStream clients of this toolkit need beyond nats.go and jsm.go: requests that end with their context and
// at once when they are not permitted, lists that say what they lack, messages read without a consumer or as fast as one allows,
// searches, and the plans and pictures that are made of what the server tells.
package js

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

// Client sends JetStream API requests over one connection, with the API prefix, the timeout and the tracing of the JetStream
// it was made from.
type Client struct {
	js      jetstream.JetStream
	nc      *nats.Conn
	prefix  string // ends with a dot
	domain  string
	timeout time.Duration
	trace   *jetstream.ClientTrace
	guard   *guard
}

// New makes a client with the connection and settings of s. It listens to the connection's asynchronous errors, beside the
// handler that is set, to end requests that the server refused to take.
func New(s jetstream.JetStream) *Client {
	o := s.Options()
	c := &Client{js: s, nc: s.Conn(), prefix: jetstream.DefaultAPIPrefix, domain: o.Domain, timeout: o.DefaultTimeout, trace: o.ClientTrace}
	switch {
	case o.Domain != "":
		c.prefix = "$JS." + o.Domain + ".API."
	case o.APIPrefix != "":
		c.prefix = strings.TrimSuffix(o.APIPrefix, ".") + "."
	}
	if c.timeout <= 0 {
		c.timeout = 5 * time.Second
	}
	c.guard = watch(c.nc)
	return c
}

// Conn is the connection that requests are sent over.
func (c *Client) Conn() *nats.Conn { return c.nc }

// Timeout bounds each request whose context has no deadline.
func (c *Client) Timeout() time.Duration { return c.timeout }

// Subject is the API subject for what follows the prefix, such as "STREAM.INFO.ORDERS".
func (c *Client) Subject(tail string) string { return c.prefix + tail }

// Request sends body to the API subject below the prefix and returns the response. level is the API level that the server must
// have, 0 for any. An error in the response is an api.ApiError; a refused request fails as soon as the server says so.
func (c *Client) Request(ctx context.Context, tail string, body []byte, level int) ([]byte, error) {
	subject := c.prefix + tail
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	ctx, release := c.guard.hold(ctx, subject)
	defer release()
	m := nats.NewMsg(subject)
	m.Data = body
	if level > 0 {
		m.Header.Set(api.JSRequiredApiLevel, strconv.Itoa(level))
	}
	if c.trace != nil && c.trace.RequestSent != nil {
		c.trace.RequestSent(subject, body)
	}
	res, err := c.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return nil, c.requestError(ctx, subject, err)
	}
	if c.trace != nil && c.trace.ResponseReceived != nil {
		c.trace.ResponseReceived(subject, res.Data, res.Header)
	}
	if err := responseError(res.Data); err != nil {
		return nil, err
	}
	return res.Data, nil
}

// requestError turns what the client library says into what happened.
func (c *Client) requestError(ctx context.Context, subject string, err error) error {
	if v := violationOf(ctx); v != nil {
		return v
	}
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		if c.domain != "" {
			return fail.Hint(fmt.Errorf("JetStream does not answer in domain %s: %w", c.domain, jetstream.ErrJetStreamNotEnabled), "check --js-domain and that JetStream is enabled there")
		}
		return fmt.Errorf("JetStream is not enabled (10039): %w", jetstream.ErrJetStreamNotEnabled)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout):
		return fail.Hint(fmt.Errorf("no answer to %s in time: %w", subject, err), "raise --timeout if the server is slow")
	}
	return err
}

// responseError is the error that an API response holds. Only the head of the response is looked at: servers write the type and
// the error first.
func responseError(data []byte) error {
	if !bytes.Contains(data[:min(len(data), 256)], []byte(`"error":`)) {
		return nil
	}
	var r struct {
		Error *api.ApiError `json:"error"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	if r.Error == nil {
		return nil
	}
	return *r.Error
}

// call sends req as JSON and decodes the response; a nil req sends an empty body.
func call[T any](ctx context.Context, c *Client, tail string, req any, level int) (T, error) {
	var out T
	var body []byte
	if req != nil {
		var err error
		if body, err = json.Marshal(req); err != nil {
			return out, err
		}
	}
	data, err := c.Request(ctx, tail, body, level)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return out, fmt.Errorf("reading the response to %s: %w", tail, err)
	}
	return out, nil
}

// IsCode reports whether err is a JetStream API error with one of the numbers, whichever library made it.
func IsCode(err error, numbers ...uint16) bool {
	var js *jetstream.APIError
	if errors.As(err, &js) {
		for _, n := range numbers {
			if uint16(js.ErrorCode) == n {
				return true
			}
		}
		return false
	}
	return api.IsNatsErr(err, numbers...)
}

// guard tells requests in flight that the server refused them: to the client library a refusal is an asynchronous error that
// belongs to no request, which then waits for its whole timeout.
type guard struct {
	mu      sync.Mutex
	waiting map[*held]struct{}
}

type held struct {
	subject string
	cancel  context.CancelCauseFunc
}

// violation is the cause with which a refused request is cancelled.
type violation struct{ err error }

func (v *violation) Error() string { return v.err.Error() }
func (v *violation) Unwrap() error { return v.err }

func watch(nc *nats.Conn) *guard {
	g := &guard{waiting: map[*held]struct{}{}}
	before := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		g.see(err)
		if before != nil {
			before(nc, sub, err)
		}
	})
	return g
}

func (g *guard) hold(ctx context.Context, subject string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	h := &held{subject, cancel}
	g.mu.Lock()
	g.waiting[h] = struct{}{}
	g.mu.Unlock()
	return ctx, func() {
		g.mu.Lock()
		delete(g.waiting, h)
		g.mu.Unlock()
		cancel(nil)
	}
}

// see cancels the requests that a permission violation is about: a publish to their subject, or the subscription to the inbox
// that every answer comes to.
func (g *guard) see(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	text := err.Error()
	inbox := strings.Contains(strings.ToLower(text), "subscription to")
	_, quoted, _ := strings.Cut(text, `"`)
	subject, _, _ := strings.Cut(quoted, `"`)
	g.mu.Lock()
	defer g.mu.Unlock()
	for h := range g.waiting {
		switch {
		case inbox && strings.Contains(strings.ToUpper(subject), "INBOX"):
			h.cancel(&violation{fmt.Errorf("%w: no permission to subscribe to %s, where answers arrive", nats.ErrPermissionViolation, subject)})
		case !inbox && (subject == h.subject || strings.HasPrefix(subject, h.subject+".")):
			h.cancel(&violation{fmt.Errorf("%w: no permission to publish to %s", nats.ErrPermissionViolation, subject)})
		}
	}
}

func violationOf(ctx context.Context) error {
	var v *violation
	if errors.As(context.Cause(ctx), &v) {
		return v
	}
	return nil
}
