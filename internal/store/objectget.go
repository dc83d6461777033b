package store

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

// Digest reads the SHA-256 of an object; ok is false for objects without one, such as links.
func Digest(i *ObjectInfo) (sum []byte, ok bool) {
	text, found := strings.CutPrefix(i.Digest, "SHA-256=")
	if !found {
		return nil, false
	}
	sum, err := base64.URLEncoding.DecodeString(text)
	return sum, err == nil && len(sum) == sha256.Size
}

// maxLinks bounds how many links are followed to an object.
const maxLinks = 8

// Follow returns the bucket and the object that name stands for, through links.
func (o *Objects) Follow(ctx context.Context, name string) (*Objects, *ObjectInfo, error) {
	at := o
	for range maxLinks {
		info, err := at.Stat(ctx, name, false)
		if err != nil {
			return nil, nil, err
		}
		if !IsLink(info) {
			return at, info, nil
		}
		link := info.Opts.Link
		if link.Name == "" {
			return nil, nil, fail.Newf(fail.Failure, "object %s > %s is a link to the bucket %s: %w", at.Name, name, link.Bucket, jetstream.ErrCantGetBucket).
				WithHint("nats object ls %s", link.Bucket)
		}
		if link.Bucket != at.Name {
			if at, err = o.c.OpenObjects(ctx, link.Bucket); err != nil {
				return nil, nil, err
			}
		}
		name = link.Name
	}
	return nil, nil, fail.Newf(fail.Failure, "object %s > %s: more than %d links one behind the other", o.Name, name, maxLinks)
}

// Fetch says how an object is read.
type Fetch struct {
	Have     io.Reader         // the first bytes of the object, from a read that was broken off; nil when there are none
	Progress func(done uint64) // called as bytes are written, with those there before
}

// Read writes the content of the object described by info to w and checks size and digest. When it fails, what w received
// is not the object.
func (o *Objects) Read(ctx context.Context, info *ObjectInfo, w io.Writer, f Fetch) error {
	if info.Size == 0 {
		return nil
	}
	sum := newDigester()
	defer sum.end()
	done := uint64(0)
	from := scanSpec{stream: objectPrefix + o.Name, filters: []string{o.chunkSubject(info.NUID)}, keep: o.keep()}
	if f.Have != nil {
		n, err := io.Copy(sum, f.Have)
		if err != nil {
			return err
		}
		done = uint64(n)
		if from.seq, err = o.sequenceAt(ctx, info, done); err != nil {
			return err
		}
		from.from = fromSeq
	}
	var chunk, hashed []byte
	take := func(m scanned) error {
		from.from, from.seq = fromSeq, m.seq+1
		// The one before may still be in the digester.
		chunk, hashed = append(hashed[:0], m.msg.Data...), chunk
		sum.begin(chunk)
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		done += uint64(len(m.msg.Data))
		if f.Progress != nil {
			f.Progress(done)
		}
		if done >= info.Size {
			return errWhole
		}
		return nil
	}
	for wait := 100 * time.Millisecond; done < info.Size; wait *= 2 {
		if err := o.c.scan(ctx, from, nil, take); err != nil && !errors.Is(err, errWhole) {
			return named(o.Name, info.Name, err)
		}
		// A replica may not have all of an object that was stored a moment ago.
		if done >= info.Size || o.Info().Config.Replicas < 2 || wait > time.Second {
			break
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	sum.wait()
	return o.verify(info, done, sum)
}

var errWhole = errors.New("the object is whole")

func (o *Objects) verify(info *ObjectInfo, done uint64, sum hash.Hash) error {
	if done != info.Size {
		return fail.Newf(fail.Failure, "object %s > %s: %d of %d bytes came: chunks are missing or the object was replaced meanwhile", o.Name, info.Name, done, info.Size).
			WithHint("read it again")
	}
	want, ok := Digest(info)
	if !ok {
		return fail.Newf(fail.Failure, "object %s > %s: its digest %q cannot be checked: %w", o.Name, info.Name, info.Digest, jetstream.ErrInvalidDigestFormat)
	}
	if subtle.ConstantTimeCompare(want, sum.Sum(nil)) != 1 {
		return fail.Newf(fail.Failure, "object %s > %s: %w", o.Name, info.Name, jetstream.ErrDigestMismatch)
	}
	return nil
}

// ErrCannotResume is what a read fails with that is to go on at a place where no chunk begins.
var ErrCannotResume = errors.New("what is there does not end where a chunk does")

// sequenceAt finds the sequence of the chunk that begins at byte at.
func (o *Objects) sequenceAt(ctx context.Context, info *ObjectInfo, at uint64) (uint64, error) {
	if at == 0 {
		return 1, nil
	}
	var have, seq uint64
	spec := scanSpec{stream: objectPrefix + o.Name, filters: []string{o.chunkSubject(info.NUID)}, keep: o.keep(), headersOnly: true}
	err := o.c.scan(ctx, spec, nil, func(m scanned) error {
		n, err := strconv.ParseUint(m.msg.Header.Get(sizeHeader), 10, 64)
		if err != nil {
			return fmt.Errorf("size of chunk %d: %w", m.seq, err)
		}
		have += n
		seq = m.seq + 1
		if have >= at {
			return errWhole
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errWhole):
		return 0, named(o.Name, info.Name, err)
	case have != at:
		return 0, named(o.Name, info.Name, ErrCannotResume)
	}
	return seq, nil
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
