//go:build !unix

package process

import "os/exec"

// asGroup does nothing: there are no process groups to end at once.
func asGroup(*exec.Cmd) {}
