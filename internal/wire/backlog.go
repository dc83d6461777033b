package wire

import (
	"slices"
	"sync"
	"time"
)

// Sizes of the pieces in which a backlog keeps what it has, in bytes.
const (
	maxChunk = 128 << 10
	minChunk = 16 << 10
	spare    = 4 << 20 // free chunks kept for reuse
	trusted  = 1 << 20 // a partial frame up to this size gets its memory at once, a larger one as it arrives
)

// chunk is a piece of the stream: whole frames and the time marks before them.
type chunk struct {
	buf    []byte
	pos    int    // what is before was consumed
	end    int    // whole frames end here; after it the socket writes
	msgs   int    // messages in buf[:end], consumed or not
	sealed bool   // nothing is added any more
	lost   uint64 // messages dropped between the chunk before and this one
	off    int64  // place on disk when buf is nil
}

// backlog stands between the socket, which fills it without ever waiting, and a consumer of any speed. It keeps raw frames: in memory
// up to a limit, then on disk up to another, and counts what it drops after that. One goroutine writes, one reads.
type backlog struct {
	size     int // of a chunk
	memLimit int64
	note     func(Event) // told of episodes; called by the writer without the lock

	mu      sync.Mutex
	queue   []*chunk // in order; the last one is being written
	free    [][]byte
	freed   int64 // their size
	mem     int64 // capacity of the chunks in memory
	disk    spill
	msgs    int64 // messages and bytes not consumed
	bytes   int64
	dropped uint64
	closed  bool
	err     error

	wake chan struct{} // a token when there is news for the reader

	// Of the writer:
	cur      *chunk
	fill     int // bytes in cur.buf; a partial frame is cur.buf[cur.end:fill]
	last     time.Time
	spilling bool
	dropping uint64    // messages dropped in the present episode
	worst    time.Time // when the latest were
}

func newBacklog(memory, disk int64, dir string, note func(Event)) *backlog {
	b := &backlog{
		size:     int(min(max(memory/8, minChunk), maxChunk)),
		memLimit: memory, note: note, wake: make(chan struct{}, 1), disk: spill{dir: dir, limit: disk},
	}
	b.cur = &chunk{buf: make([]byte, b.size)}
	b.queue = []*chunk{b.cur}
	b.mem = int64(b.size)
	return b
}

// room is where the next bytes of the socket go; need is the length of the partial frame when known.
func (b *backlog) room(need int) []byte {
	if len(b.cur.buf)-b.fill < minRead+markLen || b.cur.end+need > len(b.cur.buf) && b.cur.end > markLen {
		b.roll(need)
	}
	if b.fill == b.cur.end {
		return b.cur.buf[b.fill+markLen:]
	}
	return b.cur.buf[b.fill:]
}

// commit takes n bytes that were read into room and returns what is to be split into frames.
func (b *backlog) commit(n int, now time.Time) []byte {
	b.last = now
	from := b.cur.end
	if b.fill == from {
		putMark(b.cur.buf[from:], now)
		b.fill += markLen
		b.publish(markLen, 0)
	}
	b.fill += n
	return b.cur.buf[b.cur.end:b.fill]
}

// publish gives the next n bytes, whole frames with msgs messages, to the reader.
func (b *backlog) publish(n, msgs int) {
	b.mu.Lock()
	b.cur.end += n
	b.cur.msgs += msgs
	b.msgs += int64(msgs)
	b.bytes += int64(n)
	b.mu.Unlock()
}

// ring wakes the reader up.
func (b *backlog) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// cut forgets the partial frame of a connection that broke and reports whether there was one.
func (b *backlog) cut() bool {
	partial := b.fill > b.cur.end
	b.fill = b.cur.end
	return partial
}

// roll begins a new chunk with the partial frame of the one before, which is sealed and goes where there is room for it.
func (b *backlog) roll(need int) {
	partial := b.cur.buf[b.cur.end:b.fill]
	size := max(need, 2*len(partial))
	if size > trusted {
		size = min(size, max(4*len(partial), trusted))
	}
	size = max(b.size, size+minRead+2*markLen)
	b.mu.Lock()
	next := &chunk{buf: b.buffer(size)}
	putMark(next.buf, b.last)
	b.fill = markLen + copy(next.buf[markLen:], partial)
	next.end = markLen
	old := b.cur
	old.sealed = true
	ev := b.place(old, next)
	b.queue = append(b.queue, next)
	b.cur = next
	b.mem += int64(len(next.buf))
	b.bytes += markLen
	b.mu.Unlock()
	for _, e := range ev {
		b.note(e)
	}
}

