//go:build unix

// Command usage runs a command line and writes what it used to the file that its first argument names: nanoseconds of processor
// time and bytes of memory at its largest. The system counts the memory of whoever starts a process as the process's own, so the
// starter has to be small.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		for s := range interrupts {
			_ = cmd.Process.Signal(s) // an error is that of one that has ended
		}
	}()
	err := cmd.Wait()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	memory := int64(0)
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		memory = int64(u.Maxrss)
		if runtime.GOOS != "darwin" {
			memory <<= 10
		}
	}
	text := fmt.Sprintf("%d %d", cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), memory)
	if err := os.WriteFile(os.Args[1], []byte(text), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(max(cmd.ProcessState.ExitCode(), 0))
}
