package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/publish"
)

// DefaultChunk is the size of chunks unless another is asked for, bytes.
const DefaultChunk = 128 << 10

const (
	chunkHeader = "Chunk" // the number of a chunk within its object, from 0: how an upload finds out what arrived
	maxRepairs  = 10
)

// PutObject says what is stored.
type PutObject struct {
	Name, Description string
	Headers           nats.Header
	Metadata          map[string]string
	ChunkSize         uint32            // 0 is DefaultChunk
	Progress          func(done uint64) // called as bytes are sent
}

// Put stores what r holds, up to its end, and returns the description of the object, which it publishes only when every
// chunk is acknowledged. Chunks that are lost on the way, to a new leader say, are sent again in order; at most the window
// of the publisher is in memory. When it fails, the earlier object of that name is untouched and the new chunks are removed.
func (o *Objects) Put(ctx context.Context, p PutObject, r io.Reader) (*ObjectInfo, error) {
	if p.Name == "" {
		return nil, fail.Usagef("the object name is empty")
	}
	if p.ChunkSize == 0 {
		p.ChunkSize = DefaultChunk
	}
	if limit := o.c.nc.MaxPayload() - 1024; int64(p.ChunkSize) > limit {
		return nil, fail.Usagef("--chunk-size: %d bytes is more than the server's messages hold: at most %d", p.ChunkSize, limit)
	}
	old, err := o.Stat(ctx, p.Name, true)
	if err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, err
	}
	info := &ObjectInfo{Bucket: o.Name, NUID: nuid.Next(), ObjectMeta: jetstream.ObjectMeta{
		Name: p.Name, Description: p.Description, Headers: p.Headers, Metadata: p.Metadata, Opts: &jetstream.ObjectMetaOptions{ChunkSize: p.ChunkSize},
	}}
	u, err := o.newUpload(info, p)
	if err != nil {
		return nil, err
	}
	defer u.pub.Close()
	err = u.run(ctx, r)
	if err == nil {
		err = o.writeMeta(ctx, info)
	}
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.c.timeout)
		defer cancel()
		_ = u.pub.Wait(clean) // what is still on its way would be stored behind the purge
		if cleanErr := o.purgeChunks(clean, info.NUID); cleanErr != nil {
			err = errors.Join(err, cleanErr)
		}
		return nil, named(o.Name, p.Name, err)
	}
	if old != nil && !old.Deleted {
		if err := o.purgeChunks(ctx, old.NUID); err != nil {
			return nil, err
		}
	}
	return o.Fresh(ctx, p.Name)
}

// upload sends the chunks of one object.
type upload struct {
	o    *Objects
	info *ObjectInfo
	p    PutObject
	pub  *publish.Window[uint64] // of chunk numbers

	mu      sync.Mutex
	free    [][]byte          // buffers that may be filled again
	flying  map[uint64]*chunk // sent and not acknowledged, or behind such a one
	first   uint64            // the first chunk that is not acknowledged
	lastSeq uint64            // of the chunk before it
	lost    error             // why a chunk did not arrive
	// repaired says that chunks may have been sent twice; it belongs to the sender.
	repaired bool
}

type chunk struct {
	data  []byte
	seq   uint64
	acked bool
}

func (o *Objects) newUpload(info *ObjectInfo, p PutObject) (*upload, error) {
	u := &upload{o: o, info: info, p: p, flying: map[uint64]*chunk{}}
	var err error
	u.pub, err = publish.Over(o.c.nc, publish.Config[uint64]{Idle: o.c.timeout, Done: u.outcome})
	return u, err
}

// outcome notes an acknowledgement and lets go of the chunks that all before are acknowledged too.
func (u *upload) outcome(number uint64, a publish.Ack, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.flying[number]
	if c == nil {
		return
	}
	if err != nil {
		if u.lost == nil {
			u.lost = unstored(err)
		}
		return
	}
	c.acked, c.seq = true, a.Sequence
	u.settle()
}

// settle lets go of acknowledged chunks from the first on. Lock held.
func (u *upload) settle() {
	for c := u.flying[u.first]; c != nil && c.acked; c = u.flying[u.first] {
		u.lastSeq = c.seq
		u.free = append(u.free, c.data[:cap(c.data)])
		delete(u.flying, u.first)
		u.first++
	}
}

// buffer is a chunk's worth of memory.
func (u *upload) buffer() []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := len(u.free); n > 0 {
		buf := u.free[n-1]
		u.free = u.free[:n-1]
		return buf
	}
	return make([]byte, u.p.ChunkSize)
}

// failure is why a chunk was lost, if one was.
func (u *upload) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lost
}

