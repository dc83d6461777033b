package kv

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "kv add CFG --history 5", "kv put CFG a v1", "kv put CFG a v2", "kv del CFG a -f", "kv put CFG b x")
	out := c.OK("kv history CFG a").Out
	says(t, out, "History for CFG > a", "│ Key │ Revision │ Op     │ Created             │ Length │ Value │", "│ a   │        1 │ PUT    │ 20", "│ 2      │ v1    │", "│ a   │        3 │ DELETE │ 20", "│ 0      │       │")
	equal(t, c.OK(`kv history CFG '*' --jq '.[] | .key + " " + .op'`).Out, "a PUT\na PUT\na DELETE\nb PUT\n")
	c.Stdin("\xff\x00\n").OK("kv put CFG bin")
	says(t, c.OK("kv history CFG bin").Out, `│ \xff\x00\n │`)
	if out := c.OK("kv history CFG bin --format csv").Out; !strings.HasSuffix(out, ",3,\"\xff\x00\n\"\n") {
		t.Errorf("%q", out)
	}
	c.Fails(fail.NotFound, "kv history CFG nokey", "key not found")
	c.Fails(fail.NotFound, "kv history CFG 'no.*'", "no.*")
	wantNoConsumers(t, srv, "KV_CFG")
}

func TestDel(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "kv add CFG --history 5", "kv put CFG a v1", "kv put CFG tmp.a 1", "kv put CFG tmp.b 22")
	c = c.Answers(prompttest.None())
	c.Fails(fail.Usage, "kv del CFG a", "--force")
	if r := c.OK("kv del CFG a -f"); r.Out+r.Err != "" {
		t.Errorf("says %q %q", r.Out, r.Err)
	}
	c.Fails(fail.NotFound, "kv get CFG a", "key not found")
	c.OK("kv rm CFG nokey -f") // a marker is made, as in the reference
	c.Fails(fail.NotFound, "kv del CFG other -f --existing", "key not found")
	c.Fails(fail.Failure, "kv del CFG tmp.a -f --revision 77", "mismatch")
	equal(t, c.OK("kv del CFG 'tmp.*' --dry-run").Out, "Would delete 2 keys, 3 B\n")
	equal(t, c.OK("kv del CFG tmp.a --dry-run").Out, "Would delete 1 key, 1 B\n")
	equal(t, c.OK("kv del CFG nokey --dry-run").Out, "Would delete 0 keys, 0 B\n")
	says(t, c.OK("kv del CFG 'tmp.*' -f").Out, "Deleted 2 keys from CFG, 3 B")
	says(t, c.OK("kv ls CFG").Out, "No keys found in bucket")
	c.Fails(fail.Usage, "kv rm CFG", "--force")
	says(t, c.OK("kv rm CFG --dry-run --json").Out, `"dry_run": true`, `"op": "BUCKET"`)
	declined := c.Answers(prompttest.Scripted(t, false))
	declined.Fails(fail.Declined, "kv rm CFG", "CFG")
	testkit.State(t, srv.JS(), "KV_CFG")
	if r := c.OK("kv rm CFG -f"); r.Out != "" {
		t.Errorf("says %q", r.Out)
	}
	c.Fails(fail.NotFound, "kv rm CFG -f", "bucket not found")
}

func TestRevert(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG --history 5", "kv put CFG k v1", "kv put CFG k v2", "kv add ONE", "kv put ONE k v")
	says(t, c.OK("kv revert CFG k 1 --force").Out, "History for CFG > k", "│ k   │        3 │ PUT")
	equal(t, c.OK("kv get CFG k --raw").Out, "v1")
	c.Fails(fail.NotFound, "kv revert CFG k 99 --force", "key not found")
	r := c.Fails(fail.Failure, "kv revert ONE k 1 --force", "nothing to revert")
	if r.Out != "" {
		t.Errorf("stdout %q", r.Out)
	}
	c.Fails(fail.NotFound, "kv revert ONE k 9 --force", "keeps 1 revisions")
	c.OK("kv del CFG k -f")
	equal(t, c.OK("kv revert CFG k 2 --force --jq .revision").Out, "5\n")
	equal(t, c.OK("kv get CFG k --raw").Out, "v2")
	asked := c.Answers(prompttest.Scripted(t, true)).OK("kv revert CFG k 1")
	says(t, asked.Err, "Revision: 1\n\nv1")
	c.Answers(prompttest.None()).Fails(fail.Usage, "kv revert CFG k 2", "--force")
	equal(t, c.OK("kv get CFG k --raw").Out, "v1")
}