// place decides where the sealed chunk, the last of the queue, stays: in memory, on disk or nowhere. The one that the reader is at stays.
func (b *backlog) place(c, next *chunk) []Event {
	if len(b.queue) == 1 || b.mem+int64(len(next.buf)) <= b.memLimit {
		return b.recovered()
	}
	var ev []Event
	unread := c.buf[:c.end]
	off, err := b.disk.put(unread)
	if err != nil {
		ev = append(ev, Event{Kind: SpillFailed, Err: err})
		b.disk.broken = true
	}
	if off >= 0 {
		c.off = off
		b.recycle(c)
		ev = append(ev, b.recovered()...)
		if !b.spilling {
			b.spilling = true
			ev = append(ev, Event{Kind: Spilling})
		}
		return ev
	}
	b.queue = b.queue[:len(b.queue)-1]
	next.lost = c.lost + uint64(c.msgs)
	b.dropped += uint64(c.msgs)
	b.msgs -= int64(c.msgs)
	b.bytes -= int64(c.end)
	b.recycle(c)
	if b.dropping == 0 && c.msgs > 0 {
		ev = append(ev, Event{Kind: Dropping})
	}
	b.dropping += uint64(c.msgs)
	b.worst = b.last
	return ev
}

// recovered ends episodes: of spilling when nothing is left on disk, of drops when there were none for a while.
func (b *backlog) recovered() []Event {
	b.spilling = b.spilling && b.disk.live > 0
	if b.dropping == 0 || b.last.Sub(b.worst) < calm {
		return nil
	}
	n := b.dropping
	b.dropping = 0
	return []Event{{Kind: Dropped, Messages: n}}
}

// calm is how long a backlog must take everything before its drops are told of as over.
const calm = time.Second

// buffer returns memory of at least size for a chunk; under the lock.
func (b *backlog) buffer(size int) []byte {
	for i, buf := range b.free {
		if len(buf) >= size && len(buf) <= 2*size {
			b.free = slices.Delete(b.free, i, i+1)
			b.freed -= int64(len(buf))
			return buf
		}
	}
	return make([]byte, size)
}

// recycle takes the memory of a chunk away; under the lock.
func (b *backlog) recycle(c *chunk) {
	n := int64(len(c.buf))
	b.mem -= n
	if b.freed+n <= spare {
		b.free = append(b.free, c.buf)
		b.freed += n
	}
	c.buf = nil
}

// take is the next piece of the stream with the messages lost before it. It is nil when there is none at the moment; end says that
// there never will be.
func (b *backlog) take() (frames []byte, lost uint64, end bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		c := b.queue[0]
		if c.buf == nil {
			if err := b.load(c); err != nil {
				return nil, 0, true, err
			}
		}
		if c.pos < c.end {
			lost, c.lost = c.lost, 0
			return c.buf[c.pos:c.end], lost, false, nil
		}
		if !c.sealed {
			return nil, 0, b.closed, b.err
		}
		b.recycle(c)
		b.queue[0] = nil
		b.queue = b.queue[1:]
	}
}

// load brings a chunk back from disk; under the lock, which it leaves while it reads.
func (b *backlog) load(c *chunk) error {
	buf := b.buffer(max(b.size, c.end))
	b.mu.Unlock()
	err := b.disk.get(buf[:c.end], c.off)
	b.mu.Lock()
	if err != nil {
		return err
	}
	b.disk.free(c.off, int64(c.end))
	c.buf = buf
	b.mem += int64(len(buf))
	return nil
}

// done says that n bytes of what take returned, with msgs messages, were consumed.
func (b *backlog) done(n, msgs int) {
	b.mu.Lock()
	b.queue[0].pos += n
	b.msgs -= int64(msgs)
	b.bytes -= int64(n)
	b.mu.Unlock()
}

// finish says that nothing more comes, and why.
func (b *backlog) finish(err error) {
	b.mu.Lock()
	b.closed, b.err = true, err
	b.mu.Unlock()
	b.ring()
}

// pending is what was received and not consumed.
func (b *backlog) pending() (msgs, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.msgs, b.bytes
}

func (b *backlog) losses() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}
