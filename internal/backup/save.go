package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
)

// SaveOptions say how a stream is backed up.
type SaveOptions struct {
	Consumers  bool          // with the consumers and how far they have come
	Check      bool          // the server checks all messages first
	ChunkSize  int64         // bytes of one packet of the transfer; 0 is 128 KiB
	WindowSize int64         // bytes under way at once; 0 is the server's choice
	Idle       time.Duration // how long nothing may arrive
	Replace    bool          // an earlier backup of the stream may be replaced
	Root       string        // the directory in whose parent the backup is made before it is moved; empty is the target's
	Now        time.Time

	copied bool // the messages are read even where the server makes snapshots

	// Progress, when set, is told how many bytes have arrived, unpacked, of how many the server holds.
	Progress func(done, total uint64)
}

// Saved is a backup of a stream that was made, or that was there already.
type Saved struct {
	Stream    string
	Messages  uint64
	Bytes     uint64 // in the stream
	Consumers int
	Received  uint64 // bytes of the archive
	Chunks    int
	Unpacked  uint64 // bytes of the archive, unpacked
	Copied    bool   // the messages were read one by one: the server makes no snapshot of this stream
	Unchanged bool   // the backup that was there is still up to date
	Notes     []string
}

// Save makes a backup of the stream in the directory target, which appears or changes only when the backup is whole. A backup
// that is there already and still up to date is left alone.
func Save(ctx context.Context, c *js.Client, s js.Stream, target string, o SaveOptions) (Saved, error) {
	ctx, release := connected(ctx, c.Conn())
	defer release()
	t := &saving{c: c, o: o}
	if err := t.begin(ctx, s, target); err != nil || t.out.Unchanged {
		return t.out, lost(ctx, err)
	}
	var err error
	if t.stage, err = newStage(rootOf(o.Root, target), target, o.Now); err != nil {
		return t.out, err
	}
	defer t.stage.discard()
	if err := t.run(ctx); err != nil {
		return t.out, lost(ctx, err)
	}
	return t.out, t.stage.publish()
}

// Preview says what Save would do, and does nothing.
func Preview(ctx context.Context, c *js.Client, s js.Stream, target string, o SaveOptions) (Saved, error) {
	t := &saving{c: c, o: o}
	err := t.begin(ctx, s, target)
	return t.out, err
}

// begin looks at the stream and at what stands at the target.
func (t *saving) begin(ctx context.Context, s js.Stream, target string) error {
	name := s.StreamInfo.Config.Name
	t.out = Saved{Stream: name, Messages: s.State.Msgs, Bytes: s.State.Bytes}
	if err := recoverEarlier(target); err != nil {
		return err
	}
	var err error
	if t.src, err = look(ctx, t.c, s, t.o.Consumers); err != nil {
		return err
	}
	t.out.Consumers = len(t.src.consumers)
	mark, err := t.src.fingerprint(t.o.Consumers)
	if err != nil {
		return err
	}
	t.manifest = Manifest{Source: mark, Files: map[string]File{}}
	err = vacant(target, name, t.o.Replace)
	if err == nil && !t.o.Replace || err != nil && !errors.Is(err, ErrOccupied) {
		return err
	}
	if m, perr := Prove(target); perr == nil && m.Source == mark {
		t.out.Unchanged = true
		return nil
	}
	return err
}

func rootOf(root, target string) string {
	if root == "" {
		return target
	}
	return root
}

// saving is a backup under way.
type saving struct {
	c        *js.Client
	o        SaveOptions
	src      source
	stage    *stage
	out      Saved
	manifest Manifest
}

func (t *saving) run(ctx context.Context) error {
	meta, err := t.archive(ctx)
	if err != nil {
		return err
	}
	if err := meta.Write(t.stage.dir); err != nil {
		return err
	}
	return t.stage.prove(t.manifest)
}

// archive writes the archive: a snapshot, or where the server makes none, what is read.
func (t *saving) archive(ctx context.Context) (Meta, error) {
	if t.o.copied {
		return t.copy(ctx)
	}
	meta, err := t.snapshot(ctx)
	if err != nil && t.src.stream.StreamInfo.Config.Storage == api.MemoryStorage && isAPIError(err) {
		return t.copy(ctx) // servers before 2.15 have no snapshots of streams in memory
	}
	return meta, err
}

func isAPIError(err error) bool {
	var e api.ApiError
	return errors.As(err, &e)
}

