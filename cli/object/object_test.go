package object

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// with is a server of the test's own and a command line on it, after lines that prepare the test.
func with(t *testing.T, lines ...string) (*testkit.NATS, *clitest.CLI) {
	t.Helper()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	for _, l := range lines {
		c.OK(l)
	}
	return srv, c
}

func says(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("%q is missing in\n%s", p, got)
		}
	}
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func write(t *testing.T, c *clitest.CLI, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(c.Path(name)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Path(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, c *clitest.CLI, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(c.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAddAndEdit(t *testing.T) {
	t.Parallel()
	_, c := with(t)
	r := c.OK("object add FILES --description d --metadata a=b --max-bucket-size 100MB")
	says(t, r.Out, "Information for Object Store Bucket FILES created 20", "\n\nConfiguration:\n\n          Bucket Name: FILES\n", "\n\nCluster Information:\n\n")
	says(t, r.Out, "          Description: d\n             Replicas: 1\n                  TTL: unlimited\n               Sealed: false\n                 Size: 0 B\n  Maximum Bucket Size: 100 MiB\n              Storage: File\n   Backing Store Kind: JetStream\n     JetStream Stream: OBJ_FILES\n             Metadata: a: b\n")
	c.OK("obj add FILES --description d --metadata a=b --max-bucket-size 100MB")
	c.Fails(fail.Failure, "object add FILES", "bucket name already in use: FILES", "err_code=10058")
	r = c.OK("object edit FILES --ttl 1h --compress")
	says(t, r.Out, "TTL: 1h0m0s", "Description: d", "Compressed: true", "Metadata: a: b")
	says(t, r.Err, "Changed max_age from 0 to 3600000000000")
	r = c.Fails(fail.Failure, "object edit FILES --description e --dry-run")
	equal(t, r.Out, "- description: \"d\"\n+ description: \"e\"\n")
	says(t, c.OK("object edit FILES --description d").Err, "No difference")
	c.Fails(fail.NotFound, "object edit NOPE --description e", "bucket not found")
	c.Fails(fail.Usage, "object add a.b", "a.b")
}

func TestPutAndGet(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "object add B")
	data := make([]byte, 300_000)
	_, _ = rand.Read(data)
	write(t, c, "dir/file.bin", data)
	sum := sha256.Sum256(data)
	r := c.OK("object put B dir/file.bin")
	says(t, r.Out, "Object information for B > dir/file.bin", "Size: 293 KiB", "Chunks: 3", "Digest: SHA-256 "+hex.EncodeToString(sum[:]))
	equal(t, r.Err, "")
	r = c.OK("object get B dir/file.bin -O out")
	says(t, r.Out, "Wrote: 293 KiB to "+c.Path("out")+" in ")
	if !bytes.Equal(content(t, c, "out"), data) {
		t.Error("the file is not what was stored")
	}
	stored := testkit.State(t, srv.JS(), "OBJ_B").LastTime
	if info, err := os.Stat(c.Path("out")); err != nil || info.ModTime().Sub(stored).Abs() > time.Second {
		t.Errorf("the file's time is %v, the object's %v", info.ModTime(), stored)
	}
	c.OK("object get B dir/file.bin") // by its base name
	if !bytes.Equal(content(t, c, "file.bin"), data) {
		t.Error("the file is not what was stored")
	}
	equal(t, c.OK("object get B dir/file.bin -O -").Out, string(data))
	equal(t, c.OK("object get B dir/file.bin -O o2 --jq '.object.digest, .bytes'").Out, hex.EncodeToString(sum[:])+"\n300000\n")
	c.Answers(prompttest.None()).Fails(fail.Usage, "object get B dir/file.bin -O out", "--force")
	c.OK("object get B dir/file.bin -O out -f")
	c.Fails(fail.NotFound, "object get B nope", "object not found")
	c.Fails(fail.NotFound, "object get B dir/file.bin -O no/such/dir", "create "+c.Path("no/such/dir")+": ")
	c.Fails(fail.NotFound, "object get NOPE f", "bucket not found")
	c.OK("object put B dir/file.bin --base-name --chunk-size 1000")
	says(t, c.OK("object info B file.bin --format wide").Out, "Chunk Size: 1000 B", "Chunks: 300")
	if n := testkit.State(t, srv.JS(), "OBJ_B").Consumers; n != 0 {
		t.Errorf("%d consumers left", n)
	}
}

func TestPutFromStdinAndItsName(t *testing.T) {
	t.Parallel()
	_, c := with(t, "object add B")
	c.Stdin("x").Fails(fail.Usage, "object put B", "--name")
	says(t, c.Stdin("hello\n").OK("object put B --name small.txt -H X:y -H 'Z:{{Count}} b' --description txt --metadata k=v").Out,
		"        Description: txt\n               Size: 6 B\n  Modification Time: 20", "             Chunks: 1\n             Digest: SHA-256 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\n            Headers: X: y\n                     Z: 1 b\n", "Metadata:\n\n", "k: v")
	c.Answers(prompttest.None()).Stdin("y").Fails(fail.Usage, "object put B --name small.txt", "--force")
	c.Answers(prompttest.Scripted(t, false)).Stdin("y").Fails(fail.Declined, "object put B --name small.txt")
	says(t, c.Stdin("y").OK("object put B - --name small.txt -f").Out, "Description: txt", "X: y", "k: v", "Size: 1 B")
	c.Fails(fail.NotFound, "object put B nofile.txt", "nofile.txt")
	c.Fails(fail.Usage, "object put B .", "directory")
	c.Stdin("x").Fails(fail.Usage, "object put B '' --name unset", "is empty")
	for size, says := range map[string]string{"1GB": "--chunk-size", "-1": "--chunk-size", "x": "--chunk-size: invalid size", "2MB": "--chunk-size: 2097152 bytes is more"} {
		c.Stdin("x").Fails(fail.Usage, "object put B --name c --chunk-size="+size, says)
	}
	c.Stdin("x").OK("object put B --name kib --chunk-size 1kb")
	equal(t, c.OK("object info B kib --jq .chunk_size").Out, "1024\n")
	c.Stdin("").OK("object put B --name empty")
	equal(t, c.OK("object get B empty -O -").Out, "")
}

func TestDirectories(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "object add B")
	write(t, c, "site/index.html", []byte("index"))
	write(t, c, "site/img/a.png", []byte("a"))
	c.Fails(fail.Usage, "object put B site", "--recursive")
	equal(t, c.OK("object put B site -r --jq '.[].name'").Out, "site/img/a.png\nsite/index.html\n")
	c.OK("object put B site -r --name www")
	c.OK("object get B www -r -O copy")
	equal(t, string(content(t, c, "copy/index.html"))+string(content(t, c, "copy/img/a.png")), "indexa")
	equal(t, c.OK("object get B / -r -O all --jq length").Out, "4\n")
	equal(t, string(content(t, c, "all/site/img/a.png")), "a")
	c.Answers(prompttest.None()).Fails(fail.Usage, "object get B www -r -O copy", "--force")
	if err := os.Remove(c.Path("copy/img/a.png")); err != nil {
		t.Fatal(err)
	}
	r := c.Answers(prompttest.None()).Fails(fail.Partial, "object get B www -r -O copy --json", "1 done before it stopped", "--force")
	says(t, r.Out, `"name": "www/img/a.png"`)
	c.Fails(fail.NotFound, "object get B nothing -r", "nothing below")
	c.Fails(fail.Usage, "object put B -r --name x", "--recursive")
	lib, err := srv.JS().ObjectStore(t.Context(), "B")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lib.PutString(t.Context(), "evil/../../out", "x"); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "object get B evil -r -O safe", "leads out of the directory")
	if _, err := os.Stat(c.Path("safe")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

func TestGetLeavesAGoodFileAlone(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "object add B")
	write(t, c, "good", []byte("good"))
	data := strings.Repeat("0123456789", 100)
	c.Stdin(data).OK("object put B --name f --chunk-size 100")
	s, err := srv.JS().Stream(t.Context(), "OBJ_B")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "object get B f -O good -f", "900 of 1000 bytes")
	equal(t, string(content(t, c, "good")), "good")
	left, err := filepath.Glob(c.Path(".good*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestGetResumes(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "object add B")
	data := make([]byte, 5000)
	_, _ = rand.Read(data)
	c.StdinFrom(bytes.NewReader(data)).OK("object put B --name f --chunk-size 1000")
	o, err := srv.JS().ObjectStore(t.Context(), "B")
	if err != nil {
		t.Fatal(err)
	}
	info, err := o.GetInfo(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	for _, have := range []int{0, 2000, 2500, 5000} {
		write(t, c, ".out."+info.NUID+".part", data[:have])
		c.OK("object get B f -O out --resume -f")
		if !bytes.Equal(content(t, c, "out"), data) {
			t.Errorf("resumed behind %d bytes: not what was stored", have)
		}
	}
	c.Fails(fail.Usage, "object get B f -O - --resume", "--resume")
}

func TestInterruptedPutLeavesNothing(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "object add B")
	pr, pw := io.Pipe()
	defer pw.Close()
	run := c.StdinFrom(pr).Start("object put B --name f --chunk-size 1000")
	if _, err := pw.Write(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, time.Minute, "chunks arrive", func() bool { return testkit.State(t, srv.JS(), "OBJ_B").Msgs >= 4 })
	if r := run.Interrupt(); r.Code != fail.Interrupted {
		t.Errorf("ended with %d: %s", r.Code, r.Err)
	}
	if n := testkit.State(t, srv.JS(), "OBJ_B").Msgs; n != 0 {
		t.Errorf("%d messages left", n)
	}
}

func TestDelSealAndLs(t *testing.T) {
	t.Parallel()
	_, c := with(t)
	equal(t, c.OK("object ls").Out, "No Object Store buckets found\n")
	equal(t, c.OK("object ls -n").Out, "")
	c.OK("object add B --description d")
	equal(t, c.OK("object ls B").Out, "No entries found\n")
	equal(t, c.OK("object ls B --json").Out, "[]\n")
	for name, body := range map[string]string{"b": "22", "a": "333", "c": "1"} {
		c.Stdin(body).OK("object put B --name " + name)
	}
	says(t, c.OK("object ls").Out, "Object Store Buckets", "│ Bucket │ Description │ Created             │ Size", "│ B      │ d           │ 20")
	equal(t, c.OK("object ls -n").Out, "B\n")
	says(t, c.OK("object ls B --sort name").Out, "Bucket Contents", "│ Name │ Size │ Time                │", "│ a    │ 3 B  │ 20")
	equal(t, c.OK("object ls B -n --sort size").Out, "c\nb\na\n")
	c.Answers(prompttest.None()).Fails(fail.Usage, "object del B a", "--force")
	equal(t, c.OK("object del B a --dry-run").Out, "Would delete B > a, 3 B\n")
	says(t, c.OK("object del B a -f").Out, "Removed B > a\n", "Information for Object Store Bucket B")
	c.Fails(fail.NotFound, "object get B a", "object not found")
	c.Fails(fail.NotFound, "object del B a -f", "object not found")
	says(t, c.OK("object ls B --deleted --sort name").Out, "│ a    │ deleted │")
	c.Fails(fail.NotFound, "object info B bb", "object not found", "did you mean b?")
	c.Answers(prompttest.None()).Fails(fail.Usage, "object seal B", "--force")
	says(t, c.OK("object seal B -f").Out, "B has been sealed\n", "Sealed: true")
	r := c.StdinFrom(iotest.ErrReader(errors.New("it was read"))).Fails(fail.Failure, "object put B --name b", "10109")
	if strings.Count(r.Err, "\n") != 1 {
		t.Errorf("%s", r.Err)
	}
	says(t, c.OK("object rm B --dry-run").Out, "Would delete bucket B, ")
	equal(t, c.OK("object rm B -f").Out, "")
	c.Fails(fail.NotFound, "object rm B -f", "bucket not found")
}

func TestLinksAndDescriptions(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "object add A", "object add B")
	c.Stdin("content").OK("object put B --name f")
	says(t, c.OK("object link A l f --in B").Out, "Object information for A > l", "Link: B > f")
	equal(t, c.OK("object get A l -O -").Out, "content")
	says(t, c.OK("object info A l").Out, "Link: B > f")
	c.OK("object link A whole --in B")
	c.Fails(fail.Failure, "object get A whole", "link to the bucket B")
	says(t, c.OK("object ls A --sort name").Out, "link to B > f", "link to bucket B")
	c.Stdin("own").OK("object put A --name l -f") // over a link
	equal(t, c.OK("object get A l -O -").Out, "own")
	says(t, c.OK("object describe B f --name g --description new --metadata a=b").Out, "B > g", "Description: new", "a: b")
	equal(t, c.OK("object get B g -O -").Out, "content")
	c.Fails(fail.Usage, "object describe B g", "nothing to change")
	c.Fails(fail.Usage, "object link A l", "<target>")
	// What another client wrote as a link, without a digest, is shown.
	lib, err := srv.JS().ObjectStore(t.Context(), "B")
	if err != nil {
		t.Fatal(err)
	}
	g, err := lib.GetInfo(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lib.AddLink(t.Context(), "foreign", g); err != nil {
		t.Fatal(err)
	}
	says(t, c.OK("object info B foreign").Out, "Link: B > g", "Size: 0 B")
}

func TestWatch(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "object add B")
	c.Stdin(strings.Repeat("x", 2048)).OK("object put B --name big.bin --chunk-size 1024")
	w := c.Start("object watch B").Says("Watching B").Says("PUT B > big.bin: 2.0 KiB in 2 chunks")
	c.Stdin("x").OK("object put B --name small.txt")
	w.Says("PUT B > small.txt: 1 B in 1 chunks")
	c.OK("object del B small.txt -f")
	w.Says("DEL B > small.txt")
	if r := w.Interrupt(); r.Code != fail.OK || !strings.HasPrefix(r.Out, "[20") {
		t.Errorf("%d %q", r.Code, r.Out)
	}
	if n := testkit.State(t, srv.JS(), "OBJ_B").Consumers; n != 0 {
		t.Errorf("%d consumers left", n)
	}
	equal(t, c.OK("object watch B --initial --jq .name").Out, "big.bin\nsmall.txt\n")
	if r := c.Stdin("x").Args("object", "put", "B", "--name", "a\n[2026-01-01 00:00:00] DEL B > big.bin"); r.Code != fail.OK {
		t.Fatal(r.Err)
	}
	says(t, c.OK("object watch B --initial").Out, `] PUT B > a\n[2026-01-01 00:00:00] DEL B > big.bin: 1 B in 1 chunks`)
	c.OK("object watch B --updates --wait 20ms")
	c.Fails(fail.Usage, "object watch B --updates --initial", "exclude")
}

func TestInfoPicksABucket(t *testing.T) {
	t.Parallel()
	_, c := with(t)
	c.Fails(fail.NotFound, "object info", "no Object buckets found")
	c.OK("object add B")
	c.Answers(prompttest.None()).Fails(fail.Usage, "object info", "<bucket>")
	says(t, c.Answers(prompttest.Scripted(t, "B")).OK("object show").Out, "Bucket Name: B")
}

func TestWithoutAServer(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	for _, line := range []string{"object ls", "object add B", "object info B", "object get B f", "object watch B"} {
		if r := c.Fails(fail.Unreachable, line); r.Out != "" {
			t.Errorf("%s prints %q", line, r.Out)
		}
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	at := viewtest.Now
	viewtest.Golden(t, "bucket", newBucketInfo(&jetstream.StreamInfo{
		Created: at, Config: jetstream.StreamConfig{Name: "OBJ_FILES", Description: "d", Replicas: 3, MaxBytes: 100 << 20, Compression: jetstream.S2Compression, Metadata: map[string]string{"a": "b", "c": "d"}, Placement: &jetstream.Placement{Cluster: "east"}},
		State:   jetstream.StreamState{Bytes: 606 << 10, LastSeq: 3, LastTime: at},
		Cluster: &jetstream.ClusterInfo{Name: "east", Leader: "n1", Replicas: []*jetstream.PeerInfo{{Name: "n2", Current: true, Active: time.Second}, {Name: "n3", Lag: 2000, Active: time.Minute}}},
	}))
	sum := sha256.Sum256([]byte("hello\n"))
	one := objectInfo{Bucket: "FILES", Name: "small.txt", Description: "txt", Size: 6, Chunks: 1, ChunkSize: 131072, ModTime: at, Digest: hex.EncodeToString(sum[:]), Headers: nats.Header{"X": {"y"}, "Z": {"a b"}}, Metadata: map[string]string{"k": "v"}, NUID: "N"}
	ln := objectInfo{Bucket: "FILES", Name: "l", ModTime: at, Link: &link{Bucket: "OLD", Name: "f"}}
	viewtest.Golden(t, "object", one)
	viewtest.Golden(t, "objects", objects{one, ln, {Bucket: "FILES", Name: "gone", ModTime: at, Deleted: true}})
	viewtest.Golden(t, "buckets", buckets{{bucketInfo: bucketInfo{Bucket: "FILES", Created: at, Bytes: 2048, LastTime: &at}}, {bucketInfo: bucketInfo{Bucket: "LOST"}, Unreachable: "no server answers for it"}})
	viewtest.Golden(t, "fetched", fetched{Object: one, File: "/x/small.txt", Bytes: 300 << 20, Took: 3 * time.Second})
	viewtest.Golden(t, "change", change{one})
	viewtest.Golden(t, "removed", removed{Bucket: "FILES", Name: "f", DryRun: true, Bytes: 2048})
	viewtest.Golden(t, "sealed", sealed{bucketInfo{Bucket: "FILES", Stream: "OBJ_FILES", Sealed: true, Created: at, MaxBytes: -1, Metadata: map[string]string{}}})
	viewtest.Golden(t, "edited", storecmd.Edited[bucketInfo]{Bucket: "FILES", DryRun: true, Changes: []store.Change{{Setting: "max_age", From: 0, To: 1}}})
}
