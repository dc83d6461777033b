package scale

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func BenchmarkKeys(b *testing.B) { keys(newSite(b)) }
func TestKeys(t *testing.T)      { keys(newSite(t)) }

// keys exports, imports and lists a million keys of 64 bytes.
func keys(s *site) {
	n := scaled(1_000_000)
	for _, bucket := range []string{"FROM", "TO", "RAW"} {
		if _, err := s.js.CreateKeyValue(s.tb.Context(), jetstream.KeyValueConfig{Bucket: bucket}); err != nil {
			s.tb.Fatal(err)
		}
	}
	s.fill("$KV.FROM.some.key.%07d", n, 64)
	file := filepath.Join(s.dir, "keys.ndjson")
	out, err := os.Create(file)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer out.Close()

	bare := s.bareRead("KV_FROM", n)
	export := s.run(nil, out, "kv", "export", "FROM")
	s.report(float64(n)/export.total.Seconds(), "export-keys/s")
	s.share("export", export, bare)
	s.cost("export", export, 0)

	bare = s.barePublish("$KV.RAW.some.key.%07d", n, 64, 4096)
	load := s.run(nil, nil, "kv", "import", "TO", file)
	s.report(float64(n)/load.total.Seconds(), "import-keys/s")
	s.share("import", load, bare)
	s.cost("import", load, 0)
	st, err := s.js.Stream(s.tb.Context(), "KV_TO")
	if err != nil {
		s.tb.Fatal(err)
	}
	if got := st.CachedInfo().State.Msgs; got != uint64(n) {
		s.tb.Errorf("%d of %d keys were imported", got, n)
	}

	s.cost("ls-names", s.run(nil, nil, "kv", "ls", "FROM", "--names"), 60)
	s.cost("ls-v", s.run(nil, nil, "kv", "ls", "FROM", "-v"), 60)
	s.cost("ls-values", s.run(nil, nil, "kv", "ls", "FROM", "--display-value", "--format", "ndjson"), 60)
}

func BenchmarkObject(b *testing.B) { object(newSite(b)) }
func TestObject(t *testing.T)      { object(newSite(t)) }

// object stores and reads an object of 1 GiB, beside the same bytes in chunks of the same size.
func object(s *site) {
	const chunk = 128 << 10
	chunks := scaled(8192)
	file := filepath.Join(s.dir, "object")
	out, err := os.Create(file)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.measure(nil, out, s.bare, "zeros", strconv.Itoa(chunks*chunk))
	if err := out.Close(); err != nil {
		s.tb.Fatal(err)
	}
	s.stream(jetstream.StreamConfig{Name: "RAW", Subjects: []string{"raw"}})
	bare := s.barePublish("raw", chunks, chunk, 128)
	read := s.bareRead("RAW", chunks)
	s.drop("RAW")
	if _, err := s.js.CreateObjectStore(s.tb.Context(), jetstream.ObjectStoreConfig{Bucket: "FILES"}); err != nil {
		s.tb.Fatal(err)
	}
	put := s.run(nil, nil, "object", "put", "FILES", file, "--name", "big")
	s.share("put", put, bare)
	s.cost("put", put, 64)
	get := s.run(nil, nil, "object", "get", "FILES", "big", "--output", filepath.Join(s.dir, "copy"))
	s.share("get", get, read)
	s.cost("get", get, 64)
	s.cost("get-stdout", s.run(nil, nil, "object", "get", "FILES", "big", "--output", "-"), 64)
}

// TestObjectOfTenGigabytes goes from a pipe into a bucket and out again.
func TestObjectOfTenGigabytes(t *testing.T) {
	s := newSite(t)
	const size = 10_000_000_000
	var free strings.Builder
	s.measure(nil, &free, s.bare, "free", s.dir)
	if n, err := strconv.ParseInt(strings.TrimSpace(free.String()), 10, 64); err != nil || n < 2*size {
		t.Skipf("the disk can take %d bytes, %v", n, err)
	}
	if _, err := s.js.CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{Bucket: "FILES"}); err != nil {
		t.Fatal(err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sent := sha256.New()
	go func() {
		defer out.Close()
		part := make([]byte, 1_000_000)
		for i := range size / len(part) {
			part[0], part[1], part[2] = byte(i), byte(i>>8), byte(i>>16)
			sent.Write(part)
			if _, err := out.Write(part); err != nil {
				return
			}
		}
	}()
	s.cost("put", s.run(in, nil, "object", "put", "FILES", "--name", "big"), 64)
	got := sha256.New()
	r := s.run(nil, got, "object", "get", "FILES", "big", "--output", "-")
	s.cost("get", r, 64)
	if want := hex.EncodeToString(sent.Sum(nil)); r.out != size || hex.EncodeToString(got.Sum(nil)) != want {
		t.Errorf("%d bytes came, %x, not %s", r.out, got.Sum(nil), want)
	}
}
