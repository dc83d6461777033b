package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/publish"
)

const (
	incrementHeader = "Nats-Incr"
	sourcesHeader   = "Nats-Counter-Sources"
)

// Counter is the state of one counter. Numbers have any size and are decimal.
type Counter struct {
	Subject   string
	Stream    string
	Sequence  uint64    // of the message that holds the state
	Time      time.Time // of that message
	Value     *big.Int
	Increment *big.Int                       // the last one made here; nil when the last message has none
	Sources   map[string]map[string]*big.Int // stream, then subject, that the value is gathered from
}

// Counters reaches the counters of one stream.
type Counters struct {
	c      *Client
	Stream string
	stream jetstream.Stream
}

// OpenCounters opens the counters of a stream, or of the one that stores subject when no stream is named.
func (c *Client) OpenCounters(ctx context.Context, stream, subject string) (*Counters, error) {
	if stream == "" {
		names, err := c.streamNames(ctx, subject)
		switch {
		case err != nil:
			return nil, err
		case len(names) == 0:
			return nil, fail.Newf(fail.NotFound, "no stream stores subject %s: %w", subject, jetstream.ErrStreamNotFound)
		case len(names) > 1:
			slices.Sort(names)
			return nil, fail.Usagef("subject %s is stored by %s: choose one with --stream", subject, strings.Join(names, ", "))
		}
		stream = names[0]
	}
	bound, cancel := c.bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(bound, stream)
	if err != nil {
		return nil, c.counterStreamError(ctx, stream, err)
	}
	if cfg := s.CachedInfo().Config; !cfg.AllowMsgCounter || !cfg.AllowDirect {
		lacks := "allow_msg_counter"
		if cfg.AllowMsgCounter {
			lacks = "allow_direct"
		}
		return nil, fail.Newf(fail.Failure, "%q is not a valid counter stream: it has no %s", stream, lacks)
	}
	return &Counters{c: c, Stream: stream, stream: s}, nil
}

func (c *Client) counterStreamError(ctx context.Context, stream string, err error) error {
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	missing := fail.Newf(fail.NotFound, "stream %s: %w", stream, err)
	if names, err := c.streamNames(ctx, ""); err == nil {
		if hint := fail.DidYouMean("", stream, names); hint != "" {
			return missing.WithHint("%s", hint)
		}
	}
	return missing
}

// ParseIncrement reads a decimal integer of any size.
func ParseIncrement(text string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || strings.Contains(text, "_") {
		return nil, fail.Usagef("invalid value %q: an integer is wanted", text)
	}
	return n, nil
}

// CheckCounter refuses what is not the subject of one counter.
func CheckCounter(subject string) error {
	switch {
	case subject == "":
		return fail.Usagef("the subject of a counter is empty")
	case strings.ContainsAny(subject, "*> \t\r\n"):
		return fail.Usagef("subject %q: one counter is wanted, without wildcards or blanks: nats counter ls lists those that match", subject)
	}
	return nil
}

// Add adds by, which may be negative, and returns the new total.
func (c *Counters) Add(ctx context.Context, subject string, by *big.Int) (*big.Int, error) {
	sign := ""
	if by.Sign() >= 0 {
		sign = "+"
	}
	m := &nats.Msg{Subject: subject, Header: nats.Header{incrementHeader: {sign + by.String()}}}
	bound, cancel := c.c.bounded(ctx)
	defer cancel()
	reply, err := c.c.nc.RequestMsgWithContext(bound, m)
	if err != nil {
		if errors.Is(err, nats.ErrNoResponders) {
			err = jetstream.ErrNoStreamResponse
		}
		return nil, fmt.Errorf("counter %s: %w", subject, err)
	}
	ack, err := publish.ParseAck(reply)
	if err != nil {
		return nil, fmt.Errorf("counter %s: %w", subject, unstored(err))
	}
	total, ok := new(big.Int).SetString(ack.Value, 10)
	if !ok {
		return nil, fmt.Errorf("counter %s: the server answered with the total %q", subject, ack.Value)
	}
	return total, nil
}

