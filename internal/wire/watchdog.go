package wire

import (
	"sync/atomic"
	"time"
)

// slack is after how long at work without a rest, up to twice that, a watchdog asks for relief: a time that the buffers of the kernel
// and of the server bridge easily.
const slack = 5 * time.Millisecond

// watchdog notices when the goroutine that should read the socket is kept by the sink. Work and rest alternate many thousand times a
// second, so they only leave a trace in memory, which a timer looks at as long as there is something to see.
type watchdog struct {
	resting atomic.Bool   // the goroutine reads, or waits for somebody else who does
	relief  chan struct{} // a token: somebody else must read

	stint  atomic.Uint64 // number of the present stint of work, or of the last before the rest
	seen   atomic.Uint64 // that of the last look
	awake  atomic.Bool   // the timer is set
	timer  *time.Timer
	closed atomic.Bool
}

// start begins the first stint of work.
func (d *watchdog) start() {
	d.awake.Store(true)
	d.timer = time.AfterFunc(slack, d.look)
}

func (d *watchdog) stop() {
	d.closed.Store(true)
	d.timer.Stop()
}

func (d *watchdog) rest() { d.resting.Store(true) }

// work begins a stint of work.
func (d *watchdog) work() {
	d.stint.Add(1)
	d.resting.Store(false)
	d.wake()
}

// wake sets the timer if it is not.
func (d *watchdog) wake() {
	if !d.awake.Load() && d.awake.CompareAndSwap(false, true) && !d.closed.Load() {
		d.timer.Reset(slack)
	}
}

// look asks for relief when the stint is the one of the look before. Once it has, and in a long rest, it sleeps until the next stint.
func (d *watchdog) look() {
	stint := d.stint.Load()
	if d.seen.Swap(stint) != stint {
		if !d.closed.Load() {
			d.timer.Reset(slack)
		}
		return
	}
	if !d.resting.Load() {
		select {
		case d.relief <- struct{}{}:
		default:
		}
	}
	d.awake.Store(false)
	if d.stint.Load() != stint { // begun before it could see that nobody looks
		d.wake()
	}
}
