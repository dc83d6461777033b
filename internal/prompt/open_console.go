//go:build windows

package prompt

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// openConsole opens the console of the process, wherever the standard streams lead.
func openConsole() (*console, error) {
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		_ = in.Close()
		return nil, err
	}
	return &console{in: in, out: out}, nil
}

// keyEvent is an INPUT_RECORD that holds a KEY_EVENT_RECORD.
type keyEvent struct {
	eventType, _            uint16
	keyDown                 int32
	repeat, virtualKey      uint16
	virtualScan, unicodeKey uint16
	controlKeys             uint32
}

// wake ends a read of the console, which nothing else can: it types Ctrl-C for a reader of keys, and Enter for one of lines.
func (c *console) wake() {
	handle := windows.Handle(descriptor(c.in))
	key := uint16(ctrlC)
	var mode uint32
	if windows.GetConsoleMode(handle, &mode) == nil && mode&windows.ENABLE_LINE_INPUT != 0 {
		key = '\r'
	}
	event := keyEvent{eventType: 1, keyDown: 1, repeat: 1, unicodeKey: key}
	var written uint32
	_, _, _ = windows.NewLazySystemDLL("kernel32.dll").NewProc("WriteConsoleInputW").Call(
		uintptr(handle), uintptr(unsafe.Pointer(&event)), 1, uintptr(unsafe.Pointer(&written)))
}

// terminate ends the editor; there is no gentler way here.
func terminate(p *os.Process) error { return p.Kill() }
