package control

import (
	"context"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/store"
)

// read hands the entries of a bucket over. Each device watches the bucket of the configuration by a consumer, of which a stream takes
// a thousand when nobody says otherwise: where there is no more room for one of ours, messages are read one by one. Patterns are plain
// keys.
func (f *Fleet) read(ctx context.Context, b *store.Bucket, r store.Read, each func(store.Entry) error) error {
	err := b.Read(ctx, r, each)
	if !js.IsCode(err, 10026) {
		return err
	}
	var keys []string
	last := map[string]store.Entry{}
	err = js.New(f.JS).Read(ctx, b.Info().Config.Name, js.Range{}, true, func(m *js.DirectMessage) error {
		e, ok := entry(b.Name, m)
		switch {
		case !ok || len(r.Patterns) > 0 && !slices.Contains(r.Patterns, e.Key):
			return nil
		case r.History:
			return each(e)
		}
		keys = append(slices.DeleteFunc(keys, func(k string) bool { return k == e.Key }), e.Key)
		last[e.Key] = e
		return nil
	})
	for _, k := range keys {
		if err == nil && (last[k].Op == store.Put || r.Deletes) {
			err = each(last[k])
		}
	}
	return err
}

// entry reads a message of a bucket's stream, or of a mirror of it.
func entry(bucket string, m *js.DirectMessage) (store.Entry, bool) {
	parts := strings.SplitN(m.Subject, ".", 3)
	if len(parts) < 3 || parts[0] != "$KV" {
		return store.Entry{}, false
	}
	e := store.Entry{Bucket: bucket, Key: parts[2], Revision: m.Sequence, Op: store.Put, Created: m.Time, Value: m.Data, Size: len(m.Data), Header: m.Header}
	switch {
	case m.Header.Get("KV-Operation") == "DEL":
		e.Op = store.Delete
	case m.Header.Get("KV-Operation") == "PURGE", m.Header.Get(jetstream.MarkerReasonHeader) != "":
		e.Op = store.Purge
	}
	return e, true
}