func TestWatch(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "kv add CFG --history 5", "kv put CFG a v1", "kv put CFG a v2")
	w := c.Start("kv watch CFG --history")
	w.Says("Watching CFG > >").Says("PUT CFG > a: v2").Says("going on with changes")
	c.OK("kv put CFG b 'two words'")
	c.OK("kv del CFG b -f")
	w.Says("DELETE CFG > b")
	c.Stdin("x\ny\x1b[1m").OK("kv put CFG c")
	w.Says(`PUT CFG > c: x\ny\x1b[1m`)
	r := w.Interrupt()
	if r.Code != fail.OK {
		t.Errorf("ended with %d", r.Code)
	}
	wantNoConsumers(t, srv, "KV_CFG")
	lines := strings.Split(strings.TrimSpace(r.Out), "\n")
	if len(lines) != 5 || !strings.HasSuffix(lines[0], "] PUT CFG > a: v1") || lines[0][0] != '[' {
		t.Errorf("%q", lines)
	}
	w = c.Start("kv watch CFG --no-deletes --updates --json")
	w.Says("Watching")
	c.OK("kv del CFG a -f")
	c.OK("kv put CFG z 1")
	w.Says(`"key":"z"`)
	r = w.Interrupt()
	var e entry
	if err := json.Unmarshal([]byte(r.Out), &e); err != nil || e.Key != "z" || *e.Value != "1" {
		t.Errorf("%q %v", r.Out, err)
	}
	equal(t, c.OK("kv watch CFG --initial --no-deletes --jq .key").Out, "c\nz\n")
	equal(t, c.OK("kv watch CFG --revision 6 --count 1 --jq .revision").Out, "6\n")
	c.OK("kv watch CFG nothing --wait 20ms")
	equal(t, c.OK(`kv watch CFG --initial c z --format 'line=%s %n %S\n'`).Out, "c 5 7\nz 7 1\n")
	c.Fails(fail.Usage, "kv watch CFG --history --updates", "updates only cannot be used with include history")
	c.Fails(fail.NotFound, "kv watch CFGG", "CFGG", "did you mean CFG?")
}

func TestLsBuckets(t *testing.T) {
	t.Parallel()
	_, c := fresh(t)
	equal(t, c.OK("kv ls").Out, "No Key-Value buckets found\n")
	equal(t, c.OK("kv ls -n").Out, "")
	equal(t, c.OK("kv ls --json").Out, "[]\n")
	c.OK("kv add FULL --description desc")
	c.OK("kv add CFG")
	c.OK("kv put FULL a 1")
	says(t, c.OK("kv ls").Out, "Key-Value Buckets", "│ Bucket │ Description │ Created             │ Size │ Values │ Last Update │", "│ CFG    │             │ 20", "│ 0 B  │ 0      │ never       │")
	equal(t, c.OK("kv ls -n").Out, "CFG\nFULL\n")
	equal(t, c.OK("kv ls --jq '.[].bucket'").Out, "CFG\nFULL\n")
	says(t, c.OK("kv ls --format csv").Out, "Bucket,Description,Created,Size,Values,Last Update\nCFG,,20")
}

