package rtt

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	out := c.OK("rtt").Out
	if !strings.HasPrefix(out, srv.URL()+":\n\n   "+srv.URL()+": ") || !strings.HasSuffix(out, "s\n\n") {
		t.Errorf("stdout %q", out)
	}
	var got report
	if err := json.Unmarshal([]byte(c.OK("rtt 7 --json").Out), &got); err != nil {
		t.Fatal(err)
	}
	r := got[0].Results[0]
	if len(got) != 1 || got[0].URL != srv.URL() || r.RTT <= 0 || r.Sent != 7 || r.Lost != 0 || r.Min > r.RTT || r.Max < r.RTT || r.Time.IsZero() || r.Connect <= 0 {
		t.Errorf("%+v", got)
	}
}

// A name is tested on every address it has.
func TestEveryAddress(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	u, err := url.Parse(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := clitest.New(t, Command()).Server("nats://localhost:" + u.Port())
	r := c.Run("rtt --json") // where localhost has an IPv6 address too, nobody listens there: 7
	if r.Code != fail.OK && r.Code != fail.Partial || !strings.Contains(r.Out, "nats://127.0.0.1:"+u.Port()) {
		t.Errorf("%d %s %s", r.Code, r.Out, r.Err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	srv, dead := testkit.Server(t), testkit.Dead(t)
	c := clitest.New(t, Command())
	if r := c.Server(dead).Fails(fail.Unreachable, "rtt", "Failed to compute rtt for "+dead); !strings.Contains(r.Out, dead+": failed") {
		t.Errorf("stdout %q", r.Out)
	}
	c.Server(srv.URL()+","+dead).Fails(fail.Partial, "rtt", "1 of 2 addresses failed")
	c.Server(srv.URL()).Fails(fail.Usage, "rtt 0", "iterations")
	c.Server(srv.URL()).Fails(fail.Usage, "rtt x", "iterations")
	c.Server("embedded:js").Fails(fail.Usage, "rtt", "embedded server has no address")
}

// TestS4_RTT: a password in the URL does not appear in what is printed.
func TestS4_RTT(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithUser("ann", "s3cr3tS3CR3T"))
	c := clitest.New(t, Command()).Server(strings.Replace(srv.URL(), "://", "://ann:s3cr3tS3CR3T@", 1))
	for _, line := range []string{"rtt", "rtt --json", "rtt --trace"} {
		if r := c.OK(line); strings.Contains(r.Out+r.Err, "s3cr3t") {
			t.Errorf("%s printed the password: %s%s", line, r.Out, r.Err)
		}
	}
}

// What the server refuses is told with its reason and the way out.
func TestRefusals(t *testing.T) {
	t.Parallel()
	full := testkit.Server(t, testkit.WithConfig("max_connections: 1"))
	full.Conn()
	clitest.New(t, Command()).Server(full.URL()).Fails(fail.Unreachable, "rtt") // why may be lost: the server says it and hangs up

	strict := testkit.Server(t, testkit.WithTLSVerify())
	c := clitest.New(t, Command()).Server(strict.URL())
	c.Fails(fail.Unreachable, "rtt", "certificate", "--tlsca FILE")
	c = c.Env("NATS_CA", strict.CAFile())
	c.Fails(fail.Unreachable, "rtt", "--tlscert FILE")
	c.OK("rtt --tlscert " + strict.CertFile() + " --tlskey " + strict.KeyFile())
	plain := testkit.Server(t)
	clitest.New(t, Command()).Server(strings.Replace(plain.URL(), "nats://", "tls://", 1)).Fails(fail.Unreachable, "rtt", "nats: hint:")
}

func TestSummary(t *testing.T) {
	mean, low, high, dev := summary([]time.Duration{2, 4, 4, 4, 5, 5, 7, 9})
	if mean != 5 || low != 2 || high != 9 || dev != 2 {
		t.Errorf("%d %d %d %d", mean, low, high, dev)
	}
	if _, _, _, dev = summary([]time.Duration{5}); dev != 0 {
		t.Errorf("one sample deviates by %d", dev)
	}
}

func TestView(t *testing.T) {
	viewtest.Golden(t, "rtt", report{{URL: "nats://localhost:4222", Results: []result{
		{Time: viewtest.Now, Address: "nats://127.0.0.1:4222", URL: "nats://localhost:4222", RTT: 107 * time.Microsecond, Min: 90 * time.Microsecond, Max: 130 * time.Microsecond, StdDev: 9 * time.Microsecond, Connect: time.Millisecond, Sent: 5},
		{Time: viewtest.Now, Address: "nats://[::1]:4222", URL: "nats://localhost:4222", Error: "nats: no servers available for connection"},
	}}})
}
