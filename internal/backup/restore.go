package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
)

// RestoreOptions say how a backup is restored.
type RestoreOptions struct {
	Config *jsconf.Config // of the new stream, whole, with its name
	Idle   time.Duration  // how long nothing may happen
	Settle time.Duration  // how long the server may work after it has everything
	Away   time.Duration  // how long a lost connection may be away when something is to be cleaned up; 0 is 10 seconds

	// Progress, when set, is told how many bytes of the archive the server has taken, of how many.
	Progress func(done, total uint64)
}

// Restored is a stream that was restored, or that was there already.
type Restored struct {
	Stream   js.Stream
	Sent     uint64 // bytes
	Chunks   int
	Already  bool // the stream was there, as the backup has it
	Cleared  bool // the half of it that an earlier restore had left was removed first
	Replayed bool // the messages were published one by one: the server does not read this archive
	Notes    []string
}

// ErrExists says that the stream to restore is there already, and is not what the backup holds.
var ErrExists = errors.New("the stream exists already")

// Restore makes a stream of the backup. When it fails nothing of the stream is left on the server, and when the server could not
// be reached for that, the next restore recognizes and removes what is left.
func Restore(ctx context.Context, c *js.Client, d Directory, o RestoreOptions) (Restored, error) {
	return restore(ctx, c, d, o, !d.Tar && !readsArchives(c.Conn().ConnectedServerVersion()))
}

// restore is Restore. anew publishes the messages, for servers that do not read the archive.
func restore(ctx context.Context, c *js.Client, d Directory, o RestoreOptions, anew bool) (Restored, error) {
	r := &restoring{c: c, d: d, o: o, name: o.Config.Text("name")}
	r.mark = markOf(d)
	manifest, err := prove(d.Path, filepath.Base(d.Archive))
	if err != nil && !errors.Is(err, ErrNoManifest) {
		return r.out, err
	}
	r.sum = manifest.Files[filepath.Base(d.Archive)].SHA256
	ctx, release := connected(ctx, c.Conn())
	defer release()
	done, err := r.existing(ctx)
	if done || err != nil {
		return r.out, lost(ctx, err)
	}
	if anew {
		err = r.replay(ctx)
	} else {
		err = r.transfer(ctx)
	}
	if err != nil {
		return r.out, r.clean(ctx, lost(ctx, err))
	}
	return r.out, lost(ctx, r.complete(ctx))
}

// readsArchives reports whether servers of the version read the archives of new servers.
func readsArchives(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return true // a version that says nothing is a new one
	}
	return major > 2 || major == 2 && minor >= 15
}

// restoring is a restore under way.
type restoring struct {
	c    *js.Client
	d    Directory
	o    RestoreOptions
	name string
	mark string // stands in the metadata of the stream until it is whole
	out  Restored

	sum       string     // what the archive's SHA-256 must be; empty when nobody knows
	deliver   string     // where chunks go
	standings []standing // consumers to make when the messages are there
}

// existing deals with a stream that is there: it may be what this restore would make, or what an earlier one left.
func (r *restoring) existing(ctx context.Context) (done bool, err error) {
	info, err := r.c.Info(ctx, r.name)
	if fail.CodeOf(err) == fail.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.out.Stream = info
	ours := info.StreamInfo.Config.Metadata[markKey] == r.mark
	same := equalState(info.State, r.d.Meta.State)
	switch {
	case ours && same:
		r.out.Already = true
		if err := r.absent(ctx); err != nil {
			return true, err
		}
		return true, r.complete(ctx)
	case info.StreamInfo.Config.Metadata[markKey] != "":
		if err := r.remove(ctx, info); err != nil {
			return false, err
		}
		r.out.Cleared = true
		return false, nil
	case same:
		r.out.Already = true
		return true, ErrExists
	}
	return true, ErrExists
}

// equalState compares what identifies the messages; servers say 0 or 1 for the first sequence of a stream that never had one.
func equalState(a, b api.StreamState) bool {
	return a.Msgs == b.Msgs && max(a.FirstSeq, 1) == max(b.FirstSeq, 1) && a.LastSeq == b.LastSeq
}

// marked is the configuration with the mark of a restore that is not finished.
func (r *restoring) marked() (json.RawMessage, error) {
	cfg := r.o.Config.Clone()
	if err := cfg.Set(r.mark, "metadata", markKey); err != nil {
		return nil, err
	}
	return cfg.MarshalJSON()
}

