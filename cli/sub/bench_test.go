package sub

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/wire"
)

const benched = 300_000

var body16 = []byte("0123456789abcdef")

// bareRate is what the wire gives: a pre-encoded publisher and a reader that only counts, in messages a second.
func bareRate(b *testing.B, url string, n int) float64 {
	b.Helper()
	o := nats.GetDefaultOptions()
	o.Url = url
	in, err := wire.Dial(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	if _, err := in.Subscribe("bare", ""); err != nil {
		b.Fatal(err)
	}
	if err := in.Ping(b.Context()); err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	go repeat(b, url, "bare", n, body16)
	if _, err := in.Count(b.Context(), uint64(n), nil); err != nil {
		b.Error(err)
	}
	return float64(n) / time.Since(begin).Seconds()
}

// repeat publishes n messages as fast as the wire goes.
func repeat(b *testing.B, url, subject string, n int, body []byte) {
	o := nats.GetDefaultOptions()
	o.Url = url
	c, err := wire.Dial(context.Background(), o)
	if err != nil {
		b.Error(err)
		return
	}
	defer c.Close()
	p := wire.NewPublisher(context.Background(), c, false)
	defer p.Close()
	if err := p.Repeat(wire.EncodePub(nil, subject, "", nil, body), n); err != nil {
		b.Error(err)
	}
	if _, err := p.Confirm(context.Background()); err != nil {
		b.Error(err)
	}
}

// BenchmarkSub is the command from the socket to a file, as messages a second and as a share of what the wire gives.
func BenchmarkSub(b *testing.B) {
	for _, flags := range []string{"", "--raw", "--json", "--format=line=%s %p\\n"} {
		b.Run("text"+flags, func(b *testing.B) {
			srv := testkit.Server(b)
			bare := bareRate(b, srv.URL(), benched)
			var rate float64
			for b.Loop() {
				rate = max(rate, subRate(b, srv, flags))
			}
			b.ReportMetric(rate, "msgs/s")
			b.ReportMetric(rate/bare, "of-wire")
		})
	}
}

func subRate(b *testing.B, srv *testkit.NATS, flags string) float64 {
	b.Helper()
	out, err := os.CreateTemp(b.TempDir(), "out")
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	args := append([]string{"sub", "speed", "--count", fmt.Sprint(benched)}, strings.Fields(flags)...)
	if strings.HasPrefix(flags, "--format") {
		args = append(args[:4], flags)
	}
	_, wait := slowly(b, srv.URL(), out, io.Discard, args...)
	srv.AwaitInterest("speed")
	begin := time.Now()
	repeat(b, srv.URL(), "speed", benched, body16)
	if code := wait(); code != fail.OK {
		b.Fatalf("exit code %d", code)
	}
	took := time.Since(begin)
	testkit.Eventually(b, time.Minute, "the subscription to be gone", func() bool { return srv.Server().NumSubscriptions() == 0 || !interested(srv) })
	return benched / took.Seconds()
}

func interested(srv *testkit.NATS) bool {
	acc := srv.Server().GlobalAccount()
	return acc != nil && acc.SubscriptionInterest("speed")
}

// BenchmarkShow is the cost of one message between the wire and the output.
func BenchmarkShow(b *testing.B) {
	for _, how := range []string{"text", "raw", "json", "line=%s %p\\n"} {
		b.Run(how, func(b *testing.B) {
			o := &subOptions{raw: how == "raw"}
			name := how
			if o.raw {
				name = "text"
			}
			format, err := render.ParseFormat(name)
			if err != nil {
				b.Fatal(err)
			}
			out, err := render.New(render.Options{Out: io.Discard, Format: format})
			if err != nil {
				b.Fatal(err)
			}
			e := &env.Env{Out: out, Clock: clock.System()}
			c := &core{e: e, o: o, ignored: ignore(nil), keys: []string{"", "speed"}}
			if c.out, err = newPrinter(b.Context(), e, o); err != nil {
				b.Fatal(err)
			}
			take := c.receive(b.Context())
			w := &wire.Msg{Sid: 1, Subject: []byte("speed"), Payload: body16, At: time.Now()}
			for b.Loop() {
				if err := take(w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
