package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"sync"
)

// archiveWriter writes an archive and measures it as it passes.
type archiveWriter struct {
	file   *os.File
	sum    hash.Hash
	size   int64
	frames frames
	name   string // the archive's name by its format, after finish

	dirty   int64 // bytes written since the disk was last told to take them
	syncs   sync.WaitGroup
	syncing chan error // the outcome of the last time; taken out while the disk takes bytes
}

func newArchiveWriter(path string) (*archiveWriter, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	syncing := make(chan error, 1)
	syncing <- nil
	return &archiveWriter{file: f, sum: sha256.New(), syncing: syncing}, nil
}

func (w *archiveWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.sum.Write(p[:n])
	_, _ = w.frames.Write(p[:n])
	w.size += int64(n)
	if w.dirty += int64(n); w.dirty >= syncEvery {
		w.flush()
	}
	return n, err
}

// syncEvery is after how many bytes the disk begins to take them, so that little is left to wait for at the end.
const syncEvery = 16 << 20

// flush has the disk take what is written, beside the transfer. A failure is kept: the system tells it only once.
func (w *archiveWriter) flush() {
	var before error
	select {
	case before = <-w.syncing:
	default:
		return // it is at it
	}
	w.dirty = 0
	w.syncs.Go(func() { w.syncing <- errors.Join(before, w.file.Sync()) })
}

// close ends the writing; it may be called without finish.
func (w *archiveWriter) close() error {
	w.syncs.Wait()
	return w.file.Close()
}

// finish proves that the archive is whole and puts it on the disk.
func (w *archiveWriter) finish() error {
	var err error
	if w.name, err = format(w.file); err != nil {
		return err
	}
	if err := w.frames.whole(w.file, w.name == TarFile); err != nil {
		return err
	}
	w.syncs.Wait()
	return errors.Join(<-w.syncing, w.file.Sync())
}

func (w *archiveWriter) proof() File {
	return File{Size: w.size, SHA256: hex.EncodeToString(w.sum.Sum(nil))}
}

var _ io.Writer = (*archiveWriter)(nil)
