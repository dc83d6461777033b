package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// jetStreamDir is what nats-server makes in its store directory.
const jetStreamDir = "jetstream"

// timestampSlack covers file systems that keep times in steps of two seconds.
const timestampSlack = 2 * time.Second

// syncStore makes what was written since the given time survive a loss of power. nats-server writes its files out when
// it stops, but leaves it to the system when they reach the disk.
func syncStore(dir string, since time.Time) error {
	since = since.Add(-timestampSlack)
	return filepath.WalkDir(filepath.Join(dir, jetStreamDir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case info.ModTime().Before(since):
			return nil
		}
		return syncPath(path, d.IsDir())
	})
}

func syncPath(path string, isDir bool) error {
	flag := os.O_RDWR // Windows syncs no file that is open for reading alone
	if isDir {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flag, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	sync := f.Sync
	if isDir {
		sync = func() error { return syncDir(f) }
	}
	return errors.Join(sync(), f.Close())
}
