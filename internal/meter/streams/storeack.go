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
		o.mu.Lock()
		o.window, o.told = max(a.Msgs, 1)*int64(max(o.spec.Stream.MaxOutstanding, 1)), true
		o.mu.Unlock()
		o.settle(0, a.Seq-1, now)
	case a.Stream != "":
		o.settle(0, a.Count-1, now)
		o.mu.Lock()
		o.done = true
		o.more.Broadcast()
		o.mu.Unlock()
	}
	return nil
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
