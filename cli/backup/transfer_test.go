package backup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// live is the command line of a server that holds ORDERS, with gaps and a consumer, and DATA in memory.
func live(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t)
	s := testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	testkit.Store(t, srv.JS(), "orders.new", 6, "msg")
	testkit.Store(t, srv.JS(), "orders.old", 1, "m")
	for _, seq := range []uint64{2, 7} {
		if err := s.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: "C", AckPolicy: jetstream.AckExplicitPolicy, MemoryStorage: true})
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "DATA", Subjects: []string{"data"}, Storage: jetstream.MemoryStorage})
	testkit.Store(t, srv.JS(), "data", 3, "d")
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

// The documents of the results.
type savedDoc struct {
	Stream, Target string
	Unchanged      bool
	Messages       uint64
	Received       uint64 `json:"received_bytes"`
}

type intentDoc struct {
	Stream          string
	Exists          bool
	Messages, Bytes uint64
}

type accountDoc struct {
	Streams             []savedDoc
	Failures, Missing   []struct{ Stream, Reason string }
	Messages, Consumers int
}

func remove(t *testing.T, srv *testkit.NATS, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := srv.JS().DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, time.Minute, "the files of the stream are gone", func() bool {
			left, err := filepath.Glob(filepath.Join(srv.Store(), "jetstream", "*", "streams", "*"+name+"*"))
			return err == nil && len(left) == 0
		})
	}
}

func gone(t *testing.T, srv *testkit.NATS, name string) {
	t.Helper()
	if _, err := srv.JS().Stream(t.Context(), name); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("stream %s: %v", name, err)
	}
}

// sequences are those of the messages in the stream.
func sequences(t *testing.T, srv *testkit.NATS, name string) []uint64 {
	t.Helper()
	var out []uint64
	for _, m := range testkit.Stored(t, srv.JS(), name) {
		out = append(out, m.Sequence)
	}
	return out
}

func TestStreamThereAndBack(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	r := c.OK("backup stream ORDERS B")
	contains(t, r.Out, "Received ", " compressed data in 1 chunks for stream \"ORDERS\" in ", " uncompressed\n")
	contains(t, r.Err, `Starting backup of Stream "ORDERS" with `)
	c.OK("backup validate B")
	before := sequences(t, srv, "ORDERS")
	last := testkit.State(t, srv.JS(), "ORDERS").LastSeq
	// Existing streams are not touched.
	c.Fails(fail.Failure, "backup restore stream B", "stream ORDERS", "exists already", "--replace")
	if got := sequences(t, srv, "ORDERS"); !slices.Equal(got, before) {
		t.Errorf("%v", got)
	}
	remove(t, srv, "ORDERS")
	r = c.OK("backup restore stream B --trace")
	contains(t, r.Out, "Restored stream \"ORDERS\" in ", "Information for Stream ORDERS created ", "Active Consumers: 1\n")
	if got := sequences(t, srv, "ORDERS"); !slices.Equal(got, before) || testkit.State(t, srv.JS(), "ORDERS").LastSeq != last {
		t.Errorf("%v, want %v", got, before)
	}
	// What another program restores, and what another program made.
	mgr, err := jsm.New(srv.Conn())
	if err != nil {
		t.Fatal(err)
	}
	remove(t, srv, "ORDERS")
	if _, _, err := mgr.RestoreSnapshotFromDirectory(t.Context(), "ORDERS", c.Path("B")); err != nil {
		t.Fatal(err)
	}
	if got := sequences(t, srv, "ORDERS"); !slices.Equal(got, before) {
		t.Errorf("%v, want %v", got, before)
	}
	s, err := mgr.LoadStream("ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SnapshotToDirectory(t.Context(), c.Path("THEIRS"), jsm.SnapshotConsumers()); err != nil {
		t.Fatal(err)
	}
	remove(t, srv, "ORDERS")
	c.OK("backup restore stream THEIRS")
	if got := sequences(t, srv, "ORDERS"); !slices.Equal(got, before) {
		t.Errorf("%v, want %v", got, before)
	}
}

