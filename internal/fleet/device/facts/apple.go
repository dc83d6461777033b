//go:build darwin

package facts

import (
	"encoding/binary"
	"runtime"

	"golang.org/x/sys/unix"
)

func machine() found {
	var m found
	if m.os.Name = "macOS"; runtime.GOOS == "ios" {
		m.os.Name = "iOS"
	}
	m.os.Version, _ = unix.Sysctl("kern.osproductversion")
	m.memory, _ = unix.SysctlUint64("hw.memsize")
	m.model, _ = unix.Sysctl("hw.model")
	return m
}

func usage() (load float64, memory uint64) {
	// struct loadavg: three fixed-point numbers of 32 bits, then their scale, a long
	if raw, err := unix.SysctlRaw("vm.loadavg"); err == nil && len(raw) >= 24 {
		if scale := binary.LittleEndian.Uint64(raw[16:]); scale > 0 {
			load = float64(binary.LittleEndian.Uint32(raw)) / float64(scale)
		}
	}
	total, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return load, 0
	}
	size, serr := unix.SysctlUint32("vm.pagesize")
	free, ferr := unix.SysctlUint32("vm.page_free_count")
	if serr != nil || ferr != nil {
		return load, 0
	}
	return load, total - min(uint64(size)*uint64(free), total)
}
