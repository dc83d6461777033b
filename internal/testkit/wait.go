package testkit

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The waits of Eventually: short at first, for most conditions hold at once.
const (
	firstWait = time.Millisecond
	lastWait  = 100 * time.Millisecond
)

// leakWait is how long goroutines that are on their way out may take, on a busy machine.
const leakWait = 20 * time.Second

// Eventually waits until cond holds, and fails the test when it does not within the given time; what says what is awaited.
// It is the only way to wait: tests do not sleep.
func Eventually(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	if !holds(within, cond) {
		t.Fatalf("not within %s: %s", within, what)
	}
}

func holds(within time.Duration, cond func() bool) bool {
	deadline := time.Now().Add(within)
	wait := firstWait
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for {
		if cond() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
		wait = min(wait*3/2, lastWait)
		tick.Reset(wait)
	}
}

// Ports are handed out from below the range from which systems take the ports of outgoing connections, so that nobody
// takes the port of a stopped server by chance, and no client reaches itself there.
const (
	firstPort = 12000
	lastPort  = 32000
)

var handedOut sync.Map // port → true: this process gives no port away twice

// freePort is a loopback TCP port on which nobody listens.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if _, taken := handedOut.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatalf("port %d: %v", port, err)
		}
		return port
	}
	t.Fatalf("no free port between %d and %d", firstPort, lastPort)
	return 0
}

// Dead is the URL of a loopback port on which nobody listens.
func Dead(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("nats://%s:%d", loopback, freePort(t))
}

const leakLabel = "testkit-leaks"

var leakRuns atomic.Int64

// lasting are functions whose goroutines one test starts and all share.
var lasting = []string{
	"os/signal.",                                // one for the process, from the first Notify on
	"nats-server/v2/server/ats.",                // the servers' clock, there while any server is
	"net/http.(*Transport).",                    // idle connections of the default client
	"net/http.(*persistConn).",                  // the same
	"internal/singleflight.",                    // shared look-ups
	"testing.(*T).Run", "testing.(*T).Parallel", // sub-tests that wait for their turn
}

// Leaks fails the test when goroutines that it started, or that those started, are still there at its end.
// Call it first, so that it looks after the fixtures have been cleaned up. Parallel tests do not disturb each other:
// goroutines are told apart by profiler labels, which a goroutine inherits from the one that starts it.
func Leaks(t testing.TB) {
	t.Helper()
	leaks(t, leakWait)
}

func leaks(t testing.TB, within time.Duration) {
	t.Helper()
	id := strconv.FormatInt(leakRuns.Add(1), 10)
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(leakLabel, id)))
	t.Cleanup(func() {
		pprof.SetGoroutineLabels(context.Background())
		var left []string
		gone := holds(within, func() bool {
			left = labelled(t, id)
			return len(left) == 0
		})
		if !gone {
			t.Errorf("goroutines outlive the test:\n%s", strings.Join(left, "\n\n"))
		}
	})
}

// labelled are the stacks of the goroutines with the label.
func labelled(t testing.TB, id string) (stacks []string) {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		t.Fatalf("goroutine profile: %v", err)
	}
	mark := fmt.Sprintf("%q:%q", leakLabel, id)
next:
	for stack := range strings.SplitSeq(text.String(), "\n\n") {
		if !strings.Contains(stack, mark) {
			continue
		}
		for _, name := range lasting {
			if strings.Contains(stack, name) {
				continue next
			}
		}
		stacks = append(stacks, stack)
	}
	return stacks
}
