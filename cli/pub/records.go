package pub

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/payload/ctxio"
)

// recordKeys are what a record may say. Those of the second line are what nats sub --json tells about a message beside its
// content: they are passed over, so that its output can be published again.
const (
	recordKeys = "subject reply headers data data_base64 ttl id"
	passedOver = "number size time stream sequence pending lost response unanswered"
)

// published is one record: what it does not say comes from the command line.
type published struct {
	subject string
	reply   string
	header  nats.Header
	body    []byte
	raw     []byte // as it came
	line    int
	err     error // it could not be read; io.EOF at the end
}

// records reads messages from standard input beside the sender, so that a slow source is noticed.
type records struct {
	ctx    context.Context
	cancel context.CancelFunc
	out    chan published
	head   []byte // what a file of the same kind begins with
}

func openRecords(ctx context.Context, e *env.Env, format string) *records {
	ctx, cancel := context.WithCancel(ctx)
	r := &records{ctx: ctx, cancel: cancel, out: make(chan published, 512)}
	src := ctxio.NewReader(ctx, e.IO.In)
	read := r.ndjson
	if format == "csv" {
		read = r.csv
	}
	go func() {
		defer close(r.out)
		defer src.Close()
		err := read(src)
		if err == nil {
			err = io.EOF
		}
		r.put(published{err: err})
	}()
	return r
}

func (r *records) put(p published) bool {
	select {
	case r.out <- p:
		return true
	case <-r.ctx.Done():
		return false
	}
}

func (r *records) close() {
	r.cancel()
	for range r.out {
	}
}

// next is the next record; before it waits for one it calls idle.
func (r *records) next(idle func() error) (published, error) {
	select {
	case p := <-r.out:
		return p, nil
	default:
	}
	if err := idle(); err != nil {
		return published{}, err
	}
	select {
	case p, ok := <-r.out:
		if ok {
			return p, nil
		}
	case <-r.ctx.Done():
	}
	return published{}, context.Cause(r.ctx)
}

// errRecord marks a record that cannot be published, where the next one may.
type errRecord struct{ error }

func (r *records) ndjson(src io.Reader) error {
	lines := payload.NewLines(src)
	for {
		line, err := lines.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		p, err := parseRecord(line)
		p.raw, p.line = append(bytes.Clone(line), '\n'), lines.Number()
		if err != nil {
			p.err = errRecord{err}
		}
		if !r.put(p) {
			return nil
		}
	}
}

func parseRecord(line []byte) (published, error) {
	var p published
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(line, &fields); err != nil {
		return p, fmt.Errorf("not a JSON object: %w", err)
	}
	known := strings.Fields(recordKeys + " " + passedOver)
	for key := range fields {
		if !slices.Contains(known, key) {
			return p, unknown("key", key)
		}
	}
	var text struct {
		Subject, Reply, TTL, ID string
		DataBase64              *[]byte `json:"data_base64"`
	}
	if err := json.Unmarshal(line, &text); err != nil {
		return p, err
	}
	p.subject, p.reply = text.Subject, text.Reply
	if data, ok := fields["data"]; ok {
		if text.DataBase64 != nil {
			return p, errors.New("data and data_base64 exclude each other")
		}
		var s string
		if json.Unmarshal(data, &s) == nil {
			p.body = []byte(s)
		} else {
			p.body = bytes.Clone(data) // a JSON value is sent as it stands
		}
	} else if text.DataBase64 != nil {
		p.body = *text.DataBase64
	}
	var err error
	if raw, ok := fields["headers"]; ok {
		if p.header, err = payload.ParseHeaderFile("of the record", raw); err != nil {
			return p, err
		}
	}
	return p, p.special(text.TTL, text.ID)
}

func unknown(what, name string) error {
	hint := ""
	if near := flagval.Nearest(name, strings.Fields(recordKeys)); near != "" {
		hint = fmt.Sprintf(", did you mean %s", near)
	}
	return fmt.Errorf("unknown %s %q%s", what, name, hint)
}

// special puts time to live and message id into the headers that servers read.
func (p *published) special(ttl, id string) error {
	if p.header == nil && (ttl != "" || id != "") {
		p.header = nats.Header{}
	}
	if ttl != "" {
		if _, err := flagval.ParseDuration(ttl); err != nil && ttl != "never" {
			return fmt.Errorf("ttl: %w", err)
		}
		p.header.Set("Nats-TTL", ttl)
	}
	if id != "" {
		p.header.Set(nats.MsgIdHdr, id)
	}
	return nil
}

