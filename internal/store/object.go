package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/publish"
)

// Objects is an open object bucket.
type Objects struct {
	c      *Client
	Name   string
	stream jetstream.Stream
}

// OpenObjects opens an object bucket.
func (c *Client) OpenObjects(ctx context.Context, name string) (*Objects, error) {
	if err := CheckBucket(name); err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, objectPrefix+name)
	if err != nil {
		return nil, c.bucketError(ctx, Object, name, err)
	}
	return &Objects{c: c, Name: name, stream: s}, nil
}

// Info is configuration and state as they were when the bucket was opened.
func (o *Objects) Info() *jetstream.StreamInfo { return o.stream.CachedInfo() }

// keep is how long the bucket lets an unused consumer live at most, 0 for no limit.
func (o *Objects) keep() time.Duration { return o.Info().Config.ConsumerLimits.InactiveThreshold }

// ObjectInfo is what a bucket says of one object. Links have neither digest nor chunks.
type ObjectInfo = jetstream.ObjectInfo

// IsLink tells whether an object stands for another one, or for a whole bucket when the link has no name.
func IsLink(i *ObjectInfo) bool { return i.Opts != nil && i.Opts.Link != nil }

func (o *Objects) metaSubject(name string) string {
	return "$O." + o.Name + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

func (o *Objects) chunkSubject(nuid string) string { return "$O." + o.Name + ".C." + nuid }

// Stat reads what is known of an object; deleted ones are found only when asked for.
func (o *Objects) Stat(ctx context.Context, name string, deleted bool) (*ObjectInfo, error) {
	if name == "" {
		return nil, fail.Usagef("the object name is empty")
	}
	bound, cancel := o.c.bounded(ctx)
	defer cancel()
	m, err := o.stream.GetLastMsgForSubject(bound, o.metaSubject(name))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, o.missing(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("object %s > %s: %w", o.Name, name, err)
	}
	info, err := readObject(m.Data, m.Time)
	if err != nil {
		return nil, fmt.Errorf("object %s > %s: %w", o.Name, name, err)
	}
	if info.Deleted && !deleted {
		return nil, fail.Newf(fail.NotFound, "object %s > %s was deleted: %w", o.Name, name, jetstream.ErrObjectNotFound)
	}
	return info, nil
}

// Fresh is Stat for those who have just written: it asks the leader, since any other server may not have heard of it yet.
func (o *Objects) Fresh(ctx context.Context, name string) (*ObjectInfo, error) {
	m, err := o.c.leaderMsg(ctx, objectPrefix+o.Name, map[string]any{"last_by_subj": o.metaSubject(name)})
	if err != nil {
		return nil, fmt.Errorf("object %s > %s: %w", o.Name, name, err)
	}
	return readObject(m.Data, m.Time)
}

func readObject(data []byte, at time.Time) (*ObjectInfo, error) {
	var info ObjectInfo
	if err := json.Unmarshal(data, &info); err != nil {
		return nil, fmt.Errorf("%w: %w", jetstream.ErrBadObjectMeta, err)
	}
	info.ModTime = at
	return &info, nil
}

// missing is what an object that is not there is reported by, with the names that come near when there are not too many.
func (o *Objects) missing(ctx context.Context, name string) error {
	err := fail.Newf(fail.NotFound, "object %s > %s: %w", o.Name, name, jetstream.ErrObjectNotFound)
	if o.Info().State.NumSubjects > nearKeys {
		return err
	}
	var names []string
	_ = o.c.subjects(ctx, objectPrefix+o.Name, "$O."+o.Name+".M.>", func(subject string, _ uint64) error {
		raw, decodeErr := base64.URLEncoding.DecodeString(strings.TrimPrefix(subject, "$O."+o.Name+".M."))
		if decodeErr == nil {
			names = append(names, string(raw))
		}
		return nil
	})
	if hint := fail.DidYouMean("", name, names); hint != "" {
		return err.WithHint("%s", hint)
	}
	return err
}

// ListObjects says which objects are read.
type ListObjects struct {
	Deleted bool // deleted ones too
	Updates bool // only what changes from now on
	Live    bool // go on with what changes later, until ctx ends
	Start   func() error
	AtEnd   func() error
}

// List hands the objects of the bucket to each, in the order of their last change.
func (o *Objects) List(ctx context.Context, l ListObjects, each func(*ObjectInfo) error) error {
	spec := scanSpec{stream: objectPrefix + o.Name, filters: []string{"$O." + o.Name + ".M.>"}, from: fromLast, live: l.Live, keep: o.keep()}
	if l.Updates {
		spec.from = fromNew
	}
	s, err := o.c.openScan(ctx, spec)
	if err != nil {
		return fmt.Errorf("object bucket %s: %w", o.Name, err)
	}
	defer s.close(ctx)
	if l.Start != nil {
		if err := l.Start(); err != nil {
			return err
		}
	}
	return s.each(ctx, l.AtEnd, func(m scanned) error {
		info, err := readObject(m.msg.Data, m.time)
		if err != nil {
			return fmt.Errorf("object bucket %s: message %d: %w", o.Name, m.seq, err)
		}
		if info.Deleted && !l.Deleted {
			return nil
		}
		return each(info)
	})
}

// Remove deletes an object: a marker takes the place of its description and its chunks are purged.
func (o *Objects) Remove(ctx context.Context, name string) error {
	info, err := o.Stat(ctx, name, false)
	if err != nil {
		return err
	}
	nuid := info.NUID
	info.Deleted, info.Size, info.Chunks, info.Digest = true, 0, 0, ""
	if err := o.writeMeta(ctx, info); err != nil {
		return err
	}
	return o.purgeChunks(ctx, nuid)
}

func (o *Objects) purgeChunks(ctx context.Context, nuid string) error {
	if nuid == "" {
		return nil
	}
	if err := o.c.request(ctx, "STREAM.PURGE."+objectPrefix+o.Name, map[string]string{"filter": o.chunkSubject(nuid)}, nil); err != nil {
		return fmt.Errorf("object bucket %s: removing chunks: %w", o.Name, err)
	}
	return nil
}

// writeMeta stores the description of an object in the place of the one before.
func (o *Objects) writeMeta(ctx context.Context, info *ObjectInfo) error {
	at := info.ModTime
	info.ModTime = time.Time{}
	data, err := json.Marshal(info)
	info.ModTime = at
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: o.metaSubject(info.Name), Data: data, Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupSubject}}}
	bound, cancel := o.c.bounded(ctx)
	defer cancel()
	reply, err := o.c.nc.RequestMsgWithContext(bound, m)
	if err == nil {
		_, err = publish.ParseAck(reply)
	}
	if err != nil {
		return fmt.Errorf("object %s > %s: %w", o.Name, info.Name, unstored(err))
	}
	return nil
}

