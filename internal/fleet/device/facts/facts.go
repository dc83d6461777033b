// Package facts finds out what machine a device is: operating system, processors, memory, model, and how much of them is in use.
package facts

import (
	"runtime"

	"github.com/natskit/natskit/internal/fleet"
)

// Host fills in what this machine knows of itself: OS, Arch, CPUs, Memory (bytes) and Model. What cannot be found out is empty.
func Host(info *fleet.Info) {
	info.Arch, info.CPUs = runtime.GOARCH, runtime.NumCPU()
	m := machine()
	info.OS, info.Memory, info.Model = m.os, m.memory, m.model
}

// Usage is the processor load of the last minute and the memory in use, in bytes; 0 stands for what the system does not tell.
func Usage() (load float64, memory uint64) { return usage() }

// found is what a system tells of the machine.
type found struct {
	os     fleet.OS
	memory uint64
	model  string
}
