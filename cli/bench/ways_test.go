package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// settingsOf writes a context with these settings and returns the flag that names it.
func settingsOf(t *testing.T, c *clitest.CLI, settings map[string]any) string {
	t.Helper()
	data, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	name := c.Path("way.json")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return " --context " + name
}

// Both engines connect with whatever a context holds, and both report which engine it was.
func TestEveryWayToConnect(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	way := func(name string, settings func(*testing.T, *testkit.NATS, *clitest.CLI) map[string]any, opts ...testkit.Option) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engines(t, func(t *testing.T, engine string) {
				srv := testkit.Server(t, opts...)
				c := clitest.New(t, Command())
				context := settingsOf(t, c, settings(t, srv, c))
				for _, line := range []string{
					"pub b --msgs 500 --clients 2", "pubsub b --msgs 500", "js pub async b --create --msgs 300", "js pub sync b --create --msgs 20",
				} {
					r := c.OK("bench " + line + " --json" + engine + context)
					rep := parse(t, r.Out)
					if want := strings.TrimSpace(strings.TrimPrefix(engine, " --engine ")); rep.Outcome != meter.Complete || rep.Sides[0].Engine != want {
						t.Errorf("%s: %s with %s", line, rep.Outcome, rep.Sides[0].Engine)
					}
				}
				if strings.Contains(engine, crew.Wire) {
					c.OK("bench js pub fast b --create --msgs 300" + context)
					return
				}
				c.OK("bench js consume --msgs 100" + context)
				c.OK("bench kv put --msgs 20" + context)
			})
		})
	}
	url := func(_ *testing.T, srv *testkit.NATS, _ *clitest.CLI) map[string]any {
		return map[string]any{"url": srv.URL()}
	}
	way("user", func(_ *testing.T, srv *testkit.NATS, _ *clitest.CLI) map[string]any {
		return map[string]any{"url": srv.URL(), "user": "u", "password": "p"}
	}, testkit.WithUser("u", "p"))
	way("token", func(_ *testing.T, srv *testkit.NATS, _ *clitest.CLI) map[string]any {
		return map[string]any{"url": srv.URL(), "token": "secret"}
	}, testkit.WithToken("secret"))
	way("tls", func(_ *testing.T, srv *testkit.NATS, _ *clitest.CLI) map[string]any {
		return map[string]any{"url": srv.URL(), "ca": srv.CAFile()}
	}, testkit.WithTLS())
	way("tls with a certificate", func(_ *testing.T, srv *testkit.NATS, _ *clitest.CLI) map[string]any {
		return map[string]any{"url": srv.URL(), "ca": srv.CAFile(), "cert": srv.CertFile(), "key": srv.KeyFile()}
	}, testkit.WithTLSVerify())
	way("websocket", func(_ *testing.T, srv *testkit.NATS, _ *clitest.CLI) map[string]any {
		return map[string]any{"url": srv.WebsocketURL()}
	}, testkit.WithWebsocket())
	way("nkey", func(t *testing.T, srv *testkit.NATS, c *clitest.CLI) map[string]any {
		name := c.Path("user.nk")
		if err := os.WriteFile(name, seed, 0o600); err != nil {
			t.Fatal(err)
		}
		return map[string]any{"url": srv.URL(), "nkey": name}
	}, testkit.WithConfig(fmt.Sprintf("authorization { users = [ { nkey: %s } ] }", public)))
	way("credentials", func(_ *testing.T, srv *testkit.NATS, _ *clitest.CLI) map[string]any {
		return map[string]any{"url": srv.URL(), "creds": srv.CredsFile()}
	}, testkit.WithJWT())
	way("nothing", url)
}

// A server inside the process serves where it makes sense, and elsewhere the reason is said at once.
func TestEmbeddedServers(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server("embedded:store")
	for line, says := range map[string]string{
		"bench pub b":                              "--engine nats.go",
		"bench pubsub b":                           "--engine nats.go",
		"bench js pub sync b --create":             "--engine nats.go",
		"bench js pub fast b --create":             "needs a server with a socket",
		"bench sub b":                              "would wait for others",
		"bench sub b --engine nats.go":             "would wait for others",
		"bench service serve b":                    "would wait for others",
		"bench service request b --engine nats.go": "would wait for others",
		"bench agent":                              "a controller cannot reach it",
		"bench pub b --agents 1 --engine nats.go":  "agents cannot reach it",
		"bench js consume --agents 1":              "agents cannot reach it",
	} {
		if r := c.Fails(fail.Usage, line, says); strings.Contains(r.Err, "Starting") {
			t.Errorf("%s: %s", line, r.Err)
		}
	}
	if r := c.OK("bench pubsub b --msgs 100 --engine nats.go"); !strings.Contains(r.Out, "The server ran inside this process") {
		t.Errorf("%s", r.Out)
	}
	c.OK("bench js pub async b --create --msgs 100 --engine nats.go")
	c.OK("bench js consume --msgs 100")
	c.OK("bench kv put --msgs 10")
	c.OK("bench kv get --msgs 10")
}
