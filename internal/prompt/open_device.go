//go:build !windows

package prompt

import (
	"os"
	"syscall"
)

// openConsole opens the terminal that controls the process, wherever the standard streams lead.
func openConsole() (*console, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &console{in: f, out: f}, nil
}

// wake has nothing to do: the session's reader watches the context itself.
func (c *console) wake() {}

// terminate lets the editor put the terminal in order before it goes.
func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
