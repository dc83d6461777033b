package kv

import (
	"os"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG --history 5 --marker-ttl 1m", "kv put CFG a 'text \"x\"'", "kv put CFG ttl v --ttl 1h", "kv put CFG gone v", "kv del CFG gone -f", "kv add TO --history 5 --marker-ttl 1m")
	c.Stdin("\xff\x00").OK("kv put CFG bin")
	out := c.OK("kv export CFG").Out
	says(t, out, `{"key":"a","revision":1,"op":"PUT","created":"20`, `"value":"text \"x\""}`, `"value_b64":"/wA="`, `"ttl":"1h0m0s"`)
	if strings.Count(out, "\n") != 3 {
		t.Errorf("%s", out)
	}
	says(t, c.Stdin(out).OK("kv import TO").Out, "Imported 3 keys into TO")
	equal(t, c.OK("kv get TO bin --raw").Out, "\xff\x00")
	equal(t, c.OK("kv get TO a --raw").Out, `text "x"`)
	says(t, c.OK("kv get TO ttl --json").Out, `"ttl": "`)
	says(t, c.OK("kv export CFG --history --output h.ndjson").Err, "Exported 5 entries")
	info, err := os.Stat(c.Path("h.ndjson"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	equal(t, c.OK("kv import TO h.ndjson --keep-ttl --jq .removed").Out, "1\n")
	equal(t, c.OK("kv history TO gone --jq '.[].op'").Out, "PUT\nDELETE\n")
	r := c.Stdin(`{"key":"x","value":"1"}`+"\n"+`{"key":"bad key","value":"1"}`+"\nnot json\n").Fails(fail.Partial, "kv import TO", "2 lines were not stored")
	says(t, r.Out, "Imported 1 key into TO", "2 lines failed", "line 2: bad key:", "line 3: this is no JSON")
	c.Fails(fail.Failure, "kv export CFG --output .", "create "+c.Path(".")+": is a directory")
	r = c.Stdin(`{"key":"x","value":"2"}`).Fails(fail.Partial, "kv import TO --if-missing --json")
	says(t, r.Out, `"line": 1`, "wrong last sequence")
	says(t, c.Stdin(`{"key":"y","value":"2"}`).OK("kv import TO --dry-run").Out, "Would import 1 key")
	c.Fails(fail.NotFound, "kv get TO y")
	c.Fails(fail.Usage, "kv import TO --if-missing --if-unchanged", "exclude")
	c.Fails(fail.NotFound, "kv import TO nope.ndjson", "nope.ndjson")
	c.Fails(fail.NotFound, "kv export NOPE", "bucket not found")
}

func TestDiff(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add A --history 5", "kv add B", "kv put A same 1", "kv put B same 1", "kv put A left 1", "kv put B right 1", "kv put A x one", "kv put B x two")
	r := c.Fails(fail.Failure, "kv diff A B")
	equal(t, r.Out, "+ right\n~ x revision 3 to 3, 3 B to 3 B\n- left\nA to B: 1 same, 1 added, 1 removed, 1 changed\n")
	equal(t, r.Err, "")
	equal(t, c.OK("kv diff A B same").Out, "A to B: 1 same, 0 added, 0 removed, 0 changed\n")
	c.Stdin("a\nb\nc\n").OK("kv put A t")
	c.Stdin("a\nB\nc\n").OK("kv put A t")
	r = c.Fails(fail.Failure, "kv diff A --key t")
	says(t, r.Out, "A > t\n--- Revision 4, 20", "\n+++ Revision 5, 20", "\n a\n-b\n+B\n c\n")
	says(t, c.OK("kv diff A --key t --from 4 --to 4").Out, "The values are the same")
	c.Fails(fail.NotFound, "kv diff A --key t --from 1", "no revision 1")
	c.Fails(fail.NotFound, "kv diff A --key x", "no revision before 3")
	c.Fails(fail.Usage, "kv diff A", "--key")
	c.Fails(fail.Usage, "kv diff A B --key t", "--key")
	c.Fails(fail.NotFound, "kv diff A NOPE", "NOPE")
}

func TestTransferViews(t *testing.T) {
	t.Parallel()
	viewtest.Golden(t, "imported", imported{Bucket: "CFG", Imported: store.Imported{Tally: store.Tally{Keys: 12345, Bytes: 1 << 20}, Removed: 1, Expired: 2,
		Failures: store.Failures{Count: 2, Listed: []store.Failed{{Key: "a", Line: 7, Error: "nats: timeout"}}}}})
	viewtest.Golden(t, "diff", bucketDiff{Left: "A", Right: "B", Compared: store.Compared{Same: 1200, Added: 1, Changed: 1},
		Differences: []store.Difference{{Key: "new", State: "added", Right: &store.Side{Revision: 3, Created: viewtest.Now, Size: 10}},
			{Key: "x", State: "changed", Left: &store.Side{Revision: 1, Created: viewtest.Now, Size: 10}, Right: &store.Side{Revision: 2, Created: viewtest.Now, Size: 2048}}}})
	from := newEntry(store.Entry{Bucket: "A", Key: "t", Revision: 4, Op: store.Put, Created: viewtest.Now, Value: []byte("a\nb\n"), Size: 4})
	to := newEntry(store.Entry{Bucket: "A", Key: "t", Revision: 5, Op: store.Put, Created: viewtest.Now, Value: []byte("a\nB\n"), Size: 4})
	viewtest.Golden(t, "revisions", revisionDiff{Bucket: "A", Key: "t", From: from, To: to, Lines: store.Lines("a\nb\n", "a\nB\n")})
}
