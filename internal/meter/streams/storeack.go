package streams

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/wire"
)

// flowReply is the reply subject of a fast batch: what the server is told of a message stands in its tokens.
func (o *storeOutlet) flowReply(seq int64, op int) []byte {
	b := append(append(o.reply[:0], o.inbox...), '.')
	b = append(append(b, o.batch...), '.')
	b = strconv.AppendInt(b, int64(min(o.spec.Stream.Batch, 65535)), 10)
	b = strconv.AppendInt(append(b, ".fail."...), seq, 10)
	b = strconv.AppendInt(append(b, '.'), int64(op), 10)
	o.reply = append(b, ".$FI"...)
	return o.reply
}

// flowAck is what a server says of a fast batch under way.
type flowAck struct {
	Type    string              `json:"type"` // ack, gap or err
	Seq     int64               `json:"seq"`
	LastSeq int64               `json:"last_seq"`
	Msgs    int64               `json:"msgs"`
	Error   *jetstream.APIError `json:"error"`
	Stream  string              `json:"stream"`
	Count   int64               `json:"count"`
}

// acknowledged takes in what the stream says.
func (o *storeOutlet) acknowledged(m *wire.Msg) error {
	now := o.w.Run().Now()
	if code, text := wire.Status(m.Header); code == 503 {
		return jetstream.ErrNoStreamResponse
	} else if code != 0 {
		return fmt.Errorf("the stream answered with status %d %s", code, text)
	}
	if o.mode == crew.ModeFast || bytes.Contains(m.Payload, []byte(`"error"`)) {
		return o.judged(m.Payload, now)
	}
	n, err := strconv.ParseInt(string(m.Subject[bytes.LastIndexByte(m.Subject, '.')+1:]), 10, 64)
	if err != nil {
		return nil // not one of ours
	}
	from := n
	if o.mode == crew.ModeAtomic {
		from = 0 // with the last all before it
	}
	o.settle(from, n, now)
	return nil
}

func (o *storeOutlet) judged(payload []byte, now time.Duration) error {
	if seq, msgs, ok := plainAck(payload); ok {
		o.acked(seq, msgs, now)
		return nil
	}
	var a flowAck
	if err := json.Unmarshal(payload, &a); err != nil {
		return fmt.Errorf("the stream's acknowledgement %.100q is not understood: %w", payload, err)
	}
	switch {
	case a.Error != nil:
		return a.Error
	case a.Type == "gap":
		return fmt.Errorf("the stream missed messages: expected %d, got %d", a.LastSeq, a.Seq)
	case a.Type == "ack":
		o.acked(a.Seq, a.Msgs, now)
	case a.Stream != "":
		o.settle(0, a.Count-1, now)
		o.mu.Lock()
		o.done = true
		o.more.Broadcast()
		o.mu.Unlock()
	}
	return nil
}

// acked takes in a flow acknowledgement: all up to seq is stored, and the next one comes after msgs messages.
func (o *storeOutlet) acked(seq, msgs int64, now time.Duration) {
	o.mu.Lock()
	o.window, o.told = max(msgs, 1)*int64(max(o.spec.Stream.MaxOutstanding, 1)), true
	o.mu.Unlock()
	o.settle(0, seq-1, now)
}

// plainAck reads the usual form of a flow acknowledgement, {"type":"ack","seq":1,"msgs":10}, without making objects. There may
// be one for every few messages.
func plainAck(payload []byte) (seq, msgs int64, ok bool) {
	rest, ok := bytes.CutPrefix(payload, []byte(`{"type":"ack","seq":`))
	if !ok {
		return 0, 0, false
	}
	if seq, rest, ok = digits(rest); !ok {
		return 0, 0, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"msgs":`)); !ok {
		return 0, 0, false
	}
	msgs, rest, ok = digits(rest)
	return seq, msgs, ok && string(rest) == "}"
}

// digits reads the number at the start of b.
func digits(b []byte) (n int64, rest []byte, ok bool) {
	for len(b) > 0 && b[0] >= '0' && b[0] <= '9' && n < 1<<56 {
		n, b, ok = n*10+int64(b[0]-'0'), b[1:], true
	}
	return n, b, ok
}

// settle counts the messages from number a to b, those that were not counted before.
func (o *storeOutlet) settle(a, b int64, now time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var n, size int64
	open := o.queue[o.popped:]
	for i := max(a-o.first, 0); i <= b-o.first && i < int64(len(open)); i++ {
		q := &open[i]
		if q.done {
			continue
		}
		q.done = true
		n++
		size += int64(q.size)
		if q.step >= 0 {
			o.w.Step(int(q.step), now-q.from, now)
		}
		o.w.Latency(now-q.from, now)
	}
	for o.popped < len(o.queue) && o.queue[o.popped].done {
		o.popped++
		o.first++
	}
	if o.popped > len(o.queue)/2 {
		o.queue = o.queue[:copy(o.queue, o.queue[o.popped:])]
		o.popped = 0
	}
	if n > 0 {
		o.w.Add(n, size, now)
	}
	if o.wake != nil && o.wake() {
		o.more.Broadcast()
	}
}
