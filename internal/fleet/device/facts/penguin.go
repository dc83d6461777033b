//go:build linux

package facts

import (
	"runtime"

	"golang.org/x/sys/unix"
)

const root = files("/")

func machine() found {
	var m found
	var u unix.Utsname
	kernel := ""
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	m.os.Name, m.os.Version = root.system(kernel)
	if runtime.GOOS == "android" {
		m.os.Name = "Android"
	}
	m.memory, _ = root.memory()
	m.model = root.model()
	return m
}

func usage() (load float64, memory uint64) {
	total, available := root.memory()
	return root.load(), total - min(available, total)
}
