package contexts

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func (m *Manager) tracing() bool { return m.r.Trace && m.o.Log != nil }

func (m *Manager) debug(format string, args ...any) {
	if m.tracing() {
		m.o.Log.Log(context.Background(), slog.LevelDebug, scrub(fmt.Sprintf(format, args...), m.secrets))
	}
}

// clientTrace logs the API traffic of nats.go's JetStream.
func (m *Manager) clientTrace() *jetstream.ClientTrace {
	return &jetstream.ClientTrace{
		RequestSent: func(subject string, payload []byte) { m.debug(">>> %s\n%s", subject, payload) },
		ResponseReceived: func(subject string, payload []byte, _ nats.Header) {
			m.debug("<<< %s\n%s", subject, payload)
		},
	}
}

// library takes what jsm.go's trace writes to the standard logger, its only way out, to the managers that trace. The standard
// logger is as it was when none does.
var library struct {
	sync.Mutex
	managers map[*Manager]bool
	out      io.Writer
	flags    int
	prefix   string
}

type libraryWriter struct{}

// Write implements io.Writer for one call of the standard logger.
func (libraryWriter) Write(line []byte) (int, error) {
	library.Lock()
	var to []*Manager
	for m := range library.managers {
		to = append(to, m)
	}
	library.Unlock()
	if text := strings.TrimRight(string(line), "\n"); text != "" {
		for _, m := range to {
			m.debug("%s", text)
		}
	}
	return len(line), nil
}

func traceLibrary(m *Manager) {
	if fmt.Sprintf("%T", m.o.Log.Handler()) == "*slog.defaultHandler" {
		return // that one writes to the standard logger itself
	}
	library.Lock()
	defer library.Unlock()
	if len(library.managers) == 0 {
		library.managers = map[*Manager]bool{}
		library.out, library.flags, library.prefix = log.Writer(), log.Flags(), log.Prefix()
		log.SetFlags(0)
		log.SetPrefix("")
		log.SetOutput(libraryWriter{})
	}
	library.managers[m] = true
}

func untraceLibrary(m *Manager) {
	library.Lock()
	defer library.Unlock()
	if !library.managers[m] {
		return
	}
	delete(library.managers, m)
	if len(library.managers) == 0 {
		log.SetOutput(library.out)
		log.SetFlags(library.flags)
		log.SetPrefix(library.prefix)
	}
}
