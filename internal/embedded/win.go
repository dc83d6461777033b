//go:build windows

package embedded

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// errAddrInUse is the system's own error for a port that is taken.
const errAddrInUse = windows.WSAEADDRINUSE

// lockOffset is far behind the text of the lock file: a locked range cannot be read by others, and they shall read who holds it.
const lockOffset = 1 << 30

// tryLock takes the lock of f without waiting; taken is false when another open file holds it.
func tryLock(f *os.File) (taken bool, err error) {
	at := &windows.Overlapped{Offset: lockOffset}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// trySyslog refuses: nats-server exits the process when it cannot open the event log, which cannot be tried beforehand.
func trySyslog(string) error {
	return errors.New("the event log is for a nats-server that runs as a service, name a log_file")
}

// syncDir does nothing: Windows keeps the names of a directory durable by itself.
func syncDir(*os.File) error { return nil }
