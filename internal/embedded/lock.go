package embedded

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/natskit/natskit/internal/fail"
)

// lockFile stays in the store between runs; it is the lock on it that counts, and that ends with the process.
// It is not below the server's own directory, where nats-server removes what it does not know.
const lockFile = "nats.lock"

// holder is the text of the lock file.
type holder struct {
	PID  int    `json:"pid,omitempty"` // 0 when nobody holds the lock
	Name string `json:"name,omitempty"`
	URL  string `json:"url,omitempty"` // empty until the holder listens, and when it does not
	// ID names servers that were given no name, the same in this store at each start: leaf nodes and clusters know their
	// peers by name. It is random since machines of a fleet share their host name and paths.
	ID string `json:"id"`
}

// storeLock is the lock of a store directory. nats-server takes none, and two servers in one directory lose messages.
type storeLock struct {
	dir  string
	file *os.File
	id   string
}

// lockStore makes the directory when it is missing, with mode 0700, and locks it. A held lock is a failure that names the holder.
func lockStore(dir string) (*storeLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fail.Newf(fail.Failure, "store: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fail.Newf(fail.Failure, "store: %w", err)
	}
	taken, err := tryLock(f)
	if err != nil {
		return nil, errors.Join(fail.Newf(fail.Failure, "store %s: lock: %w", dir, err), f.Close())
	}
	h := readHolder(f)
	if !taken {
		return nil, errors.Join(heldBy(dir, h), f.Close())
	}
	if h.ID == "" {
		h.ID = "nats-" + strings.ToLower(rand.Text()[:8])
	}
	return &storeLock{dir: dir, file: f, id: h.ID}, nil
}

// readHolder reads what it can: the file may be empty, or just being written.
func readHolder(f io.Reader) (h holder) {
	if err := json.NewDecoder(io.LimitReader(f, 64<<10)).Decode(&h); err != nil {
		return holder{}
	}
	return h
}

func heldBy(dir string, h holder) error {
	if h.PID == 0 {
		return fail.Newf(fail.Failure, "store %s is in use by another server", dir)
	}
	what := fmt.Sprintf("server %q, process %d", h.Name, h.PID)
	if h.URL == "" {
		return fail.Newf(fail.Failure, "store %s is in use by %s", dir, what)
	}
	return fail.Newf(fail.Failure, "store %s is in use by %s at %s", dir, what, h.URL).WithHint("--server %s reaches it", h.URL)
}

// note writes who holds the lock.
func (l *storeLock) note(h holder) error {
	h.ID = l.id
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if _, err = l.file.WriteAt(text, 0); err != nil {
		return err
	}
	return l.file.Truncate(int64(len(text)))
}

// clean removes what the server stored.
func (l *storeLock) clean() error {
	if err := os.RemoveAll(filepath.Join(l.dir, jetStreamDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail.Newf(fail.Failure, "store: %w", err)
	}
	return nil
}

// release gives the lock up. The file stays: whoever removes it may take away the one that another just locked.
func (l *storeLock) release() error {
	return errors.Join(l.note(holder{}), l.file.Close())
}
