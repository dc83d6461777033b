package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Roll is what the backup of an account holds and what it lacks. It stands beside the directory, not in it: other programs take
// every entry of the directory for the backup of a stream.
type Roll struct {
	Version int               `json:"version"`
	Made    time.Time         `json:"made"`
	Streams []string          `json:"streams"`
	Missing map[string]string `json:"missing"` // why, by stream
}

// RollPath is where the roll of the backup in dir stands.
func RollPath(dir string) string { return filepath.Clean(dir) + ".account.json" }

// Write writes the roll of the backup in dir.
func (r Roll) Write(dir string) error {
	r.Version = 1
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := RollPath(dir)
	part := path + ".part"
	if err := writeSynced(part, append(text, '\n')); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// ReadRoll reads the roll of the backup in dir; one that was made by another program has none, which is no error.
func ReadRoll(dir string) (Roll, error) {
	var r Roll
	data, err := os.ReadFile(RollPath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", RollPath(dir), err)
	}
	return r, nil
}
