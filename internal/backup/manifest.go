// Package backup is what backups of streams need beyond jsm.go's backup package: a manifest that proves the files.
package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// ManifestFile is the name of the manifest in the directory of a backup.
const ManifestFile = "manifest.json"

// Manifest lists the files of a backup with what proves them.
type Manifest struct {
	Version int             `json:"version"`
	Files   map[string]File `json:"files"` // by name in the directory
	// Source is what the stream was like when the backup began: as long as it is the same, the backup is up to date.
	Source string `json:"source,omitempty"`
}

// File is the size in bytes and the SHA-256 of a file, in hex.
type File struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Measure makes the manifest of the files that are in the directory, sub-directories and an earlier manifest left out.
func Measure(dir string) (Manifest, error) { return measureAll(dir, nil) }

// measureAll measures the files that known does not know.
func measureAll(dir string, known map[string]File) (Manifest, error) {
	m := Manifest{Version: 1, Files: map[string]File{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return m, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == ManifestFile {
			continue
		}
		if f, ok := known[e.Name()]; ok {
			m.Files[e.Name()] = f
			continue
		}
		if m.Files[e.Name()], err = measure(filepath.Join(dir, e.Name())); err != nil {
			return m, err
		}
	}
	return m, nil
}

// Write writes the manifest into the directory of the backup.
func (m Manifest) Write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeSynced(filepath.Join(dir, ManifestFile), append(text, '\n'))
}

func measure(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return File{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// ErrNoManifest says that the backup has no manifest: it was made by another program.
var ErrNoManifest = errors.New("the backup has no manifest")

// Prove compares the files of a backup with its manifest and returns it. Every difference is in the error.
func Prove(dir string) (Manifest, error) { return prove(dir, "") }

// prove is Prove, but of the file trusted only the size is compared.
func prove(dir, trusted string) (Manifest, error) {
	var want Manifest
	data, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return want, ErrNoManifest
	}
	if err != nil {
		return want, err
	}
	if err := json.Unmarshal(data, &want); err != nil {
		return want, fmt.Errorf("%s: %w", filepath.Join(dir, ManifestFile), err)
	}
	if want.Version != 1 {
		return want, fmt.Errorf("%s: version %d is not known to this program", filepath.Join(dir, ManifestFile), want.Version)
	}
	known := map[string]File{}
	if f, ok := want.Files[trusted]; ok {
		st, err := os.Stat(filepath.Join(dir, trusted))
		if err != nil {
			return want, err
		}
		known[trusted] = File{Size: st.Size(), SHA256: f.SHA256}
	}
	have, err := measureAll(dir, known)
	if err != nil {
		return want, err
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(want.Files)) {
		w, h := want.Files[name], have.Files[name]
		switch {
		case h.SHA256 == "":
			wrong = append(wrong, fmt.Errorf("%s is missing", name))
		case h.Size != w.Size:
			wrong = append(wrong, fmt.Errorf("%s has %d bytes, not %d", name, h.Size, w.Size))
		case h.SHA256 != w.SHA256:
			wrong = append(wrong, fmt.Errorf("%s was changed: its SHA-256 is not that of the manifest", name))
		}
	}
	return want, errors.Join(wrong...)
}
