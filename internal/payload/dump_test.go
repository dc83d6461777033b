package payload

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestDumpShape(t *testing.T) {
	t.Parallel()
	rows := []struct {
		m    *nats.Msg
		want string
	}{
		{
			&nats.Msg{Subject: "foo.1", Header: nats.Header{"A": {"1"}}, Data: []byte("hello")},
			`{"Subject":"foo.1","Reply":"","Header":{"A":["1"]},"Data":"aGVsbG8=","Sub":null}`,
		},
		{&nats.Msg{Subject: "a", Reply: "r", Header: nats.Header{}}, `{"Subject":"a","Reply":"r","Header":null,"Data":"","Sub":null}`},
	}
	for _, r := range rows {
		got, err := AppendDump([]byte(">"), r.m)
		if err != nil || string(got) != ">"+r.want {
			t.Errorf("%s, %v", got, err)
		}
	}
}

func TestDumpDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "d")
	d, err := OpenDumpDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{10, 2, 1} {
		if _, err := d.Write(n, &nats.Msg{Subject: "s", Data: []byte{byte(n)}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.WriteReply(2, &nats.Msg{Subject: "r"}); err != nil {
		t.Fatal(err)
	}
	path, err := d.Write(1, &nats.Msg{Subject: "again"})
	if err != nil || path != filepath.Join(dir, "1.json") {
		t.Fatal(path, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != `{"Subject":"again","Reply":"","Header":null,"Data":"","Sub":null}` {
		t.Errorf("%s, %v", text, err)
	}
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"1.json", "10.json", "2.json", "2_reply.json", "notes.json"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("%v, %v", names, err)
	}
	if runtime.GOOS != "windows" {
		for p, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, path: 0o600} {
			if info, err := os.Stat(p); err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v", p, info.Mode(), err)
			}
		}
	}
	if _, err := OpenDumpDir(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file as directory: %v", err)
	}
}
