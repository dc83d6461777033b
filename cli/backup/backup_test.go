package backup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	archive "github.com/nats-io/jsm.go/backup"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// start makes a backup of a stream with messages on two subjects and a consumer, in the directory ORDERS of the command line,
// which has no server to go to.
func start(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	for i := range 6 {
		n := string(rune('1' + i))
		testkit.PublishMsg(t, srv.Conn(), "orders.new", "msg "+n, "X-N", n)
	}
	testkit.Store(t, srv.JS(), "orders.old", 1, "m")
	testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: "C", AckPolicy: jetstream.AckExplicitPolicy})
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	mgr, err := jsm.New(srv.Conn())
	if err != nil {
		t.Fatal(err)
	}
	s, err := mgr.LoadStream("ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SnapshotToDirectory(testkit.Context(t), c.Path("ORDERS"), jsm.SnapshotConsumers()); err != nil {
		t.Fatal(err)
	}
	return c, srv
}

// restore puts a backup onto the server in the place of the stream, and returns what is in it.
func restore(t *testing.T, c *clitest.CLI, srv *testkit.NATS, dir, name string) []*jetstream.RawStreamMsg {
	t.Helper()
	if err := srv.JS().DeleteStream(t.Context(), "ORDERS"); err != nil {
		t.Fatal(err)
	}
	// The server removes the files some time later, and would find them when it restores under the same name.
	files := filepath.Join(srv.Store(), "jetstream", "$G", "streams", "ORDERS")
	testkit.Eventually(t, time.Minute, "the files of the deleted stream are gone", func() bool {
		_, err := os.Stat(files)
		return os.IsNotExist(err)
	})
	mgr, err := jsm.New(srv.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := mgr.RestoreSnapshotFromDirectory(testkit.Context(t), name, c.Path(dir)); err != nil {
		t.Fatal(err)
	}
	return testkit.Stored(t, srv.JS(), name)
}

func decode[T any](t *testing.T, out string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return v
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("lacks %q:\n%s", p, text)
		}
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	contains(t, c.OK("backup info ORDERS").Out, "Backup of Stream ORDERS in ORDERS\n", "Consumers:\n", "Count: 1\n", "Names: C\n", "Messages: 7\n", "First Sequence: 1 @ ", "Last Sequence: 7 @ ",
		"Subjects: 2\n", "Declared State:\n")
	type doc struct {
		Config    struct{ Name string }
		Consumers []string          `json:"consumers"`
		Messages  int               `json:"messages"`
		Subjects  map[string]uint64 `json:"subjects"`
		LastSeq   int               `json:"last_seq"`
	}
	if d := decode[doc](t, c.OK("backup info ORDERS --subjects --json").Out); d.Config.Name != "ORDERS" || len(d.Consumers) != 1 || d.Messages != 7 || d.Subjects["orders.new"] != 6 || d.LastSeq != 7 {
		t.Errorf("%+v", d)
	}
	contains(t, c.OK("backup info ORDERS --subjects").Out, "2 Subjects", "orders.old")
	c.Fails(fail.NotFound, "backup info NOPE", "NOPE does not exist")
	if err := os.Mkdir(c.Path("EMPTY"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.NotFound, "backup info EMPTY", "holds no backup", "stream.arc.s2")
	// An archive of an older server can be restored, but not read here.
	if err := os.Rename(c.Path("ORDERS/backup.json"), c.Path("EMPTY/backup.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Path("EMPTY/stream.tar.s2"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "backup info EMPTY", "stream.tar.s2")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	contains(t, c.OK("backup validate ORDERS").Out, "OK: ", " entries, 1 consumers, 7 messages, 2 subjects, sequences 1 to 7\n")
	if d := decode[proof](t, c.OK("backup validate ORDERS --json").Out); d.Messages != 7 || d.Consumers != 1 || d.Files != 0 {
		t.Errorf("%+v", d)
	}
	c.OK("backup edit ORDERS COPY")
	if d := decode[proof](t, c.OK("backup validate COPY --json").Out); d.Files != 2 {
		t.Errorf("%+v", d)
	}
	data, err := os.ReadFile(c.Path("ORDERS/stream.arc.s2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Path("ORDERS/stream.arc.s2"), data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if r := c.Fails(fail.Failure, "backup validate ORDERS", "backup ORDERS"); r.Out != "" {
		t.Errorf("%s", r.Out)
	}
	// One byte more in a file is no archive error, but the manifest tells.
	f, err := os.OpenFile(c.Path("COPY/backup.json"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "backup validate COPY", "backup.json has ")
	c.Fails(fail.Failure, "backup edit COPY AGAIN", "backup.json has ")
}

func TestEdit(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	dry := c.OK("backup edit ORDERS DRY --subject orders.old --dry-run").Out
	contains(t, dry, "Dry Run, Nothing Was Written", "│ Messages Kept           │ 1", "│ Dropped by Subject      │ 6")
	if _, err := os.Stat(c.Path("DRY")); !os.IsNotExist(err) {
		t.Errorf("a dry run wrote: %v", err)
	}
	contains(t, c.OK("backup edit ORDERS OLD --subject orders.old").Out, "Backup Edit Report", "Restored Messages", "Restored Last Sequence")
	for _, name := range []string{"backup.json", "stream.arc.s2", "manifest.json"} {
		if st, err := os.Stat(filepath.Join(c.Path("OLD"), name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if st, err := os.Stat(c.Path("OLD")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st, err)
	}
	c.Fails(fail.Failure, "backup edit ORDERS OLD --subject orders.new", "not empty")
	c.OK("backup validate OLD")
	if msgs := restore(t, c, srv, "OLD", "ORDERS"); len(msgs) != 1 || msgs[0].Sequence != 7 || string(msgs[0].Data) != "m" {
		t.Errorf("%+v", msgs)
	}
	c.OK("backup edit ORDERS LAST --last-per-subject 1 --renumber")
	type doc struct {
		Consumers []string `json:"consumers"`
		LastSeq   int      `json:"last_seq"`
	}
	if d := decode[doc](t, c.OK("backup info LAST --json").Out); d.LastSeq != 2 || len(d.Consumers) != 0 {
		t.Errorf("%+v", d)
	}
	if msgs := restore(t, c, srv, "LAST", "ORDERS"); len(msgs) != 2 || msgs[0].Sequence != 1 || string(msgs[0].Data) != "msg 6" {
		t.Errorf("%+v", msgs)
	}
}

func TestEditFilters(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	for flags, kept := range map[string]uint64{
		"--exclude-subject orders.new": 1, "--first-seq 3": 5, "--last-seq 3": 3, "--first-seq 3 --last-seq 4": 2, "--header X-N": 6, "--header X-N:3": 1, "--header X-N:3 --header X-N:4": 2,
		"--exclude-header X-N": 1, "--payload-match '^msg [12]$'": 2, "--exclude-payload-match msg": 1, "--after 1h": 7, "--before 1h": 0, "--after 2099-01-01T00:00:00Z": 0,
		"--subject orders.new,orders.old": 7,
	} {
		if r := decode[report](t, c.OK("backup edit ORDERS OUT --dry-run --json "+flags).Out); r.Kept != kept || !r.DryRun || r.SourceMessages != 7 {
			t.Errorf("%s: %+v", flags, r)
		}
	}
	for line, says := range map[string]string{
		"--kv-compact --last-per-subject 1": "--kv-compact", "--payload-match '('": "--payload-match", "--obfuscation-key f": "--obfuscate", "--first-seq 5 --last-seq 4": "--first-seq",
		"--subject a..b": "--subject", "--after seq:4": "--after", "--last-per-subject 0": "--last-per-subject",
	} {
		c.Fails(fail.Usage, "backup edit ORDERS OUT "+line, says)
	}
	c.Fails(fail.Failure, "backup edit ORDERS OUT --kv-compact", "editing backup ORDERS")
}

func TestObfuscateAndLookup(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	r := decode[report](t, c.OK("backup edit ORDERS HIDDEN --obfuscate --json").Out)
	if r.Stream == "ORDERS" || r.Obfuscation == nil || r.Obfuscation.Bodies != 7 || !strings.HasSuffix(r.Obfuscation.KeyFile, "HIDDEN.keys.json") {
		t.Fatalf("%+v", r)
	}
	if st, err := os.Stat(c.Path("HIDDEN.keys.json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	type doc struct {
		Subjects map[string]uint64 `json:"subjects"`
	}
	d := decode[doc](t, c.OK("backup info HIDDEN --subjects --json").Out)
	var hidden string
	for s, n := range d.Subjects {
		if strings.Contains(s, "orders") {
			t.Errorf("subject %s is not hidden", s)
		}
		if n == 6 {
			hidden = s
		}
	}
	if out := c.OK("backup lookup HIDDEN.keys.json " + hidden + " " + r.Stream + " unknown.token").Out; out != "orders.new\nORDERS\nunknown.token\n" {
		t.Errorf("%s", out)
	}
	list := decode[[]revealed](t, c.OK("backup lookup HIDDEN.keys.json "+hidden+" --json").Out)
	if len(list) != 1 || list[0].Original != "orders.new" || list[0].Value != hidden {
		t.Errorf("%+v", list)
	}
	again := decode[report](t, c.OK("backup edit ORDERS AGAIN --obfuscate --obfuscation-key HIDDEN.keys.json --json").Out)
	if again.Stream != r.Stream {
		t.Errorf("%s and %s", again.Stream, r.Stream)
	}
	c.Fails(fail.NotFound, "backup lookup nope.json x", "nope.json does not exist")
	if err := os.WriteFile(c.Path("bad.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "backup lookup bad.json x", "bad.json")
}

func TestGoldens(t *testing.T) {
	t.Parallel()
	at := viewtest.Now
	viewtest.Golden(t, "info", contents{archive.InfoReport{
		Config: api.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3, MaxMsgs: -1, MaxBytes: 1 << 30}, Consumers: []string{"A", "B"}, Messages: 12345, NumSubjects: 2,
		Subjects: map[string]uint64{"orders.new": 12344, "orders.old": 1}, Bytes: 123456, FirstSeq: 1, LastSeq: 20000, FirstTime: at, LastTime: at, DeclaredCountsAdvisory: true,
		Edit: &archive.EditInfo{Version: "1.0.0", Options: []string{"--subject", "orders.>"}, SourceDigest: "sha256:abc", Obfuscated: true},
	}, "./ORDERS"})
	viewtest.Golden(t, "validate", proof{Entries: 12350, Consumers: 2, Messages: 12345, Subjects: 2, FirstSeq: 1, LastSeq: 20000, Files: 2})
	viewtest.Golden(t, "lookup", revelations{{"qtjhm55uemdk9ddf", "ORDERS"}})
	viewtest.Golden(t, "edit", report{
		Stream: "qtjhm55uemdk9ddf", Target: "e5", SourceMessages: 19, SourceSubjects: 4, Kept: 12, KeptSubjects: 3, Dropped: []dropped{{"Subject", 7}}, ConsumersKept: 2, StateKeys: 3, StateBytes: 400,
		Warnings: []string{"max_age trims"}, State: api.StreamState{Msgs: 12, Bytes: 1234, FirstSeq: 1, LastSeq: 20, Consumers: 2}, Obfuscation: &obfuscation{27, 19, "e5.keys.json"},
	})
}
