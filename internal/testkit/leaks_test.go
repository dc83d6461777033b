package testkit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/testkit"
)

const clusterTime = time.Minute

// leakyHelper stands in the stack of what leaks.
func leakyHelper(entered, release chan struct{}) {
	close(entered)
	<-release
}

func TestLeaks(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	// The label is inherited by what the goroutine starts, and by nothing else.
	started := make(chan *recorder)
	go func() {
		r := &recorder{TB: t}
		testkit.LeaksWithin(r, 10*time.Millisecond)
		entered := make(chan struct{})
		go func() { go leakyHelper(entered, release) }()
		<-entered
		for _, f := range r.cleanups {
			f()
		}
		started <- r
	}()
	if r := <-started; !r.failed || !strings.Contains(r.messages[0], "leakyHelper") {
		t.Errorf("a leak is not seen: %q", r.messages)
	}

	clean := make(chan *recorder)
	go func() {
		r := &recorder{TB: t}
		testkit.LeaksWithin(r, time.Minute)
		done := make(chan struct{})
		go func() { close(done) }()
		<-done
		for _, f := range r.cleanups {
			f()
		}
		clean <- r
	}()
	go leakyHelper(make(chan struct{}), release)
	if r := <-clean; r.failed {
		t.Errorf("a leak of somebody else is seen: %q", r.messages)
	}
}
