package cli

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// patient is a CLI that waits for names as long as a busy machine may need.
func patient(t *testing.T) *clitest.CLI {
	return clitest.New(t, Tree()...).Env("NATS_COMPLETION_TIMEOUT", "20s")
}

// words are what is offered for the last of args, which must not fail or say anything.
func words(t *testing.T, c *clitest.CLI, args ...string) []string {
	t.Helper()
	r := c.Args(append([]string{"--completion-bash"}, args...)...)
	if r.Code != 0 || r.Err != "" {
		t.Errorf("%q ended with %d and said %q", args, r.Code, r.Err)
	}
	return strings.Fields(strings.ReplaceAll(r.Out, " ", "␣")) // a name may hold a space
}

func TestCompletesWords(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Tree()...).Server(testkit.Dead(t))
	has := func(want []string, args ...string) {
		t.Helper()
		got := words(t, c, args...)
		for _, w := range want {
			if absent := strings.TrimPrefix(w, "!"); absent != w {
				if slices.Contains(got, absent) {
					t.Errorf("%q offers %s", args, absent)
				}
			} else if !slices.Contains(got, w) {
				t.Errorf("%q does not offer %s: %q", args, w, got)
			}
		}
	}
	has([]string{"stream", "publish", "!pub", "!traffic"})
	has([]string{"stream"}, "")
	has([]string{"info", "ls", "!nfo"}, "stream", "")
	has([]string{"nfo"}, "stream", "nf")
	has([]string{"--subject", "--json", "--server", "--no-tlsfirst"}, "stream", "ls", "--")
	has([]string{"--templates", "--no-templates"}, "pub", "-")
	has([]string{"file", "memory"}, "stream", "add", "--storage", "")
	has([]string{"--storage=file"}, "stream", "add", "--storage=f")
	has([]string{"fish", "powershell", "bash", "zsh"}, "completion", "")
	has([]string{"!info", "!--json"}, "pub", "subject", "")
	has([]string{"info"}, "--server", "nats://x", "stream", "")
	has([]string{"!--json"}, "pub", "--", "-")
	has([]string{"!stream"}, "no-such-command", "")
	r := c.Args("--completion-described", "stream", "")
	if !strings.Contains(r.Out, "info\tShow a stream's configuration and state\n") {
		t.Errorf("descriptions: %q", r.Out)
	}
}

// TestCompletesNames asks a server for every kind of name.
func TestCompletesNames(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	populate(t, srv)
	c := patient(t).Server(srv.URL())
	rows := []struct{ line, want string }{
		{"stream info |", "CTR EV KV_CFG OBJ_FILES ORDERS"},
		{"stream info O|", "OBJ_FILES ORDERS"},
		{"stream purge ORDERS |", ""},
		{"stream purge ORDERS --subject orders.|", "orders.eu orders.us"},
		{"stream add NEW --mirror E|", "EV"},
		{"consumer info |", "CTR EV KV_CFG OBJ_FILES ORDERS"},
		{"consumer info ORDERS |", "MAIL PACK"},
		{"consumer info ORDERS P|", "PACK"},
		{"consumer info NOPE |", ""},
		{"sub --stream ORDERS --durable |", "MAIL PACK"},
		{"sub --stream=O|", "--stream=OBJ_FILES --stream=ORDERS"},
		{"kv get |", "CFG"},
		{"kv get CFG |", "db.host db.port port"},
		{"kv get CFG db.p|", "db.port"},
		{"kv get CFG port |", "db.host db.port"},
		{"kv get CFG port db.host |", "db.port"},
		{"kv create CFG |", ""},
		{"object get |", "FILES"},
		{"object get FILES |", "a.txt docs/b␣c.txt"},
		{"object get FILES docs|", "docs/b␣c.txt"},
		{"counter get |", "ctr.a"},
		{"counter get --stream CTR ctr.|", "ctr.a"},
		{"micro info |", "calc"},
		{"service request calc |", "add echo"},
		{"stream --server " + srv.URL() + " info E|", "EV"},
		{"pub |", ""},
	}
	for _, row := range rows {
		line := strings.TrimSuffix(row.line, "|")
		got := strings.Join(words(t, c, strings.Split(line, " ")...), " ")
		if got != row.want {
			t.Errorf("%s offers %q, want %q", row.line, got, row.want)
		}
	}
	if ids := words(t, c, "micro", "info", "calc", ""); len(ids) != 1 || len(ids[0]) < 20 {
		t.Errorf("ids of instances: %q", ids)
	}
}

