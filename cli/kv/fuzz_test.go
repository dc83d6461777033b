package kv

import (
	"bytes"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// FuzzRoundTrip stores any bytes and reads them back: as they are, and through an export and an import.
func FuzzRoundTrip(f *testing.F) {
	for _, v := range []string{"", "text", "\x00\xff\r\n", "é\xe9", "\uFEFF", "{\"a\":1}\n", "\u2028\x7f"} {
		f.Add([]byte(v))
	}
	srv := testkit.Server(f)
	for _, bucket := range []string{"B", "COPY"} {
		testkit.KV(f, srv.JS(), jetstream.KeyValueConfig{Bucket: bucket})
	}
	url := srv.URL()
	f.Fuzz(func(t *testing.T, value []byte) {
		c := clitest.New(t, Command()).Server(url)
		c.StdinFrom(bytes.NewReader(value)).OK("kv put B k")
		if got := c.OK("kv get B k --raw").Out; got != string(value) {
			t.Errorf("%q came back as %q", value, got)
		}
		c.Stdin(c.OK("kv export B").Out).OK("kv import COPY")
		if got := c.OK("kv get COPY k --raw").Out; got != string(value) {
			t.Errorf("%q was imported as %q", value, got)
		}
	})
}