// transfer sends the archive.
func (r *restoring) transfer(ctx context.Context) error {
	nc := r.c.Conn()
	file, err := os.Open(r.d.Archive)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := r.begin(ctx); err != nil {
		return err
	}
	sub, err := nc.SubscribeSync(nc.NewRespInbox())
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	sum := sha256.New()
	if err := r.send(ctx, io.TeeReader(file, sum), sub); err != nil {
		return err
	}
	if r.sum != "" && hex.EncodeToString(sum.Sum(nil)) != r.sum {
		return fmt.Errorf("%s was changed: its SHA-256 is not that of the manifest", filepath.Base(r.d.Archive))
	}
	return r.end(ctx, sub)
}

// begin asks the server to take the stream.
func (r *restoring) begin(ctx context.Context) error {
	cfg, err := r.marked()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"config": cfg, "state": r.d.Meta.state})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.Idle)
	defer cancel()
	data, err := r.c.Request(ctx, "STREAM.RESTORE."+r.name, body, 0)
	if errors.Is(err, context.DeadlineExceeded) {
		return idle("the server did not begin the restore", r.o.Idle)
	}
	if err != nil {
		return err
	}
	var resp api.JSApiStreamRestoreResponse
	if err := json.Unmarshal(data, &resp); err != nil {
		return err
	}
	if r.deliver = resp.DeliverSubject; r.deliver == "" {
		return errors.New("the server did not say where the archive is to be sent")
	}
	return nil
}

// Chunks are as large as the server's own, and a few are under way at once: the server takes them in order.
const (
	chunkBytes  = 128 << 10
	underWay    = 16
	leastChunks = 1 << 10
)

func (r *restoring) send(ctx context.Context, file io.Reader, sub *nats.Subscription) error {
	nc := r.c.Conn()
	size := chunkBytes
	if limit := nc.MaxPayload(); limit > 0 {
		size = int(max(min(int64(size), limit), leastChunks))
	}
	buf := make([]byte, size)
	open := 0
	for {
		n, err := io.ReadFull(file, buf)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if n == 0 {
			break
		}
		if open == underWay {
			if err := r.confirmed(ctx, sub); err != nil {
				return err
			}
			open--
		}
		if err := nc.PublishRequest(r.deliver, sub.Subject, buf[:n]); err != nil {
			return err
		}
		open++
		r.out.Sent += uint64(n)
		r.out.Chunks++
		if r.o.Progress != nil {
			r.o.Progress(r.out.Sent, uint64(r.d.Size))
		}
	}
	for ; open > 0; open-- {
		if err := r.confirmed(ctx, sub); err != nil {
			return err
		}
	}
	return nil
}

// confirmed waits for the server's word on one chunk.
func (r *restoring) confirmed(ctx context.Context, sub *nats.Subscription) error {
	m, err := next(ctx, sub, r.o.Idle)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return idle("the server took no more of the archive", r.o.Idle)
	case err != nil:
		return err
	case m.Header.Get("Status") == "503":
		return errors.New("the server gave the restore up")
	case len(m.Data) > 0:
		return responseError(m.Data)
	}
	return nil
}

// end says that there is no more and waits for the stream.
func (r *restoring) end(ctx context.Context, sub *nats.Subscription) error {
	deliver := r.deliver
	r.deliver = "" // what is begun has an end
	if err := r.c.Conn().PublishRequest(deliver, sub.Subject, nil); err != nil {
		return err
	}
	m, err := next(ctx, sub, r.o.Settle)
	if errors.Is(err, context.DeadlineExceeded) {
		return fail.Newf(fail.NoAnswer, "the server has the whole archive, but did not say in %v that the stream is restored", r.o.Settle)
	}
	if err != nil {
		return err
	}
	if m.Header.Get("Status") == "503" {
		return errors.New("the server gave the restore up")
	}
	if err := responseError(m.Data); err != nil {
		return err
	}
	return json.Unmarshal(m.Data, &r.out.Stream)
}

func responseError(data []byte) error {
	var resp struct {
		Error *api.ApiError `json:"error"`
	}
	if err := json.Unmarshal(data, &resp); err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	if resp.Error != nil {
		return *resp.Error
	}
	return nil
}
