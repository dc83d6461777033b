package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	archive "github.com/nats-io/jsm.go/backup"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
)

// markKey is the metadata of a stream whose restore is not finished: with it a later run, on any machine, knows a half stream
// from one that is in use.
const markKey = "_natskit.restoring"

// HalfRestored reports whether the stream carries the mark of a restore that is not finished.
func HalfRestored(s js.Stream) bool { return s.StreamInfo.Config.Metadata[markKey] != "" }

// markOf names the backup that is restored.
func markOf(d Directory) string {
	st := d.Meta.State
	return fmt.Sprintf("%s %d-%d %d bytes", d.Meta.Config.Text("name"), st.FirstSeq, st.LastSeq, d.Size)
}

// patience is how long cleaning up may take.
const patience = 10 * time.Second

// clean removes what a failed restore left on the server and returns the reason with what became of that.
func (r *restoring) clean(ctx context.Context, why error) error {
	if r.o.Away == 0 {
		r.o.Away = patience
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if errors.Is(why, nats.ErrPermissionViolation) {
		r.deliver = "" // the server does not hear us; it gives up by itself before it has made anything
	}
	err := r.tidy(ctx)
	if err == nil {
		return why
	}
	hint := "the same command again removes what is left of the stream and begins anew"
	return fail.Hint(fmt.Errorf("%w; stream %s may be there in part: %w", why, r.name, err), "%s", hint)
}

func (r *restoring) tidy(ctx context.Context) error {
	nc := r.c.Conn()
	if err := Reconnected(ctx, nc, r.o.Away); err != nil {
		return err
	}
	if r.deliver != "" { // the server still waits for the archive: end it
		ending, cancel := context.WithTimeout(ctx, patience/2)
		_, _ = nc.RequestWithContext(ending, r.deliver, nil) // no answer: nobody waits any more
		cancel()
	}
	for {
		info, err := r.c.Info(ctx, r.name)
		if fail.CodeOf(err) == fail.NotFound {
			return nil
		}
		if err == nil {
			if info.StreamInfo.Config.Metadata[markKey] != r.mark {
				return nil // not ours: it was there before, or another restore makes it
			}
			err = r.remove(ctx, info)
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, errUsed) {
			return err
		}
		select { // a server that has just come back answers a little later
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var errUsed = errors.New("messages were published to it since")

// remove deletes a half stream, unless it holds messages that no backup put there.
func (r *restoring) remove(ctx context.Context, info js.Stream) error {
	if st := info.State; st.Msgs > 0 {
		last, err := r.c.LastMessage(ctx, r.name, ">")
		switch {
		case fail.CodeOf(err) == fail.NotFound || errors.Is(err, js.ErrNoMessages):
		case err != nil:
			return err
		case last.Sequence > r.d.Meta.State.LastSeq, last.Time.After(r.d.Meta.State.LastTime) && !r.played(last):
			return fail.Hint(fmt.Errorf("stream %s is half restored and %w", r.name, errUsed),
				"save what is in it (nats backup stream %s DIR), then nats stream rm %s and restore again", r.name, r.name)
		}
	}
	return r.c.Delete(ctx, r.name)
}

// complete takes the mark off, makes the consumers that the archive lacks and compares what is there with what should be.
func (r *restoring) complete(ctx context.Context) error {
	if err := r.consumers(ctx); err != nil {
		return fail.Hint(fmt.Errorf("stream %s is restored, not all of its consumers: %w", r.name, err), "the same command again makes the others")
	}
	info, err := r.c.Update(ctx, r.o.Config)
	if err != nil {
		return fail.Hint(fmt.Errorf("stream %s is restored, the mark %s stays in its metadata: %w", r.name, markKey, err), "the same command again takes it off")
	}
	r.out.Stream = info
	if fresh, err := r.c.Info(ctx, r.name); err == nil { // the response to an update lacks parts of the state
		r.out.Stream = fresh
	}
	want, have := r.d.Meta.State, r.out.Stream.State
	if have.Msgs < want.Msgs {
		r.out.Notes = append(r.out.Notes, fmt.Sprintf("%d of %d messages are in the stream: its limits, or the age of the messages, left out the others", have.Msgs, want.Msgs))
	}
	return nil
}

// consumers makes the consumers that stand beside the archive.
func (r *restoring) consumers(ctx context.Context) error {
	data, err := os.ReadFile(filepath.Join(r.d.Path, ConsumersFile))
	if errors.Is(err, os.ErrNotExist) {
		return r.makeConsumers(ctx)
	}
	if err != nil {
		return err
	}
	var list []standing
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("%s: %w", ConsumersFile, err)
	}
	r.standings = append(r.standings, list...)
	return r.makeConsumers(ctx)
}

// absent adds the consumers of the archive that are not there, to be made: an earlier run that published the messages anew may
// have come no further.
func (r *restoring) absent(ctx context.Context) error {
	if r.d.Tar {
		return nil
	}
	file, err := os.Open(r.d.Archive)
	if err != nil {
		return err
	}
	defer file.Close()
	for dec := archive.NewDecoder(file); ; {
		item, err := dec.Next()
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		switch it := item.(type) {
		case *archive.Consumer:
			_, err := consumers.Info(ctx, r.c, r.name, it.Name)
			if err == nil {
				continue
			}
			if fail.CodeOf(err) != fail.NotFound {
				return err
			}
			if err := r.stand(it); err != nil {
				return err
			}
		case *archive.Message, archive.End: // consumers come first
			return nil
		}
	}
}

// stand has a consumer of the archive made when the messages are there.
func (r *restoring) stand(c *archive.Consumer) error {
	var one standing
	if err := json.Unmarshal(c.Data, &one); err != nil {
		return fmt.Errorf("consumer %s: %w", c.Name, err)
	}
	r.standings = append(r.standings, one)
	return nil
}

func (r *restoring) makeConsumers(ctx context.Context) error {
	for _, one := range r.standings {
		if err := r.consumer(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// consumer makes a consumer that continues at its acknowledgement floor. Servers that cannot set a consumer to a sequence get
// one that begins there.
func (r *restoring) consumer(ctx context.Context, one standing) error {
	cfg, err := jsconf.ParseWire(one.Config)
	if err != nil {
		return err
	}
	if _, err = consumers.Store(ctx, r.c, r.name, "", cfg); err != nil {
		return err
	}
	name, floor := consumers.NameOf(cfg), one.State.AckFloor.Stream
	if floor == 0 {
		return nil
	}
	if _, err := consumers.Reset(ctx, r.c, r.name, name, floor+1); err == nil {
		return nil
	}
	if err := consumers.Delete(ctx, r.c, r.name, name); err != nil {
		return err
	}
	cfg.Unset("opt_start_time")
	if err := errors.Join(cfg.Set("by_start_sequence", "deliver_policy"), cfg.Set(floor+1, "opt_start_seq")); err != nil {
		return err
	}
	r.out.Notes = append(r.out.Notes, fmt.Sprintf("consumer %s begins at sequence %d, where it had come to: its deliver policy is by_start_sequence now", name, floor+1))
	_, err = consumers.Store(ctx, r.c, r.name, "", cfg)
	return err
}
