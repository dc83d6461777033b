package crew

import (
	"bytes"
	"context"

	"github.com/natskit/natskit/internal/meter"
)

// blockSize is how many bytes of frames are written at a time.
const blockSize = 64 << 10

// stampFrames sends messages that differ in their stamps alone, as fast as they are taken: a block of them is encoded once, and
// each time only the stamps are written into it. Those of a block carry the time at which it was begun.
func (p *publisher) stampFrames(ctx context.Context, out framer) error {
	run := p.w.Run()
	body := p.src.BodyOf(0, run.Wall(p.start).UnixNano())
	size := int64(len(body)) + p.header
	p.offer(p.start, -1)
	if err := p.out.Put(p.src.SubjectOf(0), body, p.start, -1); err != nil { // checked like any other
		return err
	}
	if err := p.out.Flush(); err != nil {
		return err
	}
	p.flushed()
	p.account(1, size, run.Now())
	frame := out.Frame(p.src.SubjectOf(0), body)
	at := len(frame) - len("\r\n") - len(body)
	block := bytes.Repeat(frame, max(blockSize/len(frame), 1))
	for now := run.Now(); !p.enough(now); {
		if err := p.check(ctx); err != nil {
			return err
		}
		n := min(p.chunk(), int64(len(block)/len(frame)))
		sent := run.Wall(now).UnixNano()
		for i := range n {
			meter.PutStamp(block[int(i)*len(frame)+at:], sent, p.src.id, uint64(p.sent+i))
		}
		p.offer(now, -1)
		if err := out.Frames(block[:int(n)*len(frame)], int(n), int(n*size)); err != nil {
			return err
		}
		p.flushed()
		now = run.Now()
		p.account(n, n*size, now)
	}
	return nil
}
