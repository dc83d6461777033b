package device

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Spool is a stream on a device's own server that takes its metrics. What begins with $KV does not cross a leaf connection
// between two JetStream domains, so nothing reaches the hub but what is forwarded, in its order.
type Spool struct {
	Stream string // stores SpoolPrefix + metrics.> as metrics.>
	Hub    string // the JetStream domain of the hub
	Cursor string // a bucket of the same server, in which to remember how far everything is forwarded
}

const (
	// SpoolPrefix stands before the subjects of metrics on their way into a spool.
	SpoolPrefix = "$KV.device."
	cursorKey   = "forwarded"
	// atOnce is how many metrics are read from the spool before they are forwarded.
	atOnce     = 64
	lookEvery  = 500 * time.Millisecond
	mostResend = 5 * time.Second
)

// forwarder sends what is in the spool to the hub: the metrics of one subject one after the other, those of several at once. Each is
// sent until the hub's stream has it, or the hub says that it has no such stream.
type forwarder struct {
	d       *Device
	nc      *nats.Conn
	stream  jetstream.Stream
	cursor  jetstream.KeyValue
	next    uint64 // the first sequence that is not forwarded
	mu      sync.Mutex
	checked map[string]bool // subjects of which the hub was asked what it has
}

// forward runs as long as the device.
func (d *Device) forward() {
	f := &forwarder{d: d, checked: map[string]bool{}}
	defer func() {
		if f.nc != nil {
			f.nc.Close()
		}
	}()
	for attempt := 0; d.ctx.Err() == nil; {
		batch, err := f.read()
		if err == nil && len(batch) > 0 {
			err = f.send(batch)
		}
		switch {
		case err != nil:
			pause(d.ctx, backoff(attempt, resendAfter, mostResend), nil)
			attempt++
		case len(batch) == 0:
			attempt = 0
			pause(d.ctx, lookEvery, d.out.empty.wait())
		default:
			attempt = 0
		}
	}
}

// open connects to the device's own server, wherever the device itself is.
func (f *forwarder) open(ctx context.Context) error {
	if f.nc == nil {
		o := f.d.o.Conn
		o.AllowReconnect, o.MaxReconnect, o.ReconnectBufSize = true, -1, -1
		o.ReconnectWait = firstRetry
		nc, err := o.Connect()
		if err != nil {
			return err
		}
		f.nc = nc
	}
	if f.cursor != nil {
		return nil
	}
	js, err := jetstream.New(f.nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		return err
	}
	if f.stream, err = js.Stream(ctx, f.d.o.Spool.Stream); err != nil {
		return err
	}
	cursor, err := js.KeyValue(ctx, f.d.o.Spool.Cursor)
	if err != nil {
		return err
	}
	e, err := cursor.Get(ctx, cursorKey)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		f.next = 1
	case err != nil:
		return err
	default:
		at, err := strconv.ParseUint(string(e.Value()), 10, 64)
		if err != nil {
			return wrap(err, "bucket %s, key %s", f.d.o.Spool.Cursor, cursorKey)
		}
		f.next = at + 1
	}
	f.cursor = cursor
	return nil
}

// read takes the next metrics from the spool; none when all are forwarded.
func (f *forwarder) read() ([]*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(f.d.ctx, patience)
	defer cancel()
	if err := f.open(ctx); err != nil {
		return nil, err
	}
	var batch []*jetstream.RawStreamMsg
	for next := f.next; len(batch) < atOnce; {
		m, err := f.stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		batch = append(batch, m)
		next = m.Sequence + 1
	}
	return batch, nil
}

// send forwards a batch and remembers that. The hub is asked first, so that nothing is sent to nobody while it is away.
func (f *forwarder) send(batch []*jetstream.RawStreamMsg) error {
	api := apiOf(f.d.o.Spool.Hub)
	stream, err := taker(f.d.ctx, f.nc, api, batch[0].Subject)
	if err != nil && !errors.Is(err, errNoStream) {
		return err
	}
	if stream == "" {
		for _, m := range batch {
			if err := f.nc.PublishMsg(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}); err != nil {
				return err
			}
		}
		err = f.nc.FlushTimeout(patience)
	} else {
		err = f.store(api, stream, batch)
	}
	if err != nil {
		return err
	}
	last := batch[len(batch)-1].Sequence
	ctx, cancel := context.WithTimeout(f.d.ctx, patience)
	defer cancel()
	if _, err := f.cursor.Put(ctx, cursorKey, []byte(strconv.FormatUint(last, 10))); err != nil {
		return err
	}
	f.next = last + 1
	return nil
}

// store sends the metrics of each subject in their order, and waits for the word of the hub's stream for each.
func (f *forwarder) store(api, stream string, batch []*jetstream.RawStreamMsg) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	bySubject := map[string][]*jetstream.RawStreamMsg{}
	for _, m := range batch {
		bySubject[m.Subject] = append(bySubject[m.Subject], m)
	}
	for _, list := range bySubject {
		wg.Go(func() {
			for _, m := range list {
				if err := f.one(api, stream, m); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	if failed != nil {
		clear(f.checked) // by the time it works again the stream may have forgotten ids
	}
	return failed
}

// one sends a metric until it is acknowledged, for as long as the stream remembers its id.
func (f *forwarder) one(api, stream string, m *jetstream.RawStreamMsg) error {
	id := m.Header.Get(nats.MsgIdHdr)
	f.mu.Lock()
	checked := f.checked[m.Subject]
	f.checked[m.Subject] = true
	f.mu.Unlock()
	if !checked && stored(f.d.ctx, f.nc, api, stream, m.Subject, id) {
		return nil
	}
	ctx, cancel := context.WithTimeout(f.d.ctx, ackPatience)
	defer cancel()
	inbox := f.nc.NewInbox()
	sub, err := f.nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := f.nc.PublishMsg(&nats.Msg{Subject: m.Subject, Reply: inbox, Header: m.Header, Data: m.Data}); err != nil {
		return err
	}
	for {
		answer, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		var word struct {
			Stream string `json:"stream"`
			Domain string `json:"domain"`
			Error  *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		switch err := json.Unmarshal(answer.Data, &word); {
		case err != nil:
			return err
		case word.Error != nil && word.Stream == stream:
			return errors.New(word.Error.Description)
		case word.Stream == stream && word.Domain == f.d.o.Spool.Hub:
			return nil
		}
		// a stream here that takes the same subjects, or another listener
	}
}