// run reads r to its end, sends it and fills in size, chunks and digest.
func (u *upload) run(ctx context.Context, r io.Reader) error {
	sum := newDigester()
	defer sum.end()
	for {
		buf := u.buffer()
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			sum.begin(buf[:n])
			sendErr := u.send(ctx, uint64(u.info.Chunks), buf[:n])
			sum.wait() // an acknowledged chunk's memory is filled again
			if sendErr != nil {
				return sendErr
			}
			u.info.Chunks++
			u.info.Size += uint64(n)
			if u.p.Progress != nil {
				u.p.Progress(u.info.Size)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	u.info.Digest = "SHA-256=" + base64.URLEncoding.EncodeToString(sum.Sum(nil))
	if err := u.pub.Wait(ctx); err != nil {
		return err
	}
	if err := u.repair(ctx); err != nil || !u.repaired {
		return err
	}
	return u.prove(ctx)
}

func (u *upload) send(ctx context.Context, i uint64, data []byte) error {
	if err := u.repair(ctx); err != nil {
		return err
	}
	u.mu.Lock()
	u.flying[i] = &chunk{data: data}
	u.mu.Unlock()
	return u.transmit(ctx, i, data)
}

func (u *upload) transmit(ctx context.Context, i uint64, data []byte) error {
	return u.pub.Send(ctx, i, &nats.Msg{
		Subject: u.o.chunkSubject(u.info.NUID), Data: data, Header: nats.Header{chunkHeader: {strconv.FormatUint(i, 10)}},
	})
}

// repair looks up which chunks arrived when one was lost, removes those that stand behind a gap and sends from the gap on.
func (u *upload) repair(ctx context.Context) error {
	for try := 0; ; try++ {
		lost := u.failure()
		if lost == nil {
			return nil
		}
		if !passing(lost) || try == maxRepairs {
			return lost
		}
		if err := u.pub.Wait(ctx); err != nil {
			return err
		}
		if err := u.reconcile(ctx); err != nil {
			if !passing(err) {
				return fmt.Errorf("%w; looking up what arrived: %w", lost, err)
			}
			if err := pause(ctx, time.Second<<try); err != nil {
				return err
			}
			continue
		}
		if err := u.resend(ctx); err != nil {
			return err
		}
	}
}

// passing tells whether an error may go away by itself: nobody answered, or a server that has no leader just now.
func passing(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code == 503 || api.Code == 429
	}
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jetstream.ErrJetStreamNotEnabled)
}

// reconcile brings what is known of the chunks into line with what the stream holds.
func (u *upload) reconcile(ctx context.Context) error {
	u.mu.Lock()
	next, after := u.first, u.lastSeq
	u.mu.Unlock()
	arrived, stray, err := u.look(ctx, next, after)
	if err != nil {
		return err
	}
	if err := u.remove(ctx, stray); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, c := range u.flying {
		seq, ok := arrived[i]
		c.acked, c.seq = ok, seq
	}
	u.lost, u.repaired = nil, true
	u.settle()
	return nil
}

// look reads which chunks stand in the stream behind the sequence after, in order from number next on, and at which sequences; stray
// are those that do not belong where they stand.
func (u *upload) look(ctx context.Context, next, after uint64) (arrived map[uint64]uint64, stray []uint64, err error) {
	spec := scanSpec{stream: objectPrefix + u.o.Name, filters: []string{u.o.chunkSubject(u.info.NUID)}, from: fromSeq, seq: after + 1, headersOnly: true}
	arrived = map[uint64]uint64{}
	err = u.o.c.scan(ctx, spec, nil, func(m scanned) error {
		i, err := strconv.ParseUint(m.msg.Header.Get(chunkHeader), 10, 64)
		if err == nil && i == next {
			arrived[i] = m.seq
			next++
			return nil
		}
		stray = append(stray, m.seq)
		return nil
	})
	return arrived, stray, err
}

// remove takes chunks out of the stream again.
func (u *upload) remove(ctx context.Context, stray []uint64) error {
	for _, seq := range stray {
		req := map[string]any{"seq": seq, "no_erase": true}
		err := u.o.c.request(ctx, "STREAM.MSG.DELETE."+objectPrefix+u.o.Name, req, nil)
		if err != nil && !apiCode(err, 10043, 10057) { // these say that it is gone
			return err
		}
	}
	return nil
}

// prove makes sure that the stream holds each chunk once and in order, after a repair: the replica that told what had arrived may have
// been behind, so that chunks were sent a second time.
func (u *upload) prove(ctx context.Context) error {
	for try := 0; ; try++ {
		arrived, stray, err := u.look(ctx, 0, 0)
		if err == nil && uint64(len(arrived)) == uint64(u.info.Chunks) {
			if len(stray) == 0 {
				return nil
			}
			err = u.remove(ctx, stray)
		}
		switch {
		case err != nil && !passing(err):
			return fmt.Errorf("looking up what arrived: %w", err)
		case try == maxRepairs && err != nil:
			return fmt.Errorf("looking up what arrived: %w", err)
		case try == maxRepairs:
			return fail.Newf(fail.Failure, "%d of %d chunks stand in the stream in their order", len(arrived), u.info.Chunks).WithHint("store it again")
		}
		if err := pause(ctx, min(100*time.Millisecond<<try, 5*time.Second)); err != nil {
			return err
		}
	}
}

// resend sends again, in order, the chunks that did not arrive.
func (u *upload) resend(ctx context.Context) error {
	u.mu.Lock()
	var left []uint64
	for i := range u.flying {
		left = append(left, i)
	}
	u.mu.Unlock()
	slices.Sort(left)
	for _, i := range left {
		u.mu.Lock()
		c := u.flying[i]
		u.mu.Unlock()
		if c == nil {
			continue
		}
		if err := u.transmit(ctx, i, c.data); err != nil {
			return err
		}
	}
	return u.pub.Wait(ctx)
}
