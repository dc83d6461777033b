package sub

import (
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js/follow"
)

// pipe hands entries from the goroutine of a client library to the one that shows them.
type pipe struct {
	entries chan entry
	halt    chan struct{}
	once    sync.Once
}

func newPipe(size int) *pipe {
	return &pipe{entries: make(chan entry, size), halt: make(chan struct{})}
}

// put waits until the entry is taken; it reports false when nobody will.
func (p *pipe) put(en entry) bool {
	select {
	case p.entries <- en:
		return true
	case <-p.halt:
		return false
	}
}

// close lets every put return.
func (p *pipe) close() { p.once.Do(func() { close(p.halt) }) }

// entryOf reads what the server says of a message in its reply subject.
func entryOf(m jetstream.Msg) entry {
	en := entry{subject: m.Subject(), reply: m.Reply(), header: m.Headers(), data: m.Data()}
	from, ok, err := follow.OriginOf([]byte(en.reply))
	switch {
	case err != nil:
		return entry{err: err}
	case !ok:
		return entry{err: fmt.Errorf("the server sent a message that is none of a stream: reply subject %q", en.reply)}
	}
	en.at = from.Time
	en.stored = stored{stream: string(from.Stream), sequence: from.Sequence, pending: from.Pending}
	return en
}