func TestStreamOptions(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	out := c.OK("backup stream DATA D --dry-run").Out
	contains(t, out, `Would back up stream "DATA": 3 messages, `)
	if _, err := os.Stat(c.Path("D")); !os.IsNotExist(err) {
		t.Errorf("a dry run wrote: %v", err)
	}
	d := decode[savedDoc](t, c.OK("backup stream DATA D --json --check --chunk-size 1KB --window-size 8KB --no-progress").Out)
	if d.Messages != 3 || d.Stream != "DATA" || d.Target != "D" || d.Received == 0 {
		t.Errorf("%+v", d)
	}
	if d := decode[savedDoc](t, c.OK("backup stream DATA D --json").Out); !d.Unchanged {
		t.Errorf("%+v", d)
	}
	testkit.Store(t, srv.JS(), "data", 1, "more")
	c.Fails(fail.Failure, "backup stream DATA D", "there is a backup already", "--replace")
	c.OK("backup stream DATA D --replace")
	c.Fails(fail.Failure, "backup stream ORDERS D --replace", "of stream DATA")
	put(t, c, "file", "x")
	tty := c.TTY(0)
	for line, says := range map[string]string{
		"backup stream ORDERS D --replace": "hint: name another directory", "backup stream ORDERS file": "it is no directory", "backup account file -f": "to file: it is no directory",
		"backup account D -f": "to D: the directory is the backup of a stream: there is backup.json",
	} {
		if r := tty.Run(line); r.Code == fail.OK || !strings.Contains(r.Err, says) {
			t.Errorf("%s: %d, %s", line, r.Code, r.Err)
		}
	}
	contains(t, c.OK("backup info D").Out, "Storage: Memory\n", "Messages: 4\n")
	c.OK("backup stream ORDERS O --no-consumers")
	if i := decode[map[string]any](t, c.OK("backup info O --json").Out); len(i["consumers"].([]any)) != 0 {
		t.Errorf("%v", i["consumers"])
	}
	// An edited backup of a stream in memory is one too.
	c.OK("backup edit D E --last-seq 2")
	remove(t, srv, "DATA")
	c.OK("backup restore stream E")
	s, err := srv.JS().Stream(t.Context(), "DATA")
	if err != nil || s.CachedInfo().Config.Storage != jetstream.MemoryStorage || s.CachedInfo().State.Msgs != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	c.Fails(fail.NotFound, "backup stream NOPE X", "NOPE")
	c.Fails(fail.Usage, "backup stream ORDERS")
	c.Fails(fail.Usage, "backup stream ORDERS X --idle 0s", "--idle")
}

func TestRestoreOptions(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	c.OK("backup stream ORDERS B")
	contains(t, c.OK("backup restore stream B --dry-run").Out, "Stream ORDERS from B, 5 messages, ", "exists with 5 messages: it would not be restored")
	contains(t, c.OK("backup restore stream B --dry-run --replace").Out, "they would be removed")
	if i := decode[intentDoc](t, c.OK("backup restore stream B --rename COPY --dry-run --json").Out); i.Exists || i.Stream != "COPY" || i.Messages != 5 || i.Bytes == 0 {
		t.Errorf("%+v", i)
	}
	// Under another name the subjects are still those of the stream that is there.
	c.TTY(0).Fails(fail.Failure, "backup restore stream B --rename COPY", "(10065)", "--config FILE gives it other subjects")
	put(t, c, "copy.yaml", "name: COPY\nsubjects: [copy.>]\ndescription: a copy\nretention: limits\nstorage: memory\nnum_replicas: 1\n")
	c.OK("backup restore stream B --rename COPY --config copy.yaml --replicas 1")
	s, err := srv.JS().Stream(t.Context(), "COPY")
	if err != nil || s.CachedInfo().Config.Description != "a copy" || s.CachedInfo().Config.Storage != jetstream.MemoryStorage || s.CachedInfo().State.Msgs != 5 {
		t.Errorf("%+v, %v", s, err)
	}
	put(t, c, "bad.yaml", "name: ORDERS\nmax_mgs: 5\n")
	c.Fails(fail.Usage, "backup restore stream B --config bad.yaml", "max_mgs")
	c.Fails(fail.Usage, "backup restore stream B --config copy.yaml", "COPY", "--rename")
	c.Fails(fail.Usage, "backup restore stream B --rename a.b", "a.b")
	c.Fails(fail.NotFound, "backup restore stream NOPE", "does not exist")
	// Placement on a server that is in no cluster.
	remove(t, srv, "ORDERS")
	c.Fails(fail.Failure, "backup restore stream B --replicas 3", "ORDERS")
	gone(t, srv, "ORDERS")
	c.OK("backup restore stream B/backup.json --json")
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "CFG"})
	c.OK("backup stream KV_CFG K")
	c.Fails(fail.Usage, "backup restore stream K --rename KV_X", "its name is part of its subjects")
}