func TestLsKeys(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "kv add CFG", "kv put CFG b 'from stdin'", "kv put CFG a.x v", "kv put CFG a.y v", "kv put CFG gone v", "kv del CFG gone -f")
	equal(t, c.OK("kv ls CFG").Out, "b\na.x\na.y\n")
	equal(t, c.OK("kv ls CFG -n").Out, "b\na.x\na.y\n")
	equal(t, c.OK("kv ls CFG 'a.*'").Out, "a.x\na.y\n")
	equal(t, c.OK("kv ls CFG a.x b --sort key").Out, "a.x\nb\n")
	equal(t, c.OK("kv ls CFG 'none.>'").Out, "No keys found in bucket\n")
	equal(t, c.OK("kv ls CFG 'none.>' -n").Out, "")
	equal(t, c.OK("kv ls CFG 'none.>' --json").Out, "[]\n")
	out := c.OK("kv ls CFG b -v --display-value").Out
	says(t, out, "Contents for bucket 'CFG'", "│ Key │ Created             │ Delta │ Revision │ Value      │", "│ b   │ 20", "│     0 │        1 │ from stdin │")
	says(t, c.OK("kv ls CFG -v").Out, "│ Key │ Created             │ Delta │ Revision │\n")
	equal(t, c.OK("kv ls CFG --jq '.[] | .key, .size'").Out, "b\n10\na.x\n1\na.y\n1\n")
	if out := c.OK("kv ls CFG --json").Out; strings.Contains(out, `"value"`) {
		t.Errorf("values were not asked for: %s", out)
	}
	says(t, c.OK("kv ls CFG b --display-value --json").Out, `"value": "from stdin"`)
	equal(t, c.OK("kv ls CFG a.x --display-value --format csv").Out[:len("Key,Created,Delta,Revision,Value,Size,Age,TTL\na.x,")], "Key,Created,Delta,Revision,Value,Size,Age,TTL\na.x,")
	if n := strings.Count(c.OK("kv ls CFG --format ndjson").Out, "\n"); n != 3 {
		t.Errorf("%d lines", n)
	}
	c.Fails(fail.NotFound, "kv ls NOPE", "bucket not found")
	wantNoConsumers(t, srv, "KV_CFG")
}

func TestLsOfManyKeysIsPaged(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "kv add CFG --storage memory")
	js := srv.JS()
	for i := range 2500 {
		if _, err := js.PublishAsync(fmt.Sprintf("$KV.CFG.k.%d", i), []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	if n := strings.Count(c.OK("kv ls CFG -v").Out, "Contents for bucket"); n != 3 {
		t.Errorf("%d tables", n)
	}
	if n := strings.Count(c.OK("kv ls CFG").Out, "\n"); n != 2500 {
		t.Errorf("%d keys", n)
	}
	if n := strings.Count(c.OK("kv ls CFG --format csv").Out, "Revision"); n != 1 {
		t.Errorf("%d headers", n)
	}
}

func TestListViews(t *testing.T) {
	t.Parallel()
	at := viewtest.Now.Add(-90 * time.Second)
	viewtest.Golden(t, "buckets", buckets{
		{bucketInfo: bucketInfo{Bucket: "CFG", Created: viewtest.Now, Values: 12345, Bytes: 2 << 20, LastTime: &at}},
		{bucketInfo: bucketInfo{Bucket: "FULL", Description: "desc", Created: viewtest.Now}},
		{bucketInfo: bucketInfo{Bucket: "LOST"}, Unreachable: "no server answers for it"},
	})
	viewtest.Golden(t, "keys", keys{bucket: "CFG", o: lsOptions{verbose: true, values: true}, list: []entry{
		newEntry(store.Entry{Bucket: "CFG", Key: "b", Revision: 3, Op: store.Put, Created: at, Value: []byte("from stdin"), Size: 10, Delta: 1}),
		newEntry(store.Entry{Bucket: "CFG", Key: "bin", Revision: 4, Op: store.Put, Created: at, Value: []byte{0xff, 0}, Size: 2, TTL: "1h0m0s"}),
	}})
	viewtest.Golden(t, "removed", removed{Bucket: "CFG", Op: "DELETE", Keys: 1234, Bytes: 1 << 20, Failed: 1, Failures: []store.Failed{{Key: "a", Error: "nats: timeout"}}})
}
