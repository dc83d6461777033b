package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/nats-io/jsm.go/api"
	archive "github.com/nats-io/jsm.go/backup"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/js"
)

// copy makes an archive, as a new server would, of the messages as a reader sees them.
func (t *saving) copy(ctx context.Context) (Meta, error) {
	info := t.src.stream
	cfg, err := info.Config()
	if err != nil {
		return Meta{}, err
	}
	list, err := t.src.standings(info.State.LastSeq, func(api.ConsumerConfig) bool { return true })
	if err != nil {
		return Meta{}, err
	}
	state := info.State
	state.Consumers, state.Deleted, state.Subjects, state.Lost = len(list), nil, nil, nil
	rawState, err := json.Marshal(state)
	if err != nil {
		return Meta{}, err
	}
	rawConfig, err := cfg.StripReserved().MarshalJSON()
	if err != nil {
		return Meta{}, err
	}
	meta, err := NewMeta(rawConfig, rawState)
	if err != nil {
		return meta, err
	}
	w, err := newArchiveWriter(t.stage.path(ArchiveFile))
	if err != nil {
		return meta, err
	}
	err = t.encode(ctx, archive.NewEncoder(w), state, list)
	if err == nil {
		err = w.finish()
	}
	if err = errors.Join(err, w.close()); err != nil {
		return meta, err
	}
	t.out.Copied, t.out.Received, t.out.Unpacked = true, uint64(w.size), w.frames.plain
	t.manifest.Files[ArchiveFile] = w.proof()
	return meta, nil
}

func (t *saving) encode(ctx context.Context, enc *archive.Encoder, state api.StreamState, list []standing) error {
	ts := t.o.Now.UnixNano()
	if err := enc.WriteState(ts, state); err != nil {
		return err
	}
	for _, one := range list {
		data, err := json.Marshal(one)
		if err != nil {
			return err
		}
		var named struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(one.Config, &named); err != nil {
			return err
		}
		if err := enc.WriteConsumer(named.Name, ts, data); err != nil {
			return err
		}
	}
	var done uint64
	err := t.c.Scan(ctx, t.src.stream, js.Range{}, func(m *js.DirectMessage) error {
		head := encodeHeader(m.Header)
		done += uint64(len(m.Subject) + len(head) + len(m.Data))
		if t.o.Progress != nil {
			t.o.Progress(done, t.out.Bytes)
		}
		return enc.WriteMessage(&archive.Message{
			Subject: m.Subject, Seq: m.Sequence, Ts: m.Time.UnixNano(), HdrSize: int64(len(head)), PayloadSize: int64(len(m.Data)),
			Body: bytes.NewReader(append(head, m.Data...)),
		})
	})
	if err != nil {
		return err
	}
	return errors.Join(enc.WriteEnd(), enc.Close())
}

// encodeHeader is the header block as the server stores it, with the names in order.
func encodeHeader(h nats.Header) []byte {
	if len(h) == 0 {
		return nil
	}
	b := []byte("NATS/1.0\r\n")
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			b = append(b, name+": "+value+"\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}
