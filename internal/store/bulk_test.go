package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

func TestRemoveAll(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(3))})
	fill(t, b, "a", 5000, []byte("12345"))
	fill(t, b, "z", 10, []byte("1"))
	done, failed, err := b.RemoveAll(ctx, []string{"a.>"}, Delete, 0)
	ok(t, err)
	if done.Keys != 5000 || done.Bytes != 25000 || failed.Count != 0 {
		t.Errorf("%+v %+v", done, failed)
	}
	if left := must[Tally](t)(b.Count(ctx, nil)); left.Keys != 10 {
		t.Errorf("left %+v", left)
	}
	done, failed, err = b.RemoveAll(ctx, []string{"z.*"}, Purge, time.Hour) // the bucket has no limit markers
	ok(t, err)
	if done.Keys != 0 || failed.Count != 10 || len(failed.Listed) != 10 || !strings.Contains(failed.Listed[0].Error, "10166") || failed.Listed[0].Key == "" {
		t.Errorf("%+v %+v", done, failed)
	}
}

func TestCompact(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(5))})
	for _, k := range []string{"a", "b", "c"} {
		must[uint64](t)(b.Put(ctx, k, []byte("1"), WriteOptions{}))
		must[uint64](t)(b.Put(ctx, k, []byte("2"), WriteOptions{}))
	}
	must[uint64](t)(b.Remove(ctx, "a", Delete, WriteOptions{}))
	must[uint64](t)(b.Remove(ctx, "b", Delete, WriteOptions{}))
	now := time.Now()
	if r := must[Compaction](t)(b.Compact(ctx, nil, time.Hour, now.Add(2*time.Hour), true)); r.Removed != 2 || r.Kept != 0 || r.Messages != 0 || r.Oldest < int64(time.Hour) {
		t.Errorf("dry run %+v", r)
	}
	if r := must[Compaction](t)(b.Compact(ctx, nil, time.Hour, now, false)); r.Removed != 0 || r.Kept != 2 || r.Messages != 4 {
		t.Errorf("young markers %+v", r)
	}
	if h := must[[]Entry](t)(b.HistoryOf(ctx, "a")); len(h) != 1 || h[0].Op != Delete {
		t.Errorf("marker kept: %+v", h)
	}
	if r := must[Compaction](t)(b.Compact(ctx, []string{"a"}, 0, now.Add(time.Minute), false)); r.Removed != 1 || r.Messages != 1 {
		t.Errorf("one key %+v", r)
	}
	if h := must[[]Entry](t)(b.HistoryOf(ctx, ">")); len(h) != 3 {
		t.Errorf("left %+v", h)
	}
}

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(5)), MarkerTTL: ptr(time.Minute)})
	values := map[string][]byte{
		"text": []byte("héllo \"wörld\"\n\t<&>"), "empty": {}, "binary": {0xff, 0, 1, '\n'}, "nul": []byte("a\x00b"), "big": bytes.Repeat([]byte("x"), 600<<10), "sep": []byte("\u2028\ufffd"),
	}
	for k, v := range values {
		must[uint64](t)(b.Put(ctx, k, v, WriteOptions{}))
	}
	must[uint64](t)(b.Put(ctx, "short", []byte("v"), WriteOptions{TTL: time.Minute}))
	must[uint64](t)(b.Put(ctx, "life", []byte("v"), WriteOptions{TTL: time.Hour}))
	must[uint64](t)(b.Put(ctx, "text", values["text"], WriteOptions{}))
	must[uint64](t)(b.Put(ctx, "gone", []byte("was"), WriteOptions{}))
	must[uint64](t)(b.Remove(ctx, "gone", Delete, WriteOptions{}))

	var file bytes.Buffer
	n := must[Tally](t)(b.Export(ctx, Export{}, &file))
	if n.Keys != 8 || strings.Count(file.String(), "\n") != 8 || strings.Contains(file.String(), "gone") {
		t.Errorf("%+v\n%s", n, file.String())
	}
	to := bucket(t, c, "TO", KVSettings{History: ptr(int64(5)), MarkerTTL: ptr(time.Minute)})
	in := must[Imported](t)(to.Import(ctx, Import{Now: time.Now().Add(10 * time.Minute), DryRun: true}, bytes.NewReader(file.Bytes())))
	if in.Keys != 7 || in.Expired != 1 || must[Tally](t)(to.Count(ctx, nil)).Keys != 0 {
		t.Errorf("dry run %+v", in)
	}
	in = must[Imported](t)(to.Import(ctx, Import{Now: time.Now().Add(10 * time.Minute)}, bytes.NewReader(file.Bytes())))
	if in.Keys != 7 || in.Expired != 1 || in.Failures.Count != 0 {
		t.Errorf("%+v", in)
	}
	for k, v := range values {
		if e := must[Entry](t)(to.Get(ctx, k, 0)); !bytes.Equal(e.Value, v) {
			t.Errorf("%s came back as %q", k, e.Value)
		}
	}
	if e := must[Entry](t)(to.Get(ctx, "life", 0)); e.TTL < "49m" || e.TTL > "50m1s" {
		t.Errorf("ttl %s", e.TTL)
	}
	// The whole history, markers too, into a third bucket.
	file.Reset()
	must[Tally](t)(b.Export(ctx, Export{History: true, Patterns: []string{"gone", "text"}}, &file))
	third := bucket(t, c, "THIRD", KVSettings{History: ptr(int64(5))})
	in = must[Imported](t)(third.Import(ctx, Import{}, bytes.NewReader(file.Bytes())))
	if in.Keys != 3 || in.Removed != 1 {
		t.Errorf("%+v", in)
	}
	if h := must[[]Entry](t)(third.HistoryOf(ctx, "gone")); len(h) != 2 || h[1].Op != Delete || string(h[0].Value) != "was" {
		t.Errorf("%+v", h)
	}
	cmp := must[Compared](t)(b.Diff(ctx, to, nil, func(d Difference) error {
		if d.Key != "short" || d.State != "removed" {
			t.Errorf("%+v", d)
		}
		return nil
	}))
	if cmp.Same != 7 || cmp.Removed != 1 {
		t.Errorf("%+v", cmp)
	}
}

