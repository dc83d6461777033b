// Package journal remembers on a device's disk which commands it has received and what became of each, so that none runs twice.
//
// It is a file of JSON lines. A line is on the disk before the call that wrote it returns; a line that was cut off by a crash is
// dropped when the file is opened again.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/natskit/natskit/internal/fleet"
)

const (
	// Remembered is how many commands that are over and told are still known by their id.
	Remembered = 10_000
	// slack is how many lines the file may have beyond what is worth keeping before it is rewritten.
	slack = 1_000
)

// Entry is one command and what became of it.
type Entry struct {
	Command fleet.Command
	Result  fleet.Result // State Queued until it begins
	Told    bool         // the final result has been acknowledged
}

// line is one record of the file. Exactly one of Command, Result, Told and Known is set.
type line struct {
	Command *fleet.Command `json:"command,omitempty"` // received
	Result  *fleet.Result  `json:"result,omitempty"`  // it has got to this state
	Told    string         `json:"told,omitempty"`    // the result of the command with this id is known to others
	Known   string         `json:"known,omitempty"`   // a command with this id was here and is over
}

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	mu      sync.Mutex
	path    string
	file    *os.File
	lock    *os.File
	entries map[string]*Entry
	order   []string // ids of entries, as they came
	known   map[string]bool
	past    []string // ids of known, oldest first
	lines   int
	device  string
}

// Open opens the journal of a device, which is made if it is not there, mode 0600. One process at a time can have it open.
func Open(path, device string) (*Journal, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	taken, err := tryLock(lock)
	if err != nil || !taken {
		_ = lock.Close()
		if err == nil {
			err = fmt.Errorf("journal %s: another agent uses it", path)
		}
		return nil, err
	}
	j := &Journal{path: path, lock: lock, device: device, entries: map[string]*Entry{}, known: map[string]bool{}}
	if j.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		if err = j.replay(); err == nil {
			err = j.compactIfNeeded()
		}
		if err != nil {
			_ = j.file.Close()
		}
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	return j, nil
}

// replay reads the file and cuts off a last line that is not whole.
func (j *Journal) replay() error {
	r := bufio.NewReader(j.file)
	var good int64
	for number := 1; ; number++ {
		text, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		whole := err == nil
		if len(text) == 0 {
			break
		}
		var l line
		if jerr := json.Unmarshal(bytes.TrimSpace(text), &l); jerr != nil || !whole {
			if _, perr := r.Peek(1); whole && perr == nil {
				return fmt.Errorf("line %d: %w", number, jerr)
			}
			break // cut off while it was written
		}
		j.take(l)
		j.lines++
		good += int64(len(text))
	}
	if err := j.file.Truncate(good); err != nil {
		return err
	}
	_, err := j.file.Seek(good, io.SeekStart)
	return err
}

// take makes a record count.
func (j *Journal) take(l line) {
	switch {
	case l.Command != nil:
		j.entry(l.Command.ID).Command = *l.Command
		e := j.entry(l.Command.ID)
		if e.Result.State == "" {
			e.Result = fleet.Result{Command: l.Command.ID, Device: j.device, Args: l.Command.Args, State: fleet.Queued, Issued: l.Command.Issued}
		}
	case l.Result != nil:
		e := j.entry(l.Result.Command)
		e.Result, e.Told = *l.Result, false
	case l.Told != "":
		if e, ok := j.entries[l.Told]; ok {
			e.Told = true
			j.retire(l.Told)
		}
	case l.Known != "":
		j.know(l.Known)
	}
}

func (j *Journal) entry(id string) *Entry {
	e, ok := j.entries[id]
	if !ok {
		e = &Entry{}
		j.entries[id] = e
		j.order = append(j.order, id)
	}
	return e
}

// retire keeps no more of a command than its id.
func (j *Journal) retire(id string) {
	delete(j.entries, id)
	for i, other := range j.order {
		if other == id {
			j.order = append(j.order[:i], j.order[i+1:]...)
			break
		}
	}
	j.know(id)
}

func (j *Journal) know(id string) {
	if j.known[id] {
		return
	}
	j.known[id] = true
	j.past = append(j.past, id)
	if len(j.past) > Remembered {
		delete(j.known, j.past[0])
		j.past = j.past[1:]
	}
}

// Receive notes a command. It reports false when the command has been here before.
func (j *Journal) Receive(c fleet.Command) (fresh bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.entries[c.ID]; ok || j.known[c.ID] {
		return false, nil
	}
	return true, j.write(line{Command: &c})
}

// Put notes what has become of a command, one that has not been received yet too.
func (j *Journal) Put(r fleet.Result) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(line{Result: &r})
}

// Told notes that the result of a command, which is over, is known to others: only its id is kept from now on.
func (j *Journal) Told(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(line{Told: id}); err != nil {
		return err
	}
	return j.compactIfNeeded()
}

// Get is a command that is not over and told.
func (j *Journal) Get(id string) (Entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e, ok := j.entries[id]; ok {
		return *e, true
	}
	return Entry{}, false
}

// Known reports whether a command has been here, and is over and told.
func (j *Journal) Known(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known[id]
}

// Entries are the commands that are not over and told, as they came.
func (j *Journal) Entries() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Entry, 0, len(j.order))
	for _, id := range j.order {
		out = append(out, *j.entries[id])
	}
	return out
}

// Close releases the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.file.Close(), j.lock.Close())
}

// write appends a record, waits until the disk has it, and makes it count.
func (j *Journal) write(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	at, err := j.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("journal %s: %w", j.path, err)
	}
	_, err = j.file.Write(append(text, '\n'))
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// Half a line in the middle could not be read again.
		_ = j.file.Truncate(at)
		_, _ = j.file.Seek(at, io.SeekStart)
		return fmt.Errorf("journal %s: %w", j.path, err)
	}
	j.lines++
	j.take(l)
	return nil
}

// compactIfNeeded rewrites the file when most of it is about commands that are over. The new file is whole before it takes the
// place of the old one.
func (j *Journal) compactIfNeeded() error {
	if j.lines <= 2*len(j.order)+len(j.past)+slack {
		return nil
	}
	next, err := os.OpenFile(j.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(next)
	enc := json.NewEncoder(w)
	lines := 0
	put := func(l line) {
		if err == nil {
			err = enc.Encode(l)
			lines++
		}
	}
	for _, id := range j.past {
		put(line{Known: id})
	}
	for _, id := range j.order {
		e := j.entries[id]
		if e.Command.ID != "" {
			put(line{Command: &e.Command})
		}
		put(line{Result: &e.Result})
	}
	if err = errors.Join(err, w.Flush(), next.Sync()); err == nil {
		err = replace(j.path+".new", j.path, j.file, next)
	}
	if err != nil {
		_ = next.Close()
		return fmt.Errorf("journal %s: %w", j.path, err)
	}
	if j.file, err = os.OpenFile(j.path, os.O_RDWR, 0o600); err != nil {
		return err
	}
	if _, err = j.file.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	j.lines = lines
	return nil
}

// replace gives a file another name in one step; both handles are closed, since some systems demand it.
func replace(from, to string, old, next *os.File) error {
	if err := errors.Join(next.Close(), old.Close()); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}