// csv reads rows below a row of names: those of recordKeys, and header:NAME for a header.
func (r *records) csv(src io.Reader) error {
	var seen bytes.Buffer
	in := csv.NewReader(io.TeeReader(src, &seen))
	in.FieldsPerRecord = -1
	names, err := in.Read()
	if err == io.EOF {
		return nil
	} else if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	for _, name := range names {
		if _, ok := strings.CutPrefix(name, "header:"); !ok && (name == "headers" || !slices.Contains(strings.Fields(recordKeys), name)) {
			return fail.Usagef("standard input: %w", unknown("column", name)).WithHint("the columns are subject, reply, data, data_base64, ttl, id and header:NAME")
		}
	}
	from := in.InputOffset()
	r.head = bytes.Clone(seen.Next(int(from)))
	for {
		row, err := in.Read()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		line, _ := in.FieldPos(0)
		p, err := parseRow(names, row)
		to := in.InputOffset()
		p.raw, p.line = bytes.Clone(seen.Next(int(to-from))), line
		from = to
		if err != nil {
			p.err = errRecord{err}
		}
		if !r.put(p) {
			return nil
		}
	}
}

func parseRow(names, row []string) (published, error) {
	var p published
	if len(row) != len(names) {
		return p, fmt.Errorf("%d fields below %d columns", len(row), len(names))
	}
	var ttl, id string
	for i, value := range row {
		switch name := names[i]; name {
		case "subject":
			p.subject = value
		case "reply":
			p.reply = value
		case "data":
			p.body = []byte(value)
		case "data_base64":
			var err error
			if p.body, err = base64.StdEncoding.DecodeString(value); err != nil {
				return p, fmt.Errorf("data_base64: %w", err)
			}
		case "ttl":
			ttl = value
		case "id":
			id = value
		default:
			if value != "" {
				key, value, err := payload.ParseHeader(strings.TrimPrefix(name, "header:") + ":" + value)
				if err != nil {
					return p, err
				}
				p.header = payload.MergeHeaders(p.header, nats.Header{key: {value}})
			}
		}
	}
	return p, p.special(ttl, id)
}

// runRecords sends every record once.
func (c *composer) runRecords(ctx context.Context, e *env.Env, o pubOptions, box outbox, r *receipt) error {
	src := openRecords(ctx, e, o.from)
	defer src.close()
	if o.errorFile != "" {
		draft, err := e.Files.Create(o.errorFile)
		if err != nil {
			return fmt.Errorf("error file: %w", err)
		}
		r.rejects = &rejects{draft: draft, head: func() []byte { return src.head }}
	}
	pace := pacer{e: e, sleep: o.sleep, jitter: o.jitter}
	for number := 1; ; number++ {
		p, err := src.next(func() error { return box.idle(ctx) })
		if err != nil {
			return err
		}
		var bad errRecord
		switch {
		case errors.Is(p.err, io.EOF):
			return nil
		case p.err != nil && !errors.As(p.err, &bad):
			return p.err
		}
		if err := pace.wait(ctx, func() error { return box.idle(ctx) }); err != nil {
			return err
		}
		m, err := c.fromRecord(p, number, o)
		if err != nil {
			if err := box.reject(m, err); err != nil {
				return err
			}
			continue
		}
		if err := box.send(ctx, m); err != nil {
			return err
		}
	}
}

// fromRecord completes a record with what the command line says of every message.
func (c *composer) fromRecord(p published, number int, o pubOptions) (message, error) {
	m := message{number: number, line: p.line, raw: p.raw, reply: p.reply, subject: p.subject, body: p.body}
	if p.err != nil {
		return m, p.err
	}
	c.values.Next(number)
	var err error
	if m.subject == "" {
		if m.subject, err = c.subject.ExpandString(&c.values); err != nil {
			return m, err
		}
	}
	if m.reply == "" {
		m.reply = o.reply
	}
	if err := publishable(m.subject); err != nil {
		return m, err
	}
	common, err := c.header.Expand(&c.values)
	m.header = payload.MergeHeaders(common, p.header)
	return m, err
}

// checkRecords are the rules of --from.
func (o *pubOptions) checkRecords() error {
	switch {
	case o.from == "" && o.errorFile != "":
		return fail.Usagef("--error-file belongs to --from")
	case o.from == "":
		return nil
	case o.bodySet && o.body != "-":
		return fail.Usagef("--from reads standard input: leave out the body")
	case o.count > 1:
		return fail.Usagef("--count cannot be combined with --from")
	}
	o.sendOn = "newline"
	return nil
}

// readHeaders adds the headers of the file to those of the flags.
func (o *pubOptions) readHeaders(e *env.Env) error {
	if o.headerFile == "" {
		return nil
	}
	text, err := e.Files.ReadFile(o.headerFile)
	if err != nil {
		return fmt.Errorf("header file: %w", err)
	}
	h, err := payload.ParseHeaderFile(o.headerFile, text)
	if err != nil {
		return err
	}
	o.headers = payload.MergeHeaders(h, o.headers)
	return nil
}

// summary is the end of a run with records.
func (r *receipt) summary(errorFile string) string {
	text := fmt.Sprintf("Published %d of %d records", r.Published, r.Published+r.Failures)
	if r.Failures > 0 && errorFile != "" {
		text += fmt.Sprintf("; the other %d are in %s", r.Failures, errorFile)
	}
	return text
}
