package store

import (
	"crypto/sha256"
	"hash"
)

// digester computes the SHA-256 of what passes by beside the goroutine that sends or stores it.
type digester struct {
	hash.Hash
	work chan []byte
	done chan struct{}
	busy bool
}

// newDigester starts a digester; end must be called.
func newDigester() *digester {
	d := &digester{Hash: sha256.New(), work: make(chan []byte), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		for part := range d.work {
			d.Write(part)
			d.done <- struct{}{}
		}
	}()
	return d
}

// begin takes the next part, which must not change before wait has returned.
func (d *digester) begin(part []byte) {
	d.wait()
	d.busy = true
	d.work <- part
}

// wait returns when the part that was begun is done: only then Sum is whole.
func (d *digester) wait() {
	if d.busy {
		<-d.done
		d.busy = false
	}
}

// end stops the digester.
func (d *digester) end() {
	d.wait()
	close(d.work)
	<-d.done
}
