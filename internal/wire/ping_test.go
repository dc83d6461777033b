package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestPingKeepsMessages(t *testing.T) {
	t.Parallel()
	c, p := puppetConn(t, testOptions())
	ctx := testContext(t)
	large := strings.Repeat("z", 100_000)
	go func() {
		p.expect(t, "PING")
		p.say("MSG a 1 1\r\n1\r\nPING\r\nINFO {\"max_payload\":7}\r\nMSG a 1 100000\r\n" + large + "\r\nPONG\r\nMSG a 1 1\r\n3\r\n")
		p.expect(t, "PONG")
		p.expect(t, "PING")
		p.say("-ERR 'Permissions Violation for Subscription to \"s\"'\r\nPONG\r\n")
	}()
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if c.Info().MaxPayload != 7 {
		t.Error("the INFO was not taken")
	}
	if err := c.Ping(ctx); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Error(err)
	}
	var sizes []int
	err := c.Read(ctx, Handler{Msg: func(m *Msg) error {
		if sizes = append(sizes, len(m.Payload)); len(sizes) == 3 {
			return ErrStop
		}
		return nil
	}})
	if err != nil || fmt.Sprint(sizes) != "[1 100000 1]" {
		t.Errorf("%v %v", err, sizes)
	}
}

func TestPingWhileReading(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	c := dial(t, testOptions(s.ClientURL()))
	ctx, cancel := context.WithCancel(testContext(t))
	started := make(chan struct{})
	var once sync.Once
	done := make(chan error)
	go func() {
		done <- c.Read(ctx, Handler{Idle: func() error { once.Do(func() { close(started) }); return nil }})
	}()
	<-started
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if err := c.Ping(testContext(t)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// The turn to read goes to those who wait for an answer.
	for range 4 {
		wg.Go(func() {
			if err := c.Ping(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestPingInterrupted(t *testing.T) {
	t.Parallel()
	c, _ := puppetConn(t, testOptions())
	ctx, cancel := context.WithTimeout(testContext(t), time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestKeepalive(t *testing.T) {
	t.Parallel()
	o := testOptions()
	o.PingInterval, o.MaxPingsOut = time.Millisecond, 2
	c, p := puppetConn(t, o)
	done := make(chan error)
	go func() { done <- c.Read(testContext(t), Handler{}) }()
	p.expect(t, "PING")
	p.say("PONG\r\n")
	p.expect(t, "PING")
	if err := <-done; !errors.Is(err, nats.ErrStaleConnection) {
		t.Error(err)
	}
}
