package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
	archive "github.com/nats-io/jsm.go/backup"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
)

// replay makes the stream by publishing the messages of the archive, for servers that do not read it. Sequences are kept:
// where messages are missing, others stand in and are removed at the end. The messages are as old as the restore.
func (r *restoring) replay(ctx context.Context) error {
	file, err := os.Open(r.d.Archive)
	if err != nil {
		return err
	}
	defer file.Close()
	p := &player{r: r, filler: fillers + nuid.Next(), next: max(r.d.Meta.State.FirstSeq, 1)}
	if err := p.stream(ctx); err != nil {
		return err
	}
	if p.sub, err = r.c.Conn().SubscribeSync(r.c.Conn().NewRespInbox()); err != nil {
		return err
	}
	defer func() { _ = p.sub.Unsubscribe() }()
	if err := p.play(ctx, archive.NewDecoder(file)); err != nil {
		return err
	}
	if p.filled {
		if _, err := r.c.Purge(ctx, r.name, js.Purge{Subject: p.filler}); err != nil {
			return err
		}
	}
	r.out.Replayed = true
	r.out.Notes = append(r.out.Notes, "this server does not read the archive: the messages were published anew, their times are those of the restore")
	return nil
}

// fillers is what the subjects of messages that stand in begin with.
const fillers = "natskit.restore."

// played reports whether a message that is younger than the backup is nevertheless out of the archive, published anew, or stands in
// for one that is missing there.
func (r *restoring) played(last api.StoredMsg) bool {
	if strings.HasPrefix(last.Subject, fillers) {
		return true
	}
	if r.d.Tar {
		return false
	}
	file, err := os.Open(r.d.Archive)
	if err != nil {
		return false
	}
	defer file.Close()
	for dec := archive.NewDecoder(file); ; {
		item, err := dec.Next()
		if err != nil {
			return false
		}
		switch m := item.(type) {
		case archive.End:
			return false
		case *archive.Message:
			if m.Seq < last.Sequence {
				continue
			}
			body, err := io.ReadAll(io.LimitReader(m.Body, m.HdrSize+m.PayloadSize))
			return err == nil && m.Seq == last.Sequence && m.Subject == last.Subject && bytes.Equal(body[min(m.HdrSize, int64(len(body))):], last.Data)
		}
	}
}

// player publishes an archive.
type player struct {
	r      *restoring
	sub    *nats.Subscription // where acknowledgements come
	filler string             // subject of the messages that stand in
	filled bool
	next   uint64 // the sequence that the next message gets
	acked  uint64 // acknowledged up to here
	sent   uint64 // bytes
}

// stream makes the stream without the limits that would act on messages that stand in; they come when it is complete.
func (p *player) stream(ctx context.Context) error {
	raw, err := p.r.marked()
	if err != nil {
		return err
	}
	cfg, err := jsconf.ParseWire(raw)
	if err != nil {
		return err
	}
	typed, err := cfg.Stream()
	if err != nil {
		return err
	}
	if typed.Mirror != nil || len(typed.Sources) > 0 || typed.Sealed {
		return errors.New("a stream with a mirror, sources or a seal cannot be published anew on a server before 2.15")
	}
	if typed.Retention == api.InterestPolicy {
		err = cfg.Set("limits", "retention")
	}
	window := jsconf.DefaultDuplicateWindow
	err = errors.Join(err, cfg.Set(append(typed.Subjects, p.filler), "subjects"), cfg.Set(-1, "max_msgs"), cfg.Set(-1, "max_bytes"), cfg.Set(-1, "max_msgs_per_subject"),
		cfg.Set(0, "max_age"), cfg.Set(int64(min(window, 100*time.Millisecond)), "duplicate_window"), cfg.Set(false, "deny_delete"), cfg.Set(false, "deny_purge"), cfg.Set(p.next, "first_seq"))
	if err != nil {
		return err
	}
	p.acked = p.next - 1
	_, err = p.r.c.Create(ctx, cfg)
	return err
}

func (p *player) play(ctx context.Context, dec *archive.Decoder) error {
	for {
		item, err := dec.Next()
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		switch it := item.(type) {
		case *archive.Consumer:
			if err := p.r.stand(it); err != nil {
				return err
			}
		case *archive.Message:
			if err := p.message(ctx, it); err != nil {
				return err
			}
		case archive.End:
			if err := p.fill(ctx, p.r.d.Meta.State.LastSeq+1); err != nil {
				return err
			}
			return p.settle(ctx, 0)
		}
	}
}

func (p *player) message(ctx context.Context, m *archive.Message) error {
	if err := p.fill(ctx, m.Seq); err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(m.Body, m.HdrSize+m.PayloadSize))
	if err != nil {
		return err
	}
	out := &nats.Msg{Subject: m.Subject, Data: body[m.HdrSize:]}
	if m.HdrSize > 0 {
		if out.Header, err = nats.DecodeHeadersMsg(body[:m.HdrSize]); err != nil {
			return fmt.Errorf("message %d: %w", m.Seq, err)
		}
		for name := range out.Header { // what it expected of the stream then does not hold now
			if strings.HasPrefix(name, "Nats-Expected-") {
				delete(out.Header, name)
			}
		}
	}
	p.sent += uint64(len(body))
	if p.r.o.Progress != nil {
		p.r.o.Progress(p.sent, p.r.d.Meta.State.Bytes)
	}
	return p.publish(ctx, out)
}

// fill publishes messages that stand in until the next one gets seq.
func (p *player) fill(ctx context.Context, seq uint64) error {
	for p.next < seq {
		p.filled = true
		if err := p.publish(ctx, &nats.Msg{Subject: p.filler}); err != nil {
			return err
		}
	}
	return nil
}

// replayUnderWay is how many messages may be without an acknowledgement.
const replayUnderWay = 256

func (p *player) publish(ctx context.Context, m *nats.Msg) error {
	m.Reply = p.sub.Subject
	if err := p.r.c.Conn().PublishMsg(m); err != nil {
		return err
	}
	p.next++
	return p.settle(ctx, replayUnderWay)
}

// settle waits until no more than so many messages have no acknowledgement.
func (p *player) settle(ctx context.Context, open uint64) error {
	for p.next-1-p.acked > open {
		m, err := next(ctx, p.sub, p.r.o.Idle)
		if errors.Is(err, context.DeadlineExceeded) {
			return idle("the server acknowledged no more messages", p.r.o.Idle)
		}
		if err != nil {
			return err
		}
		var ack api.JSPubAckResponse
		if err := json.NewDecoder(bytes.NewReader(m.Data)).Decode(&ack); err != nil {
			return fmt.Errorf("reading an acknowledgement: %w", err)
		}
		switch {
		case ack.Error != nil:
			return *ack.Error
		case ack.Duplicate || ack.Sequence != p.acked+1:
			return fmt.Errorf("message %d was stored as %d: something else publishes to the stream, or two messages have the same id", p.acked+1, ack.Sequence)
		}
		p.acked++
	}
	return nil
}
