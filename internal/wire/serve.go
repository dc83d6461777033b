package wire

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Run serves the sink until one of its functions returns an error (ErrStop: Run returns nil), ctx ends (its cause, at once: what is
// pending stays so), a subscription is denied, or there is no connection and no more hope of one; in the last two cases the
// backlog is handled first. It may be called once.
//
// As long as the sink keeps up, the goroutine of Run reads the socket itself: waking another one up for every few messages costs more
// than the messages. When the sink takes longer than slack, the goroutine of pump reads until the sink has caught up.
func (s *Subscriber) Run(ctx context.Context, sink Sink) error {
	pumping, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.log.finish(s.pump(pumping)) })
	if sink.Every > 0 && sink.Tick != nil {
		t := s.clock.NewTicker(sink.Every)
		defer t.Stop()
		wg.Go(func() { s.announce(pumping, t.C()) })
	}
	s.dog.start()
	defer s.dog.stop()
	free := context.AfterFunc(ctx, func() { s.halt.Store(true) })
	err := s.serve(ctx, &sink)
	free()
	stop()
	wg.Wait()
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// announce passes the ticks on and interrupts a read by the goroutine of Run.
func (s *Subscriber) announce(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
		select {
		case s.ticks <- struct{}{}:
		default:
		}
		if !s.dog.resting.Load() {
			continue // it looks for ticks before it reads
		}
		s.mu.Lock()
		c := s.conn
		s.mu.Unlock()
		if c != nil {
			c.nudge()
		}
	}
}

// serve hands the backlog to the sink.
func (s *Subscriber) serve(ctx context.Context, sink *Sink) error {
	scan := scanner{marks: true}
	var m Msg
	for {
		frames, lost, end, err := s.log.take()
		m.Lost += lost
		if frames != nil {
			if err := s.hand(ctx, &scan, &m, frames, sink); err != nil {
				return err
			}
			continue
		}
		s.flush()
		if sink.Idle != nil {
			if err := sink.Idle(); err != nil {
				return err
			}
		}
		if end {
			return err
		}
		if err := s.await(ctx); err != nil {
			return err
		}
		if err := s.tick(sink); err != nil {
			return err
		}
	}
}

// await returns when there may be news: after a read of its own, when somebody else made some, or for a tick.
func (s *Subscriber) await(ctx context.Context) error {
	s.dog.rest()
	defer s.dog.work()
	if len(s.ticks) == 0 && s.turn.TryLock() {
		l := s.live
		if l != nil {
			if err := s.step(l); err != nil {
				s.live = nil
				s.broke <- err
			}
		}
		s.turn.Unlock()
		if l != nil {
			return context.Cause(ctx)
		}
	}
	select {
	case <-s.log.wake:
	case <-s.ticks:
		s.due = true // told when the dog watches again
	case <-ctx.Done():
	}
	return context.Cause(ctx)
}

// tick calls the sink when a tick is due.
func (s *Subscriber) tick(sink *Sink) error {
	switch {
	case s.due:
		s.due = false
	case len(s.ticks) > 0: // nobody else receives them
		<-s.ticks
	default:
		return nil
	}
	return sink.Tick()
}

// hand gives the messages in frames to the sink.
func (s *Subscriber) hand(ctx context.Context, scan *scanner, m *Msg, frames []byte, sink *Sink) (err error) {
	n, msgs := 0, 0
	defer func() { s.log.done(n, msgs) }()
	scan.reset()
	for n < len(frames) {
		k, size, err := scan.next(frames[n:], m)
		if err != nil {
			return err
		}
		n += size
		if k != kindMsg {
			continue
		}
		msgs++
		if sink.Msg != nil {
			if err := sink.Msg(m); err != nil {
				return err
			}
		}
		m.Lost = 0
		if s.halt.Load() {
			return context.Cause(ctx)
		}
		if err := s.tick(sink); err != nil {
			return err
		}
	}
	return nil
}
