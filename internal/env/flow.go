package env

import "os"

// How a large file is written: so many bytes go into the page cache as any others do; behind them each step of so many bytes
// is handed to the disk as soon as it is whole, and taken out of the cache when it is there.
const (
	flowFrom = 64 << 20
	flowStep = 8 << 20
)

// Flow is a file that is written from one end to the other. Large content goes to the disk while more comes, so that the
// sync at the end has little left to do, and does not push what other programs use out of the page cache.
type Flow struct {
	*os.File
	from, step int64 // bytes
	at         int64 // where the next byte goes
	begun      int64 // what is before was handed to the disk
	dropped    int64 // what is before was taken out of the cache
	off        bool  // the system has no such calls for this file
}

// NewFlow writes to f from byte at on, which is where f stands.
func NewFlow(f *os.File, at int64) *Flow {
	return &Flow{File: f, from: flowFrom, step: flowStep, at: at, begun: at, dropped: at}
}

// Write writes p at the end. An error may be about bytes of an earlier Write.
func (f *Flow) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.at += int64(n)
	if err != nil || f.off || f.at < f.from {
		return n, err
	}
	for f.at-f.begun >= f.step {
		if err := f.push(); err != nil {
			return n, &os.PathError{Op: "write", Path: f.Name(), Err: err}
		}
	}
	return n, nil
}
