package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/fail"
)

// stage is a directory in which a backup is made, beside its target, so that the target is whole or as it was.
type stage struct {
	dir    string // private to this run
	target string
}

// staleAfter is how old the newest file of an abandoned stage must be before it is removed: no transfer that is alive pauses for so long.
const staleAfter = time.Hour

// newStage makes a stage for the target. Its directory stands in the parent of root, which is the target or, for the backup of
// an account, the directory that holds all of them. Stages that a killed program left there are removed.
func newStage(root, target string, now time.Time) (*stage, error) {
	parent := filepath.Dir(root)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	prefix := "." + filepath.Base(root) + ".partial-"
	if err := recoverEarlier(target); err != nil {
		return nil, err
	}
	removeStale(parent, prefix, now)
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, err
	}
	return &stage{dir: dir, target: target}, nil
}

func removeStale(parent, prefix string, now time.Time) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) && now.Sub(newest(filepath.Join(parent, e.Name()))) > staleAfter {
			_ = os.RemoveAll(filepath.Join(parent, e.Name()))
		}
	}
}

// newest is the latest change of anything in the directory.
func newest(dir string) time.Time {
	var at time.Time
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read is not younger
		}
		if info, err := e.Info(); err == nil && info.ModTime().After(at) {
			at = info.ModTime()
		}
		return nil
	})
	return at
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) discard() { _ = os.RemoveAll(s.dir) }

// prove writes the manifest of what is in the stage.
func (s *stage) prove(m Manifest) error {
	measured, err := measureAll(s.dir, m.Files) // what was measured as it passed is not read again
	if err != nil {
		return err
	}
	m.Version, m.Files = measured.Version, measured.Files
	return m.Write(s.dir)
}

// publish gives the stage the name of its target; an earlier backup there is exchanged for it and then removed.
func (s *stage) publish() error {
	if err := syncDir(s.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.target), 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.target)
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = os.Rename(s.dir, s.target)
	case err != nil:
	case len(entries) == 0:
		if err = os.Remove(s.target); err == nil {
			err = os.Rename(s.dir, s.target)
		}
	default:
		err = replace(s.dir, s.target)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.target))
}

// replace puts the new directory in the place of the old one and removes that. Where the system can exchange two names in one
// step there is no moment without a whole backup under the name; elsewhere the earlier one has another name for that moment and
// comes back when the second step fails.
func replace(made, target string) error {
	if err := exchange(made, target); err == nil {
		return os.RemoveAll(made)
	}
	earlier := earlierName(target)
	if err := os.Rename(target, earlier); err != nil {
		return err
	}
	if err := os.Rename(made, target); err != nil {
		return errors.Join(err, os.Rename(earlier, target))
	}
	return os.RemoveAll(earlier)
}

// earlierName is what a backup is called while another takes its place.
func earlierName(target string) string {
	return filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".earlier")
}

// recoverEarlier gives a backup its name back when the program was killed between the two steps of replace; when the new one is
// in its place already, what is left of the earlier one goes.
func recoverEarlier(target string) error {
	earlier := earlierName(target)
	if _, err := os.Lstat(earlier); err != nil {
		return nil // there is none
	}
	if _, err := os.Lstat(target); errors.Is(err, os.ErrNotExist) {
		return os.Rename(earlier, target)
	}
	return os.RemoveAll(earlier)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // it does not sync directories
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ErrOccupied says that there is a finished backup where one should be written.
var ErrOccupied = errors.New("there is a backup already")

// VacantForAccount checks that the backup of an account may be written into the directory: it holds no backup of a stream itself.
func VacantForAccount(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !st.IsDir():
		return fail.Usagef("it is no directory").WithHint("name the directory of the backups, it need not exist")
	}
	for _, name := range []string{MetaFile, ArchiveFile, TarFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fail.Hint(fmt.Errorf("the directory is the backup of a stream: there is %s", name), "name another directory, the streams get directories in it")
		}
	}
	return nil
}

// vacant checks that a backup of the stream may be written at the target: nothing, an empty directory, an unfinished backup, or
// with replace an earlier backup of the same stream. Anything else is never overwritten.
func vacant(target, stream string, replace bool) error {
	if st, err := os.Stat(target); err == nil && !st.IsDir() {
		return fail.Usagef("it is no directory").WithHint("name the directory of the backup, it need not exist")
	}
	entries, err := os.ReadDir(target)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	finished := false
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if !slices.Contains([]string{MetaFile, ArchiveFile, TarFile, ConsumersFile, ManifestFile}, e.Name()) || !info.Mode().IsRegular() {
			return fmt.Errorf("the directory is not empty: there is %s, which is of no backup", e.Name())
		}
		finished = finished || e.Name() == MetaFile && info.Size() > 0
	}
	if !finished {
		return nil
	}
	meta, err := ReadMeta(target)
	switch {
	case err != nil:
		return err
	case meta.Config.Text("name") != stream:
		return fail.Hint(fmt.Errorf("%w, of stream %s", ErrOccupied, meta.Config.Text("name")), "name another directory")
	case !replace:
		return ErrOccupied
	}
	return nil
}