// library is the bucket as the client library knows it, for the few rare changes that it makes well.
func (o *Objects) library(ctx context.Context) (jetstream.ObjectStore, error) {
	return o.c.js.ObjectStore(ctx, o.Name)
}

// Link makes name stand for another object, or for a whole bucket when target is empty.
func (o *Objects) Link(ctx context.Context, name, bucket, target string) error {
	ctx, cancel := o.c.bounded(ctx)
	defer cancel()
	lib, err := o.library(ctx)
	if err != nil {
		return err
	}
	to, err := o.c.OpenObjects(ctx, bucket)
	if err != nil {
		return err
	}
	if target == "" {
		other, err := to.library(ctx)
		if err != nil {
			return err
		}
		_, err = lib.AddBucketLink(ctx, name, other)
		return named(o.Name, name, err)
	}
	info, err := to.Stat(ctx, target, false)
	if err != nil {
		return err
	}
	_, err = lib.AddLink(ctx, name, info)
	return named(o.Name, name, err)
}

// Describe changes what is said of an object, its name too; the content stays.
func (o *Objects) Describe(ctx context.Context, name string, meta jetstream.ObjectMeta) error {
	ctx, cancel := o.c.bounded(ctx)
	defer cancel()
	lib, err := o.library(ctx)
	if err != nil {
		return err
	}
	return named(o.Name, name, lib.UpdateMeta(ctx, name, meta))
}

// Seal makes the bucket read-only for ever.
func (o *Objects) Seal(ctx context.Context) error {
	d, err := o.c.draft(ctx, objectPrefix+o.Name)
	if err != nil {
		return o.c.bucketError(ctx, Object, o.Name, err)
	}
	if err := d.set("sealed", true); err != nil {
		return err
	}
	return d.Apply(ctx)
}

func named(bucket, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("object %s > %s: %w", bucket, name, err)
}