func populate(t *testing.T, srv *testkit.NATS) {
	t.Helper()
	ctx, js := t.Context(), srv.JS()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "EV", Subjects: []string{"ev.>"}})
	orders := testkit.Stream(t, js, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	for _, name := range []string{"MAIL", "PACK"} {
		_, err := orders.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: name})
		must(err)
	}
	testkit.Store(t, js, "orders.eu", 1, "x")
	testkit.Store(t, js, "orders.us", 1, "x")
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "CTR", Subjects: []string{"ctr.>"}, AllowMsgCounter: true, AllowDirect: true})
	clitest.New(t, Tree()...).Server(srv.URL()).OK("counter incr ctr.a 1")
	cfg, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "CFG"})
	must(err)
	for _, key := range []string{"port", "db.host", "db.port", "gone", "line"} {
		_, err := cfg.PutString(ctx, key, "v")
		must(err)
	}
	must(cfg.Delete(ctx, "gone"))
	must(cfg.Purge(ctx, "line"))
	files, err := js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: "FILES"})
	must(err)
	for _, name := range []string{"a.txt", "docs/b c.txt", "two\nlines", "-rf", "gone"} {
		_, err := files.PutString(ctx, name, "v")
		must(err)
	}
	must(files.Delete(ctx, "gone"))
	calc, err := micro.AddService(srv.Conn(), micro.Config{Name: "calc", Version: "1.0.0"})
	must(err)
	t.Cleanup(func() { _ = calc.Stop() })
	for _, name := range []string{"echo", "add"} {
		must(calc.AddEndpoint(name, micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(nil) })))
	}
	must(srv.Conn().Flush())
}

// Contexts are names too, and what they say of the server counts; no server is asked for them.
func TestCompletesContexts(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "EV", Subjects: []string{"ev.>"}})
	c := patient(t)
	c.OK("context add prod --server " + srv.URL())
	c.OK("context add stage --server " + testkit.Dead(t))
	for line, want := range map[string]string{
		"context select ":                                     "prod stage",
		"context rm s":                                        "stage",
		"--context ":                                          "prod stage",
		"stream --context=p":                                  "--context=prod",
		"--context prod stream ls ":                           "",
		"--context prod stream info ":                         "EV",
		"--context stage stream info ":                        "",
		"--context nope stream info ":                         "",
		"--context stage -s " + srv.URL() + " stream info ":   "EV",
		"stream info --context prod ":                         "EV",
		"stream info --context prod --no-such-flag=1 --json ": "EV",
	} {
		if got := strings.Join(words(t, c, strings.Split(line, " ")...), " "); got != want {
			t.Errorf("%q offers %q, want %q", line, got, want)
		}
	}
}

// A server that is not there, one that says nothing, and one that refuses cost nothing but the names.
func TestCompletionGivesUp(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	silent, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	limited := testkit.Server(t, testkit.WithAccounts())
	c := clitest.New(t, Tree()...)
	for _, url := range []string{testkit.Dead(t), "nats://" + silent.Addr().String(), limited.UserURL("limited"), "nats://nobody:wrong@" + strings.TrimPrefix(limited.URL(), "nats://"), "embedded:js", "::"} {
		for _, line := range []string{"stream info ", "consumer info ORDERS ", "kv get CFG ", "object get FILES ", "micro info ", "counter get "} {
			if got := words(t, c.Server(url), strings.Split(line, " ")...); len(got) != 0 {
				t.Errorf("%s at %s offers %q", line, url, got)
			}
		}
	}
	c = c.Server(limited.URL()).StdinFrom(unreadable{t})
	if got := words(t, c, "--password-stdin", "stream", "info", ""); len(got) != 0 {
		t.Errorf("offers %q", got)
	}
}

// unreadable is a standard input that nobody may touch.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("standard input was read")
	return 0, nil
}

// Where no name is wanted no server is asked: this one would be told of a connection.
func TestCompletionStaysAtHome(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := patient(t).Server(srv.URL())
	for _, line := range []string{"", "stream ", "stream add ", "pub ", "pub a ", "stream info --", "context select ", "stream ls --format ", "completion ", "kv get CFG port --revision "} {
		words(t, c, strings.Split(line, " ")...)
	}
	v, err := srv.Server().Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.TotalConnections != 0 {
		t.Errorf("%d connections were made", v.TotalConnections)
	}
}
