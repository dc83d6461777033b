package facts

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/natskit/natskit/internal/fleet"
)

// tree writes files below a directory.
func tree(t *testing.T, content map[string]string) files {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files(dir)
}

func TestModel(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"sys/class/dmi/id/product_name": "XPS 13\n", "sys/class/dmi/id/sys_vendor": "Dell Inc.\n"}, "Dell Inc. XPS 13"},
		{map[string]string{"sys/class/dmi/id/product_name": "Lenovo Z\n", "sys/class/dmi/id/sys_vendor": "LENOVO\n"}, "Lenovo Z"},
		{map[string]string{"sys/class/dmi/id/product_name": "Default string\n", "proc/cpuinfo": "processor : 0\nmodel name\t: Some CPU\n"}, "Some CPU"},
		{map[string]string{"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\x00"}, "Raspberry Pi 5 Model B Rev 1.0"},
		{nil, ""},
	} {
		if got := tree(t, row.files).model(); got != row.want {
			t.Errorf("%v: %q, want %q", row.files, got, row.want)
		}
	}
}

func TestKernelFiles(t *testing.T) {
	t.Parallel()
	f := tree(t, map[string]string{"proc/meminfo": "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    4096 kB\n", "proc/loadavg": "1.25 0.5 0.1 2/300 99\n"})
	if total, available := f.memory(); total != 16<<20 || available != 4<<20 {
		t.Errorf("%d %d", total, available)
	}
	if f.load() != 1.25 {
		t.Errorf("%v", f.load())
	}
	if name, version := f.system("6.1"); name != "Linux" || version != "6.1" {
		t.Errorf("%s %s", name, version)
	}
	phone := tree(t, map[string]string{"system/build.prop": "# begin\nro.build.version.release=16\n"})
	if name, version := phone.system("6.1"); name != "Android" || version != "16" {
		t.Errorf("%s %s", name, version)
	}
	if none := tree(t, nil); none.load() != 0 {
		t.Error("a load from nowhere")
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	var info fleet.Info
	Host(&info)
	if info.Arch != runtime.GOARCH || info.CPUs < 1 || info.OS.Name == "" {
		t.Errorf("%+v", info)
	}
	if runtime.GOOS != "linux" {
		return
	}
	_, used := Usage()
	if info.Memory == 0 || used == 0 || used > info.Memory || info.OS.Version == "" {
		t.Errorf("%+v, %d in use", info, used)
	}
}
