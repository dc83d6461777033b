package stream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// copies is how many streams are made in a row while the server is stopped at one of them.
const copies = 20

// The server is killed at random moments while streams are copied: each copy is there whole or not at all; a command that ended well
// made one, and one that failed says what is not known. The same command again puts it right.
func TestCopyKilled(t *testing.T) {
	t.Parallel()
	moments := 3
	if os.Getenv("NATSKIT_SOAK") != "" {
		moments = 20
	}
	c, srv := start(t)
	c.OK("stream add SOURCE --subjects source --max-msgs 100 --max-age 1h --metadata a=b --description d --defaults")
	want := plain(config(t, srv, "SOURCE"))
	lines := make([]string, copies)
	for i := range lines {
		lines[i] = fmt.Sprintf("stream copy SOURCE COPY%d --subjects copy.%d --timeout 500ms", i, i)
	}
	for range moments {
		at := rand.Float64() * copies
		results := killedDuring(t, c, srv, at, lines)
		srv.Restart()
		for i, r := range results {
			name := fmt.Sprintf("COPY%d", i)
			s, err := srv.JS().Stream(t.Context(), name)
			switch {
			case err != nil && !errors.Is(err, jetstream.ErrStreamNotFound):
				t.Fatal(err)
			case err == nil && asJSON(t, plain(s.CachedInfo().Config)) != asJSON(t, want):
				t.Errorf("killed at %.2f: %s is half a copy: %+v", at, name, s.CachedInfo().Config)
			case err != nil && r.Code == fail.OK:
				t.Errorf("killed at %.2f: %s was said to be there: %+v", at, name, r)
			case err == nil && r.Code != fail.OK && !strings.Contains(r.Err, "whether it was created is unknown"):
				t.Errorf("killed at %.2f: %s is there: %+v", at, name, r)
			}
			c.OK(lines[i])
			c.OK("stream rm " + name + " -f")
		}
	}
}

// killedDuring runs the lines one after the other and stops the server at the moment: after so many requests, and the fraction of
// what a request takes.
func killedDuring(t *testing.T, c *clitest.CLI, srv *testkit.NATS, at float64, lines []string) []clitest.Result {
	t.Helper()
	var seen atomic.Int64
	whole, part := int64(at), at-float64(int64(at))
	stopped := make(chan struct{})
	testkit.Handle(t, srv.Conn(), "$JS.API.STREAM.CREATE.>", func(*nats.Msg) {
		if seen.Add(1) != whole+1 {
			return
		}
		go func() {
			defer close(stopped)
			<-time.After(time.Duration(part * float64(3*time.Millisecond)))
			srv.Stop()
		}()
	})
	var results []clitest.Result
	for i, line := range lines {
		results = append(results, c.Run(line))
		if int64(i) == whole {
			<-stopped
		}
	}
	return results
}

// plain is a configuration without what differs between a stream and its copy.
func plain(cfg jetstream.StreamConfig) jetstream.StreamConfig {
	cfg.Name, cfg.Subjects = "", nil
	return cfg
}

// What a server does not answer may have been done: that is said, with the way to find out.
func TestUnansweredChanges(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithoutJetStream())
	for _, subject := range []string{"CREATE", "UPDATE"} {
		testkit.Handle(t, srv.Conn(), "$JS.API.STREAM."+subject+".S", func(*nats.Msg) {})
	}
	testkit.Respond(t, srv.Conn(), "$JS.API.INFO", `{"type":"io.nats.jetstream.api.v1.account_info_response","limits":{}}`)
	testkit.Respond(t, srv.Conn(), "$JS.API.STREAM.INFO.*", `{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"name":"S","subjects":["s"],"storage":"file","num_replicas":1},"state":{}}`)
	c := clitest.New(t, Command()).Server(srv.URL()).TTY(0)
	for line, says := range map[string]string{
		"add S --subjects s --defaults": "it was created", "copy O S --subjects s": "it was created", "edit S --description d -f": "it was changed", "seal S -f": "it was sealed",
	} {
		c.Fails(fail.NoAnswer, "stream "+line+" --timeout 500ms", "whether "+says+" is unknown", "nats stream info S shows it")
	}
}
