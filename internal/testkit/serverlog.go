package testkit

import (
	"fmt"
	"strings"
	"sync"
)

// logLines is how many of the last warnings and errors of a server a failed test shows.
const logLines = 50

// serverLog keeps what a server complains about; nothing is printed, and a fatal line ends no process.
type serverLog struct {
	mu    sync.Mutex
	lines []string
	first string // fatal line
}

func (l *serverLog) add(level, format string, v ...any) string {
	line := fmt.Sprintf(format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, level+" "+line)
	if len(l.lines) > logLines {
		l.lines = l.lines[1:]
	}
	return line
}

func (l *serverLog) Noticef(string, ...any)         {}
func (l *serverLog) Debugf(string, ...any)          {}
func (l *serverLog) Tracef(string, ...any)          {}
func (l *serverLog) Warnf(format string, v ...any)  { l.add("WRN", format, v...) }
func (l *serverLog) Errorf(format string, v ...any) { l.add("ERR", format, v...) }

func (l *serverLog) Fatalf(format string, v ...any) {
	line := l.add("FTL", format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = line
	}
}

// fatal is the first fatal line since forget.
func (l *serverLog) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

func (l *serverLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first = ""
}

func (l *serverLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