// snapshot asks the server for a snapshot and writes what comes.
func (t *saving) snapshot(ctx context.Context) (Meta, error) {
	nc := t.c.Conn()
	sub, err := nc.SubscribeSync(nc.NewRespInbox())
	if err != nil {
		return Meta{}, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(-1, -1); err != nil { // the window is the limit
		return Meta{}, err
	}
	resp, err := t.request(ctx, sub.Subject)
	if err != nil {
		return Meta{}, err
	}
	meta, err := NewMeta(resp.Config, resp.State)
	if err != nil {
		return meta, err
	}
	t.out.Messages, t.out.Bytes = meta.State.Msgs, meta.State.Bytes
	part := t.stage.path("archive.part")
	w, err := newArchiveWriter(part)
	if err != nil {
		return meta, err
	}
	err = t.receive(ctx, sub, w)
	if err == nil {
		err = w.finish()
	}
	if err = errors.Join(err, w.close()); err != nil {
		return meta, err
	}
	t.out.Received, t.out.Unpacked = uint64(w.size), w.frames.plain
	t.manifest.Files[w.name] = w.proof()
	if err := os.Rename(part, t.stage.path(w.name)); err != nil {
		return meta, err
	}
	if w.name == TarFile {
		return meta, t.memoryConsumers(meta.State.LastSeq)
	}
	return meta, nil
}

type snapshotResponse struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

func (t *saving) request(ctx context.Context, inbox string) (snapshotResponse, error) {
	var resp snapshotResponse
	name := t.src.stream.StreamInfo.Config.Name
	chunk := t.o.ChunkSize
	if chunk == 0 {
		chunk = 128 << 10
	}
	body, err := json.Marshal(api.JSApiStreamSnapshotRequest{
		DeliverSubject: inbox, NoConsumers: !t.o.Consumers, ChunkSize: int(chunk), WindowSize: int(t.o.WindowSize), CheckMsgs: t.o.Check,
	})
	if err != nil {
		return resp, err
	}
	level := 0
	if t.o.WindowSize > 0 {
		level = 3
	}
	ctx, cancel := context.WithTimeout(ctx, t.o.Idle)
	defer cancel()
	data, err := t.c.Request(ctx, "STREAM.SNAPSHOT."+name, body, level)
	if errors.Is(err, context.DeadlineExceeded) {
		return resp, idle("the server did not begin the snapshot", t.o.Idle)
	}
	if err != nil {
		return resp, t.c.StreamError(ctx, name, err)
	}
	return resp, json.Unmarshal(data, &resp)
}

// receive writes the chunks of the snapshot. Each is confirmed when it is written, so that no more than a window is under way.
func (t *saving) receive(ctx context.Context, sub *nats.Subscription, w *archiveWriter) error {
	for {
		m, err := next(ctx, sub, t.o.Idle)
		if errors.Is(err, context.DeadlineExceeded) {
			return idle("no more of the snapshot came", t.o.Idle)
		}
		if err != nil {
			return err
		}
		if len(m.Data) == 0 {
			if status := m.Header.Get("Status"); status != "" && status != "204" {
				return fmt.Errorf("the server ended the snapshot: %s %s", status, m.Header.Get("Description"))
			}
			return nil
		}
		if _, err := w.Write(m.Data); err != nil {
			return err
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return err
			}
		}
		t.out.Chunks++
		if t.o.Progress != nil {
			t.o.Progress(w.frames.plain, t.out.Bytes)
		}
	}
}

// memoryConsumers writes the consumers that snapshots of older servers lack.
func (t *saving) memoryConsumers(last uint64) error {
	list, err := t.src.standings(last, func(cfg api.ConsumerConfig) bool { return cfg.MemoryStorage })
	if err != nil || len(list) == 0 {
		return err
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	t.out.Notes = append(t.out.Notes, fmt.Sprintf("%d consumers in memory were saved at their acknowledgement floor: the server's snapshot lacks them", len(list)))
	return writeSynced(filepath.Join(t.stage.dir, ConsumersFile), append(data, '\n'))
}

// next is the next message; context.DeadlineExceeded says that none came for so long.
func next(ctx context.Context, sub *nats.Subscription, wait time.Duration) (*nats.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := sub.NextMsgWithContext(waiting)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return m, err
}

// idle is the error of a transfer in which nothing happened for too long.
func idle(what string, wait time.Duration) error {
	return fail.Newf(fail.NoAnswer, "%s for %v", what, wait).WithHint("--idle sets how long nothing may happen")
}
