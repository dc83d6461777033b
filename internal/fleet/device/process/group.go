//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// asGroup gives the program a process group of its own, so that its end is the end of what it started too.
func asGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
