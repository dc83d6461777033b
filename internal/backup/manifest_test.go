package backup

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// B5: every byte of a backup is proved by its manifest.
func TestB5_Manifest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("backup.json", "{}")
	put("stream.arc.s2", "data")
	if _, err := Prove(dir); !errors.Is(err, ErrNoManifest) {
		t.Errorf("%v", err)
	}
	m, err := Measure(dir)
	if err != nil || len(m.Files) != 2 || m.Files["stream.arc.s2"].SHA256 != "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7" {
		t.Fatalf("%+v, %v", m, err)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	put(ManifestFile, string(raw))
	if _, err := Prove(dir); err != nil {
		t.Error(err)
	}
	put("stream.arc.s2", "dat4")
	if _, err := Prove(dir); err == nil || !strings.Contains(err.Error(), "stream.arc.s2 was changed") {
		t.Errorf("%v", err)
	}
	put("stream.arc.s2", "dat")
	if err := os.Remove(filepath.Join(dir, "backup.json")); err != nil {
		t.Fatal(err)
	}
	_, err = Prove(dir)
	if err == nil || !strings.Contains(err.Error(), "backup.json is missing") || !strings.Contains(err.Error(), "stream.arc.s2 has 3 bytes, not 4") {
		t.Errorf("%v", err)
	}
	put(ManifestFile, `{"version":2}`)
	if _, err := Prove(dir); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("%v", err)
	}
}
