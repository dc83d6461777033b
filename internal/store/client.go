// Package store is what a command line needs of key-value buckets, object stores and counters beyond the client library:
// whole listings, scans whose memory is bounded, bulk reads and writes, exports, exact configuration edits. It returns
// values and errors and writes nothing to any terminal.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
)

// The prefixes that make a stream a bucket of either kind.
const (
	kvPrefix     = "KV_"
	objectPrefix = "OBJ_"
)

// Client reaches the stores of one account.
type Client struct {
	js      jetstream.JetStream
	nc      *nats.Conn
	prefix  string // of API subjects, with its dot
	timeout time.Duration
	gets    func() *js.Client // reads without consumers
}

// New is a client over s, with the API prefix or domain and the request timeout that s was made with.
func New(s jetstream.JetStream) *Client {
	o := s.Options()
	prefix := "$JS.API."
	switch {
	case o.APIPrefix != "":
		prefix = strings.TrimSuffix(o.APIPrefix, ".") + "."
	case o.Domain != "":
		prefix = "$JS." + o.Domain + ".API."
	}
	timeout := o.DefaultTimeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	gets := sync.OnceValue(func() *js.Client { return js.New(s) })
	return &Client{js: s, nc: s.Conn(), prefix: prefix, timeout: timeout, gets: gets}
}

// bounded gives one request its timeout; an earlier deadline of ctx stands.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

// request asks the API under its prefix and decodes the answer into resp; an API error is a *jetstream.APIError.
func (c *Client) request(ctx context.Context, tail string, req, resp any) error {
	var body []byte
	switch r := req.(type) {
	case nil:
	case []byte:
		body = r
	default:
		var err error
		if body, err = json.Marshal(r); err != nil {
			return err
		}
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	msg, err := c.nc.RequestWithContext(ctx, c.prefix+tail, body)
	if err != nil {
		if errors.Is(err, nats.ErrNoResponders) {
			return fmt.Errorf("%w (nobody answers on %s)", jetstream.ErrJetStreamNotEnabled, c.prefix+tail)
		}
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
			return cause
		}
		return fmt.Errorf("waiting for the answer to %s: %w", c.prefix+tail, err)
	}
	var failed struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &failed); err != nil {
		return fmt.Errorf("answer to %s: %w", c.prefix+tail, err)
	}
	if failed.Error != nil {
		return failed.Error
	}
	if resp == nil {
		return nil
	}
	if err := json.Unmarshal(msg.Data, resp); err != nil {
		return fmt.Errorf("answer to %s: %w", c.prefix+tail, err)
	}
	return nil
}

// stored is a message as the leader of a stream gives it.
type stored struct {
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"seq"`
	Headers  []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	Time     time.Time `json:"time"`
}

// leaderMsg reads one message from the leader of a stream: what was acknowledged is there, which direct reads from other
// replicas do not promise.
func (c *Client) leaderMsg(ctx context.Context, stream string, req map[string]any) (stored, error) {
	var resp struct {
		Message stored `json:"message"`
	}
	err := c.request(ctx, "STREAM.MSG.GET."+stream, req, &resp)
	return resp.Message, err
}

// apiCode tells whether err is a JetStream API error with one of the numbers.
func apiCode(err error, numbers ...jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, n := range numbers {
		if api.ErrorCode == n {
			return true
		}
	}
	return false
}

// bucketError says which bucket is missing, of which kind, with the names that come near.
func (c *Client) bucketError(ctx context.Context, kind Kind, bucket string, err error) error {
	if !errors.Is(err, jetstream.ErrStreamNotFound) && !errors.Is(err, jetstream.ErrBucketNotFound) && !apiCode(err, 10059) {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	missing := fail.Newf(fail.NotFound, "%s %s: %w", kind.noun(), bucket, jetstream.ErrBucketNotFound)
	if names, err := c.Names(ctx, kind); err == nil {
		if hint := fail.DidYouMean("", bucket, names); hint != "" {
			return missing.WithHint("%s", hint)
		}
	}
	return missing
}

// Kind is which of the two sorts of bucket.
type Kind int

// The sorts of bucket.
const (
	KV Kind = iota
	Object
)

// String is how listings call it.
func (k Kind) String() string {
	if k == Object {
		return "Object"
	}
	return "KV"
}

func (k Kind) prefix() string {
	if k == Object {
		return objectPrefix
	}
	return kvPrefix
}

func (k Kind) noun() string {
	if k == Object {
		return "object bucket"
	}
	return "bucket"
}

// CheckBucket refuses names that no bucket can have.
func CheckBucket(name string) error {
	if name == "" {
		return fail.Usagef("the bucket name is empty")
	}
	for _, r := range name {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			continue
		}
		return fail.Usagef("bucket %q: %w: a name is made of letters, digits, - and _", name, jetstream.ErrInvalidBucketName)
	}
	return nil
}
