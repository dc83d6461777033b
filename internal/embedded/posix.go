//go:build !windows

package embedded

import (
	"errors"
	"fmt"
	"log/syslog"
	"net/url"
	"os"

	"golang.org/x/sys/unix"
)

// errAddrInUse is the system's own error for a port that is taken.
const errAddrInUse = unix.EADDRINUSE

// tryLock takes the lock of f without waiting; taken is false when another open file holds it.
func tryLock(f *os.File) (taken bool, err error) {
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, err
		}
	}
}

// trySyslog finds out whether the system log, local when address is empty, takes lines.
func trySyslog(address string) error {
	network, raddr := "", ""
	if address != "" {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		switch network = u.Scheme; network {
		case "udp", "tcp":
			raddr = u.Host
		case "unix":
			raddr = u.Path
		default:
			return fmt.Errorf("network %q: not udp, tcp or unix", network)
		}
	}
	w, err := syslog.Dial(network, raddr, syslog.LOG_DAEMON|syslog.LOG_NOTICE, "nats-server")
	if err != nil {
		return err
	}
	return w.Close()
}

// syncDir makes the names in a directory durable.
func syncDir(dir *os.File) error { return dir.Sync() }