func put(t *testing.T, c *clitest.CLI, name, text string) {
	t.Helper()
	if err := os.WriteFile(c.Path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is destroyed is asked for; in a protected context the name must be typed.
func TestReplaceProtected(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	c.OK("backup stream ORDERS B")
	testkit.Store(t, srv.JS(), "orders.new", 1, "newer")
	c.Answers(prompttest.None()).Fails(fail.Usage, "backup restore stream B --replace", "--force")
	c.Answers(prompttest.Scripted(t, false)).Fails(fail.Declined, "backup restore stream B --replace")
	config := filepath.Join(filepath.Dir(c.Dir()), "config")
	if err := os.MkdirAll(filepath.Join(config, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "nats", "context", "PROD.json"), []byte(`{"url":"`+srv.URL()+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(k string) string { return map[string]string{"XDG_CONFIG_HOME": config}[k] }
	root, err := contexts.Root(getenv)
	if err != nil {
		t.Fatal(err)
	}
	if err := contexts.NewStore(root, getenv).SetProtected(t.Context(), "PROD", true); err != nil {
		t.Fatal(err)
	}
	prod := c.Env("NATS_URL", "")
	prod.Answers(prompttest.Scripted(t, "")).Fails(fail.Declined, "backup restore stream B --replace --context PROD")
	if got := len(sequences(t, srv, "ORDERS")); got != 6 {
		t.Errorf("%d messages", got)
	}
	// A backup that is damaged removes nothing.
	data, err := os.ReadFile(c.Path("B/stream.arc.s2"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, "B/stream.arc.s2", string(data[:len(data)-1]))
	c.Fails(fail.Failure, "backup restore stream B --replace --force", "stream.arc.s2 has ")
	if got := len(sequences(t, srv, "ORDERS")); got != 6 {
		t.Errorf("%d messages", got)
	}
	put(t, c, "B/stream.arc.s2", string(data))
	prod.Answers(prompttest.Scripted(t, "ORDERS")).OK("backup restore stream B --replace --context PROD")
	if got := len(sequences(t, srv, "ORDERS")); got != 5 {
		t.Errorf("%d messages", got)
	}
}

// B1: the backup of an account holds streams in memory, and comes back.
func TestB1_Account(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	c.Answers(prompttest.None()).Fails(fail.Usage, "backup account A", "--force")
	r := c.OK("backup account A -f -w --json")
	d := decode[accountDoc](t, r.Out)
	if len(d.Streams) != 2 || len(d.Failures) != 0 || d.Messages != 8 || d.Consumers != 1 {
		t.Errorf("%+v", d)
	}
	contains(t, r.Err, "Performing backup of all streams to A: 2 streams")
	out := c.OK("backup account A -f").Out
	contains(t, out, "Backup of all Streams in A", "DATA", "ORDERS", "up to date")
	remove(t, srv, "DATA", "ORDERS")
	c.Fails(fail.NotFound, "backup account A -f", "no streams")
	contains(t, c.OK("backup restore account A --dry-run").Out, "would be restored", "Streams that would be restored from A")
	gone(t, srv, "DATA")
	contains(t, c.OK("backup restore account A").Out, "Streams restored from A", "DATA", "ORDERS", "restored")
	if len(sequences(t, srv, "DATA")) != 3 || len(sequences(t, srv, "ORDERS")) != 5 {
		t.Error("messages are missing")
	}
	// Again: what is there as it was is left alone.
	contains(t, c.OK("backup restore account A").Out, "is there already")
}

// B9: one stream that cannot be saved or restored does not keep the others; each is named.
func TestB9_AccountGoesOn(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	if err := os.MkdirAll(c.Path("A/DATA/sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := c.Fails(fail.Partial, "backup account A -f", "1 of 2 streams failed")
	contains(t, r.Out, "Backup failures:", "DATA: the directory is not empty", "ORDERS")
	if err := os.RemoveAll(c.Path("A/DATA")); err != nil {
		t.Fatal(err)
	}
	// What the backup lacks is known to it.
	remove(t, srv, "ORDERS")
	contains(t, c.OK("backup restore account A --dry-run").Out, "Not in the Backup:", "DATA: the directory is not empty")
	c.OK("backup restore account A")
	c.OK("backup account A -f --only 'D*'")
	c.OK("backup account A -f --replace --only ORDERS") // a stream that was restored is another one
	if d := decode[accountDoc](t, c.OK("backup restore account A --dry-run --json").Out); len(d.Missing) != 0 || len(d.Streams) != 2 {
		t.Errorf("%+v", d)
	}
	// A backup that is no longer up to date, and one that is empty.
	testkit.Store(t, srv.JS(), "data", 1, "newer")
	contains(t, c.Fails(fail.Partial, "backup account A -f").Out, "DATA: there is a backup already", "up to date")
	if err := os.Mkdir(c.Path("A/EMPTY"), 0o700); err != nil {
		t.Fatal(err)
	}
	remove(t, srv, "ORDERS")
	r = c.Fails(fail.Partial, "backup restore account A", "2 of 3 streams failed")
	contains(t, r.Out, "Restore failures:", "DATA: the stream exists already", "EMPTY: there is no backup in it", "ORDERS")
	if len(sequences(t, srv, "ORDERS")) != 5 || len(sequences(t, srv, "DATA")) != 4 {
		t.Error("messages are missing")
	}
	c.OK("backup account A -f --replace --only DATA")
	remove(t, srv, "ORDERS", "DATA")
	c.OK("backup restore account A --only ORDERS,DATA --rename ORDERS=OLD")
	gone(t, srv, "ORDERS")
	if len(sequences(t, srv, "OLD")) != 5 || len(sequences(t, srv, "DATA")) != 4 {
		t.Error("messages are missing")
	}
	c.Fails(fail.NotFound, "backup restore account A --only NOPE", "NOPE")
	c.Fails(fail.NotFound, "backup account A --only NOPE -f", "NOPE")
	c.Fails(fail.NotFound, "backup restore account NOPE", "NOPE")
	for line, says := range map[string]string{
		"account A --only '['": "--only", "restore account A --rename X": "OLD=NEW", "restore account A --rename X=a.b": "a.b",
	} {
		c.Fails(fail.Usage, "backup "+line, says)
	}
}

// B4: a transfer in which nothing moves ends, and says what would let it wait longer.
func TestB4_Idle(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithoutJetStream())
	config := `"config":{"name":"X","subjects":["x"],"storage":"file","num_replicas":1},"state":{"messages":1,"bytes":10,"first_seq":1,"last_seq":1}`
	testkit.Respond(t, srv.Conn(), "$JS.API.STREAM.INFO.X", `{"type":"io.nats.jetstream.api.v1.stream_info_response",`+config+`}`)
	testkit.Respond(t, srv.Conn(), "$JS.API.STREAM.SNAPSHOT.X", `{"type":"io.nats.jetstream.api.v1.stream_snapshot_response",`+config+`}`)
	testkit.Respond(t, srv.Conn(), "$JS.API.CONSUMER.LIST.X", `{"type":"io.nats.jetstream.api.v1.consumer_list_response","total":0,"offset":0,"limit":256,"consumers":[]}`)
	c := clitest.New(t, Command()).Server(srv.URL())
	r := c.Fails(fail.NoAnswer, "backup stream X D --idle 50ms", "no more of the snapshot came for 50ms")
	contains(t, r.Err+c.TTY(80).Run("backup stream X D --idle 50ms").Err, "--idle")
	if _, err := os.Stat(c.Path("D")); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}

// quick is a clock that goes on by a second whenever it is looked at.
type quick struct{ *clock.Manual }

func (q quick) Now() time.Time {
	q.Advance(time.Second)
	return q.Manual.Now()
}

// Progress is for terminals.
func TestProgressOnTerminalsAlone(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	if r := c.OK("backup stream ORDERS B"); strings.ContainsAny(r.Out+r.Err, "\r\x1b") {
		t.Errorf("%q %q", r.Out, r.Err)
	}
	tty := c.TTY(100).Env("NO_COLOR", "1").Clock(quick{clock.NewManual(time.Now())})
	if r := tty.OK("backup stream ORDERS B2 --no-progress"); strings.Contains(r.Err, "Saving") {
		t.Errorf("%q", r.Err)
	}
	r := tty.OK("backup stream ORDERS B3")
	contains(t, r.Err, "Saving ORDERS")
	remove(t, srv, "ORDERS")
	contains(t, tty.OK("backup restore stream B").Err, "Restoring ORDERS")
}

func TestUnreachableAndDenied(t *testing.T) {
	t.Parallel()
	c, _ := live(t)
	c.OK("backup stream ORDERS B")
	dead := c.Server(testkit.Dead(t))
	for _, line := range []string{"stream ORDERS X", "account X -f", "restore stream B", "restore account ."} {
		if r := dead.Run("backup " + line); r.Code != fail.Unreachable || r.Out != "" {
			t.Errorf("%s: code %d, stdout %q, stderr %s", line, r.Code, r.Out, r.Err)
		}
	}
	srv := testkit.Server(t, testkit.WithConfig(`
accounts { A { jetstream: enabled, users: [
  {user: all, password: all}
  {user: some, password: some, permissions: {publish: {deny: ["$JS.API.STREAM.SNAPSHOT.>", "$JS.SNAPSHOT.RESTORE.>"]}}}
] } }`))
	nc, err := nats.Connect(srv.URL(), nats.UserInfo("all", "all"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other"}})
	denied := c.Server(srv.URL()).Env("NATS_USER", "some").Env("NATS_PASSWORD", "some")
	denied.Fails(fail.Unreachable, "backup stream OTHER X", "permission", "STREAM.SNAPSHOT.OTHER")
	denied.Fails(fail.Unreachable, "backup restore stream B", "ermission", "$JS.SNAPSHOT.RESTORE.ORDERS")
	if _, err := js.Stream(t.Context(), "ORDERS"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("%v", err)
	}
}

// A server that restarts in the middle of a transfer is no reason to fail.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	testkit.Store(t, srv.JS(), "orders.new", 200, strings.Repeat("x", 20<<10))
	want := sequences(t, srv, "ORDERS")
	run := c.Start("backup stream ORDERS B --chunk-size 1KB --window-size 1KB --idle 20s").Says("Starting backup")
	srv.Restart()
	if r := run.Wait(); r.Code != fail.OK {
		t.Fatalf("%+v", r)
	}
	c.OK("backup validate B")
	remove(t, srv, "ORDERS")
	run = c.Start("backup restore stream B --idle 20s").Says("Starting restore")
	srv.Restart()
	if r := run.Wait(); r.Code != fail.OK {
		// The stream was whole when the connection went: then it is told so, and the command can be repeated.
		t.Fatalf("%+v", r)
	}
	if got := sequences(t, srv, "ORDERS"); !slices.Equal(got, want) {
		t.Errorf("%d messages, want %d", len(got), len(want))
	}
}

// ^C leaves neither half a backup nor half a stream.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	c, srv := live(t)
	testkit.Store(t, srv.JS(), "orders.new", 300, strings.Repeat("x", 20<<10))
	r := c.Start("backup stream ORDERS B --chunk-size 1KB --window-size 1KB").Says("Starting backup").Interrupt()
	if _, err := os.Stat(c.Path("B")); r.Code != fail.OK && !os.IsNotExist(err) {
		t.Errorf("%+v, %v", r, err)
	}
	if left, err := filepath.Glob(c.Path(".B*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	c.OK("backup stream ORDERS B2")
	remove(t, srv, "ORDERS")
	if r := c.Start("backup restore stream B2").Says("Starting restore").Interrupt(); r.Code != fail.OK {
		if r.Code != fail.Interrupted {
			t.Errorf("%+v", r)
		}
		gone(t, srv, "ORDERS")
	}
}
