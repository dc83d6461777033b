package object

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// FuzzRoundTrip stores any bytes in chunks of any size and reads them to standard output and into a file.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{}, 1)
	f.Add([]byte("\x00\xff\r\n"), 1)
	f.Add([]byte("one and a half"), 10)
	f.Add(bytes.Repeat([]byte{0, 1, 2, 0xff}, 64<<10), 0)
	srv := testkit.Server(f)
	testkit.Objects(f, srv.JS(), jetstream.ObjectStoreConfig{Bucket: "B"})
	url := srv.URL()
	f.Fuzz(func(t *testing.T, data []byte, chunk int) {
		if chunk = max(chunk, 0) % (64 << 10); chunk > 0 && len(data)/chunk > 1000 {
			t.Skip("thousands of chunks show no more than a few")
		}
		c := clitest.New(t, Command()).Server(url)
		c.StdinFrom(bytes.NewReader(data)).OK(fmt.Sprintf("object put B --name o -f --chunk-size %d", chunk))
		if got := c.OK("object get B o -O -").Out; got != string(data) {
			t.Errorf("%q came back as %q", data, got)
		}
		c.OK("object get B o -O o -f")
		if got, err := os.ReadFile(c.Path("o")); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%q came back as %q, %v", data, got, err)
		}
	})
}
