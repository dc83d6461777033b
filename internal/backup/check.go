package backup

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/s2"
	archive "github.com/nats-io/jsm.go/backup"
)

// Check reads the archive to its end, as a restore would: every entry of one of a new server, the checksums of one of an old.
func Check(d Directory) error {
	f, err := os.Open(d.Archive)
	if err != nil {
		return err
	}
	defer f.Close()
	if d.Tar {
		if _, err := io.Copy(io.Discard, s2.NewReader(f)); err != nil {
			return fmt.Errorf("%s: %w", TarFile, err)
		}
		return nil
	}
	dec := archive.NewDecoder(f)
	for {
		_, err := dec.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w (last good entry: %s)", ArchiveFile, err, dec.LastGood())
		}
	}
}