func TestImportListsWhatFails(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{MaxValueSize: ptr(int64(100))})
	rev := must[uint64](t)(b.Put(ctx, "there", []byte("v"), WriteOptions{}))
	file := strings.Join([]string{
		`{"key":"ok","value":"v"}`, ``, `not json`, `{"key":"a b","value":"v"}`, `{"key":"x"}`, `{"key":"x","valu":"v"}`, `{"key":"x","value_b64":"?"}`,
		`{"key":"x","value":"v","op":"MOVE"}`, `{"key":"big","value":"` + strings.Repeat("x", 200) + `"}`, `{"key":"x","value":"v","ttl":"soon"}`, `{"key":"last","value":"v"}`,
	}, "\n")
	in := must[Imported](t)(b.Import(ctx, Import{}, strings.NewReader(file)))
	lines := []uint64{}
	for _, f := range in.Failures.Listed {
		lines = append(lines, f.Line)
	}
	if in.Keys != 2 || in.Failures.Count != 8 || fmt.Sprint(lines) != "[3 4 5 6 7 8 10 9]" {
		t.Errorf("%d keys, lines %v, %+v", in.Keys, lines, in.Failures)
	}
	in = must[Imported](t)(b.Import(ctx, Import{IfMissing: true}, strings.NewReader(`{"key":"there","value":"w"}`+"\n"+`{"key":"new","value":"w"}`)))
	if in.Keys != 1 || in.Failures.Count != 1 || in.Failures.Listed[0].Key != "there" {
		t.Errorf("%+v", in)
	}
	in = must[Imported](t)(b.Import(ctx, Import{IfUnchanged: true}, strings.NewReader(fmt.Sprintf(`{"key":"there","value":"w","revision":%d}`, rev))))
	if in.Keys != 1 {
		t.Errorf("%+v", in)
	}
}

// TestImportThatIsNotAllowed ends with the server's word at the first key that may not be written.
func TestImportThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig(`authorization { users: [
		{ user: all, password: all }, { user: some, password: some, permissions: { publish: { deny: "$KV.B.no.>" } } } ] }
		no_auth_user: all`))
	bucket(t, New(srv.JS()), "B", KVSettings{})
	nc := must[*nats.Conn](t)(nats.Connect(srv.URL(), nats.UserInfo("some", "some"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})))
	t.Cleanup(nc.Close)
	b := must[*Bucket](t)(New(must[jetstream.JetStream](t)(jetstream.New(nc))).OpenKV(t.Context(), "B"))
	in, err := b.Import(t.Context(), Import{}, strings.NewReader(`{"key":"a","value":"v"}`+"\n"+`{"key":"no.b","value":"v"}`))
	wantCode(t, err, fail.Unreachable, "Permissions Violation", "$KV.B.no.b")
	if in.Keys != 1 || in.Failures.Count != 1 || in.Failures.Listed[0].Key != "no.b" {
		t.Errorf("%+v", in)
	}
}

func FuzzRecordRoundTrip(f *testing.F) {
	f.Add("k", []byte("text"), "1h")
	f.Add("a.b/c=d", []byte{0xff, 0xfe, 0}, "")
	f.Add("k", []byte("\u2028<&>\"\\\x7f"), "")
	f.Fuzz(func(t *testing.T, key string, value []byte, ttl string) {
		if CheckKey(key) != nil || strings.ToValidUTF8(ttl, "") != ttl {
			return
		}
		e := Entry{Key: key, Revision: 1 << 60, Op: Put, Created: time.Unix(1, 2), Value: value, TTL: ttl}
		line := appendEntry(nil, e)
		if bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("not one line: %q", line)
		}
		rec, got, err := new(recordReader).read(line)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, value) || rec.Key != key || rec.Revision != e.Revision || rec.TTL != ttl || !rec.Created.Equal(e.Created) {
			t.Fatalf("%+v %q", rec, got)
		}
	})
}

func TestExportStopsWithItsWriter(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{})
	fill(t, b, "k", 5000, bytes.Repeat([]byte("x"), 200))
	broken := errors.New("broken")
	if _, err := b.Export(ctx, Export{}, writer(func([]byte) (int, error) { return 0, broken })); !errors.Is(err, broken) {
		t.Errorf("ended by %v", err)
	}
	wantNoConsumers(t, c, "KV_B")
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
