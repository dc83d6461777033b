//go:build unix

package payload

import (
	"os/exec"
	"syscall"
)

// asGroup gives the command a process group of its own, so that its end is the end of its children too. A Ctrl-C of the
// terminal then reaches it through us.
func asGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
