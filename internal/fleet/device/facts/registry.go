//go:build windows

package facts

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// memoryStatus is MEMORYSTATUSEX.
type memoryStatus struct {
	length           uint32
	load             uint32
	total, available uint64
	rest             [5]uint64
}

func memoryNow() (total, available uint64) {
	s := memoryStatus{}
	s.length = uint32(unsafe.Sizeof(s))
	call := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if call.Find() != nil {
		return 0, 0
	}
	if ok, _, _ := call.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return 0, 0
	}
	return s.total, s.available
}

func machine() found {
	var m found
	v := windows.RtlGetVersion()
	m.os.Name, m.os.Version = "Windows", fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)
	m.memory, _ = memoryNow()
	if k, err := registry.OpenKey(registry.LOCAL_MACHINE, `HARDWARE\DESCRIPTION\System\BIOS`, registry.QUERY_VALUE); err == nil {
		defer func() { _ = k.Close() }()
		maker, _, _ := k.GetStringValue("SystemManufacturer")
		product, _, _ := k.GetStringValue("SystemProductName")
		m.model = strings.TrimSpace(named(maker) + " " + named(product))
	}
	return m
}

func usage() (load float64, memory uint64) {
	total, available := memoryNow()
	return 0, total - min(available, total)
}
