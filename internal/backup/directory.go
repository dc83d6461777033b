package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats-server/v2/server/archive"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jsconf"
)

// The files of a backup besides ManifestFile. The archive has one of two names, by its format.
const (
	MetaFile      = jsm.SnapshotMetaFile       // configuration and state of the stream; written last by every program
	ArchiveFile   = jsm.SnapshotDataFile       // what servers from 2.15 on send
	TarFile       = jsm.SnapshotLegacyDataFile // what older servers send
	ConsumersFile = "consumers.json"           // consumers that the archive lacks
)

// Meta is what a backup says of its stream.
type Meta struct {
	Config *jsconf.Config  // as the server sent it, but of a memory stream the storage is "file", so that other programs take it
	State  api.StreamState // when the backup was made
	Memory bool            // the stream was in memory
	Edit   json.RawMessage // what an edit left there; null otherwise

	state json.RawMessage
}

type wireMeta struct {
	Config  *json.RawMessage `json:"config"`
	State   *json.RawMessage `json:"state"`
	Storage string           `json:"storage,omitempty"`
	Edit    json.RawMessage  `json:"edit,omitempty"`
}

// NewMeta is the meta of what a server says of its stream.
func NewMeta(config, state json.RawMessage) (Meta, error) {
	var m Meta
	var err error
	if m.Config, err = jsconf.ParseWire(config); err != nil {
		return m, err
	}
	m.state = state
	if err := json.Unmarshal(state, &m.State); err != nil {
		return m, err
	}
	if m.Config.Text("storage") == "memory" {
		m.Memory = true
		err = m.Config.Set("file", "storage")
	}
	return m, err
}

// ReadMeta reads the meta file of the backup in dir.
func ReadMeta(dir string) (Meta, error) {
	path := filepath.Join(dir, MetaFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return Meta{}, err
	}
	var w wireMeta
	if err := json.Unmarshal(data, &w); err != nil {
		return Meta{}, fmt.Errorf("%s: %w", path, err)
	}
	if w.Config == nil || w.State == nil {
		return Meta{}, fmt.Errorf("%s: there is no configuration and state in it", path)
	}
	m, err := NewMeta(*w.Config, *w.State)
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	m.Memory = m.Memory || w.Storage == "memory"
	m.Edit = w.Edit
	if err := jsconf.CheckName("stream", m.Config.Text("name")); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Write writes the meta file into dir.
func (m Meta) Write(dir string) error {
	config, err := m.Config.MarshalJSON()
	if err != nil {
		return err
	}
	w := wireMeta{Config: (*json.RawMessage)(&config), State: &m.state, Edit: m.Edit}
	if m.Memory {
		w.Storage = "memory"
	}
	data, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	return writeSynced(filepath.Join(dir, MetaFile), append(data, '\n'))
}

// Stream is the configuration that a restore asks for: with the storage that the stream had, and without the server's own metadata.
func (m Meta) Stream() (*jsconf.Config, error) {
	cfg := m.Config.Clone().StripReserved()
	if m.Memory {
		return cfg, cfg.Set("memory", "storage")
	}
	return cfg, nil
}

// Directory is a backup on disk that is finished.
type Directory struct {
	Path    string
	Meta    Meta
	Archive string // the path of the archive
	Size    int64  // its bytes
	Tar     bool   // it is of a server before 2.15
}

// ErrUnfinished says that a backup was begun in a directory and not finished.
var ErrUnfinished = errors.New("the backup is not finished")

// Read opens the backup in a directory; path may also be one of its files. What is no backup is fail.NotFound.
func Read(path string) (Directory, error) {
	d := Directory{Path: path}
	st, err := os.Stat(path)
	if err == nil && st.Mode().IsRegular() && slices.Contains([]string{MetaFile, ArchiveFile, TarFile, ManifestFile}, filepath.Base(path)) {
		d.Path = filepath.Dir(path)
		st, err = os.Stat(d.Path)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return d, fail.NotFoundf("it does not exist")
	case err != nil:
		return d, err
	case !st.IsDir():
		return d, fail.Usagef("it is no directory: name the directory of the backup")
	}
	meta, err := os.Stat(filepath.Join(d.Path, MetaFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return d, err
	}
	if d.Archive, err = jsm.SnapshotDataPath(d.Path); errors.Is(err, os.ErrNotExist) {
		return d, fail.NotFoundf("there is no backup in it: %s is missing", ArchiveFile)
	} else if err != nil {
		return d, err
	}
	if meta == nil || meta.Size() == 0 {
		return d, fmt.Errorf("%w: %s is missing or empty", ErrUnfinished, MetaFile)
	}
	if d.Meta, err = ReadMeta(d.Path); err != nil {
		return d, err
	}
	data, err := os.Stat(d.Archive)
	if err != nil {
		return d, err
	}
	d.Size, d.Tar = data.Size(), filepath.Base(d.Archive) == TarFile
	return d, nil
}

// format reads the beginning of an archive and returns the name that it should have.
func format(f io.ReaderAt) (string, error) {
	var head [len(archive.MagicBytes)]byte
	if _, err := io.ReadFull(s2.NewReader(io.NewSectionReader(f, 0, 1<<62)), head[:]); err != nil {
		return "", fmt.Errorf("what the server sent is no archive: %w", err)
	}
	if bytes.Equal(head[:], []byte(archive.MagicBytes)) {
		return ArchiveFile, nil
	}
	return TarFile, nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