// Get reads one counter.
func (c *Counters) Get(ctx context.Context, subject string) (Counter, error) {
	if err := CheckCounter(subject); err != nil {
		return Counter{}, err
	}
	bound, cancel := c.c.bounded(ctx)
	defer cancel()
	m, err := c.stream.GetLastMsgForSubject(bound, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Counter{}, fail.Newf(fail.NotFound, "counter not initialized for subject: %s", subject)
	}
	if err != nil {
		return Counter{}, fmt.Errorf("counter %s: %w", subject, err)
	}
	return c.read(m)
}

func (c *Counters) read(m *jetstream.RawStreamMsg) (Counter, error) {
	var body struct {
		Value string `json:"val"`
	}
	out := Counter{Subject: m.Subject, Stream: c.Stream, Sequence: m.Sequence, Time: m.Time}
	if err := json.Unmarshal(m.Data, &body); err != nil {
		return out, fmt.Errorf("counter %s: message %d is not a count: %w", m.Subject, m.Sequence, err)
	}
	var ok bool
	if out.Value, ok = new(big.Int).SetString(body.Value, 10); !ok {
		return out, fmt.Errorf("counter %s: message %d holds %q and not a count", m.Subject, m.Sequence, body.Value)
	}
	if by := m.Header.Get(incrementHeader); by != "" {
		if n, ok := new(big.Int).SetString(by, 10); ok {
			out.Increment = n
		}
	}
	raw := m.Header.Get(sourcesHeader)
	if raw == "" {
		return out, nil
	}
	var sources map[string]map[string]string
	if err := json.Unmarshal([]byte(raw), &sources); err != nil {
		return out, fmt.Errorf("counter %s: sources of message %d: %w", m.Subject, m.Sequence, err)
	}
	out.Sources = map[string]map[string]*big.Int{}
	for stream, counts := range sources {
		out.Sources[stream] = map[string]*big.Int{}
		for subject, text := range counts {
			n, ok := new(big.Int).SetString(text, 10)
			if !ok {
				return out, fmt.Errorf("counter %s: source %s holds %q and not a count", m.Subject, stream, text)
			}
			out.Sources[stream][subject] = n
		}
	}
	return out, nil
}

// List hands the counters of the stream that match filter to each, sorted by subject, values read in batches.
func (c *Counters) List(ctx context.Context, filter string, each func(Counter) error) error {
	found := map[string]uint64{}
	err := c.c.subjects(ctx, c.Stream, filter, func(subject string, n uint64) error {
		found[subject] = n
		return nil
	})
	if err != nil {
		return fmt.Errorf("stream %s: %w", c.Stream, err)
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(found)), multiLast) {
		if err := c.batch(ctx, chunk, each); err != nil {
			return err
		}
	}
	return nil
}

func (c *Counters) batch(ctx context.Context, subjects []string, each func(Counter) error) error {
	bound, cancel := c.c.bounded(ctx)
	defer cancel()
	msgs, err := jetstreamext.GetLastMsgsFor(bound, c.c.js, c.Stream, subjects)
	if err != nil {
		return err
	}
	got := make([]Counter, 0, len(subjects))
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return fmt.Errorf("stream %s: %w", c.Stream, err)
		}
		one, err := c.read(m)
		if err != nil {
			return err
		}
		got = append(got, one)
	}
	slices.SortFunc(got, func(a, b Counter) int { return strings.Compare(a.Subject, b.Subject) })
	for _, one := range got {
		if err := each(one); err != nil {
			return err
		}
	}
	return nil
}

// Watch hands the counters that match filter to each, the present ones first and then every change until ctx ends; start is
// called when nothing can be missed any more, atEnd when the present ones have been handed over.
func (c *Counters) Watch(ctx context.Context, filter string, start, atEnd func() error, each func(Counter) error) error {
	keep := c.stream.CachedInfo().Config.ConsumerLimits.InactiveThreshold
	s, err := c.c.openScan(ctx, scanSpec{stream: c.Stream, filters: []string{filter}, from: fromLast, live: true, keep: keep})
	if err != nil {
		return fmt.Errorf("stream %s: %w", c.Stream, err)
	}
	defer s.close(ctx)
	if err := start(); err != nil {
		return err
	}
	return s.each(ctx, atEnd, func(m scanned) error {
		one, err := c.read(&jetstream.RawStreamMsg{Subject: m.msg.Subject, Sequence: m.seq, Header: m.msg.Header, Data: m.msg.Data, Time: m.time})
		if err != nil {
			return err
		}
		return each(one)
	})
}
