//go:build linux

package env

import (
	"errors"

	"golang.org/x/sys/unix"
)

// push hands one step to the disk and takes the step before it, which had the time to get there, out of the cache.
//
// The kernel tells a failed write to the disk once: what it says here the sync at the end does not say again.
func (f *Flow) push() error {
	fd := int(f.Fd())
	err := unix.SyncFileRange(fd, f.begun, f.step, unix.SYNC_FILE_RANGE_WRITE)
	if err == nil && f.begun > f.dropped {
		err = unix.SyncFileRange(fd, f.dropped, f.begun-f.dropped,
			unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
		if err == nil {
			_ = unix.Fadvise(fd, f.dropped, f.begun-f.dropped, unix.FADV_DONTNEED)
			f.dropped = f.begun
		}
	}
	f.begun += f.step
	for _, lost := range []error{unix.EIO, unix.ENOSPC, unix.EDQUOT} {
		if errors.Is(err, lost) {
			return err
		}
	}
	f.off = err != nil
	return nil
}
