package js

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js/follow"
	"github.com/natskit/natskit/internal/jsconf"
)

// Stream is the state of a stream as the server told it: the part this program knows and the document it came in.
type Stream struct {
	api.StreamInfo
	// Raw is the info document of the server with every key it sent, envelope removed by MarshalJSON only.
	Raw json.RawMessage
}

// MarshalJSON is the server's document without the envelope of the response (type, total, offset, limit).
func (s Stream) MarshalJSON() ([]byte, error) {
	if len(s.Raw) == 0 {
		return json.Marshal(s.StreamInfo)
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(s.Raw, &doc); err != nil {
		return nil, err
	}
	for _, k := range []string{"type", "total", "offset", "limit", "did_create"} {
		delete(doc, k)
	}
	var b strings.Builder
	b.WriteByte('{')
	order := []string{"config", "created", "state", "domain", "cluster", "mirror", "sources", "alternates", "ts"}
	for _, k := range slices.Sorted(maps.Keys(doc)) {
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	for _, k := range order {
		v, ok := doc[k]
		if !ok {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", k, v)
	}
	b.WriteByte('}')
	return unescapeHTML([]byte(b.String())), nil
}

// unescapeHTML writes <, > and & plainly where a JSON document has them as \u003c, \u003e and \u0026.
func unescapeHTML(doc []byte) []byte {
	if !bytes.Contains(doc, []byte(`\u00`)) {
		return doc
	}
	out := make([]byte, 0, len(doc))
	for i := 0; i < len(doc); i++ {
		if doc[i] != '\\' || i+1 >= len(doc) {
			out = append(out, doc[i])
			continue
		}
		switch rest := doc[i:]; {
		case bytes.HasPrefix(rest, []byte(`\u003c`)):
			out = append(out, '<')
			i += 5
		case bytes.HasPrefix(rest, []byte(`\u003e`)):
			out = append(out, '>')
			i += 5
		case bytes.HasPrefix(rest, []byte(`\u0026`)):
			out = append(out, '&')
			i += 5
		default:
			out = append(out, doc[i], doc[i+1])
			i++
		}
	}
	return out
}

// UnmarshalJSON keeps the document and decodes what is known of it.
func (s *Stream) UnmarshalJSON(data []byte) error {
	s.Raw = slices.Clone(data)
	return json.Unmarshal(data, &s.StreamInfo)
}

// Config is the configuration as a document, with the keys this program does not know.
func (s Stream) Config() (*jsconf.Config, error) {
	var doc struct {
		Config json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(s.Raw, &doc); err != nil {
		return nil, fmt.Errorf("stream %s: %w", s.StreamInfo.Config.Name, err)
	}
	return jsconf.ParseWire(doc.Config)
}

// Coverage says how much of a list arrived.
type Coverage struct {
	Total   int               // how many the server says there are
	Rows    int               // how many it described
	Missing []string          // known but silent: their leader did not answer the server
	Offline map[string]string // not running, with the server's reason
}

// Complete reports whether everything the server counted was described.
func (c Coverage) Complete() bool {
	return len(c.Missing) == 0 && len(c.Offline) == 0 && c.Rows >= c.Total
}

// Err is nil for a complete list, else a partial failure (exit code 7) that says what is lacking. what is the plural noun.
func (c Coverage) Err(what string) error {
	if c.Complete() {
		return nil
	}
	var why []string
	if n := len(c.Missing); n > 0 {
		why = append(why, fmt.Sprintf("%d inaccessible (%s)", n, some(c.Missing)))
	}
	if n := len(c.Offline); n > 0 {
		why = append(why, fmt.Sprintf("%d offline (%s)", n, some(slices.Sorted(maps.Keys(c.Offline)))))
	}
	return fail.Partialf("the list is incomplete: %d of %d %s%s", c.Rows, max(c.Total, c.Rows), what, prefixed(": ", strings.Join(why, ", ")))
}

func some(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// ErrStop ends a walk early without an error.
var ErrStop = follow.ErrStop

type page struct {
	Total  int `json:"total"`
	Offset int `json:"offset"`
	Limit  int `json:"limit"`
}

func (p page) next() (int, bool) {
	return p.Offset + p.Limit, p.Limit > 0 && p.Offset+p.Limit < p.Total
}

type pageRequest struct {
	Offset  int    `json:"offset"`
	Subject string `json:"subject,omitempty"`
}

// Streams calls each for every stream whose subjects overlap with subject (all when empty), page by page in the server's order,
// so that no more than a page is held. each may return ErrStop.
func (c *Client) Streams(ctx context.Context, subject string, each func(Stream) error) (Coverage, error) {
	type response struct {
		page
		Streams []Stream          `json:"streams"`
		Missing []string          `json:"missing"`
		Offline map[string]string `json:"offline"`
	}
	cov := Coverage{Offline: map[string]string{}}
	for offset, more := 0, true; more; {
		r, err := call[response](ctx, c, "STREAM.LIST", pageRequest{offset, subject}, 0)
		if err != nil {
			return cov, fmt.Errorf("listing streams: %w", err)
		}
		cov.Total = r.Total
		cov.Missing = append(cov.Missing, r.Missing...)
		maps.Copy(cov.Offline, r.Offline)
		cov.Rows += len(r.Streams)
		for _, s := range r.Streams {
			if err := each(s); errors.Is(err, ErrStop) {
				return cov, nil
			} else if err != nil {
				return cov, err
			}
		}
		offset, more = r.next()
	}
	return cov, nil
}

// StreamNames calls each for every name, page by page; subject filters as in Streams. each may return ErrStop.
func (c *Client) StreamNames(ctx context.Context, subject string, each func(string) error) error {
	type response struct {
		page
		Streams []string `json:"streams"`
	}
	for offset, more := 0, true; more; {
		r, err := call[response](ctx, c, "STREAM.NAMES", pageRequest{offset, subject}, 0)
		if err != nil {
			return fmt.Errorf("listing stream names: %w", err)
		}
		for _, n := range r.Streams {
			if err := each(n); errors.Is(err, ErrStop) {
				return nil
			} else if err != nil {
				return err
			}
		}
		offset, more = r.next()
	}
	return nil
}

// AllStreamNames are the names, sorted.
func (c *Client) AllStreamNames(ctx context.Context, subject string) ([]string, error) {
	names := []string{}
	err := c.StreamNames(ctx, subject, func(n string) error {
		names = append(names, n)
		return nil
	})
	slices.Sort(names)
	return names, err
}

// Info describes one stream. A stream that does not exist is fail.NotFound with near names as the hint.
func (c *Client) Info(ctx context.Context, stream string) (Stream, error) {
	var s Stream
	if err := jsconf.CheckName("stream", stream); err != nil {
		return s, err
	}
	s, err := call[Stream](ctx, c, "STREAM.INFO."+stream, nil, 0)
	return s, c.StreamError(ctx, stream, err)
}

// StreamError wraps err with the stream's name. When the stream does not exist the hint is the names that are near.
func (c *Client) StreamError(ctx context.Context, stream string, err error) error {
	if err == nil {
		return nil
	}
	if !IsCode(err, 10059) {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	e := fail.NotFoundf("stream %s: %w", stream, err)
	var names []string
	seen := 0
	if lerr := c.StreamNames(ctx, "", func(n string) error {
		names = append(names, n)
		if seen++; seen >= 20_000 {
			return ErrStop
		}
		return nil
	}); lerr != nil {
		return e
	}
	if h := fail.DidYouMean("", stream, names); h != "" {
		return e.WithHint("%s", h)
	}
	return e.WithHint("nats stream ls")
}

// Subjects calls each for the subjects of the stream that match filter with their message counts, page by page in the server's
// order. total, which may be nil, is told first how many there are by the server's word.
func (c *Client) Subjects(ctx context.Context, stream, filter string, total func(int), each func(subject string, messages uint64) error) error {
	type request struct {
		Filter string `json:"subjects_filter"`
		Offset int    `json:"offset"`
	}
	if err := jsconf.CheckName("stream", stream); err != nil {
		return err
	}
	for offset := 0; ; {
		body, err := json.Marshal(request{filter, offset})
		if err != nil {
			return err
		}
		data, err := c.slowRequest(ctx, "STREAM.INFO."+stream, body)
		if err != nil {
			return c.StreamError(ctx, stream, err)
		}
		p, n, err := subjectPage(data, func(p page) {
			if offset == 0 && total != nil {
				total(p.Total)
			}
		}, each)
		switch {
		case errors.Is(err, ErrStop):
			return nil
		case err != nil:
			return err
		case p.Limit == 0 || n == 0 || offset+p.Limit >= p.Total:
			return nil
		}
		offset += p.Limit
	}
}

// slowRequest is Request for pages that the server has to sort a large stream for: each may take several timeouts.
func (c *Client) slowRequest(ctx context.Context, tail string, body []byte) ([]byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 6*c.timeout)
		defer cancel()
	}
	return c.Request(ctx, tail, body, 0)
}

// subjectPage reads the counts out of an info response. A page has a hundred thousand: they are taken from the text one by one,
// since a map of them would need many times its memory.
func subjectPage(data []byte, head func(page), each func(string, uint64) error) (p page, n int, err error) {
	key := []byte(`"subjects":{`)
	state := max(bytes.Index(data, []byte(`"state":{`)), 0)
	at := bytes.Index(data[state:], key)
	if at < 0 {
		err = json.Unmarshal(data, &p)
		head(p)
		return p, 0, err
	}
	begin := state + at + len(key)
	end := begin
	for end < len(data) && data[end] != '}' {
		if data[end] == '"' {
			end = stringEnd(data, end)
		}
		end++
	}
	// The rest of the document, with no counts in it, is small.
	rest := append(append([]byte{}, data[:begin]...), data[min(end, len(data)):]...)
	if err := json.Unmarshal(rest, &p); err != nil {
		return p, 0, fmt.Errorf("reading the subjects: %w", err)
	}
	head(p)
	for i := begin; i < end; n++ {
		close := stringEnd(data, i)
		name := string(data[i+1 : close])
		if strings.IndexByte(name, '\\') >= 0 {
			if err := json.Unmarshal(data[i:close+1], &name); err != nil {
				return p, n, fmt.Errorf("reading the subjects: %w", err)
			}
		}
		i = close + 2
		count := uint64(0)
		for ; i < end && data[i] != ','; i++ {
			count = count*10 + uint64(data[i]-'0')
		}
		i++
		if err := each(name, count); err != nil {
			return p, n, err
		}
	}
	return p, n, nil
}

// stringEnd is the index of the quote that ends the JSON string which begins at i.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(data) - 1
}
