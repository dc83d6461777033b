package snappy_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/snappy"
)

// framed is data in the stream format, as servers write it.
func framed(t *testing.T, data []byte, opts ...s2.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := s2.NewWriter(&b, opts...)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBody(t *testing.T) {
	t.Parallel()
	plain := []byte(strings.Repeat("nats ", 1000))
	for name, data := range map[string][]byte{
		"block": s2.EncodeSnappy(nil, plain), "stream": framed(t, plain, s2.WriterSnappyCompat()), "s2 stream": framed(t, plain),
	} {
		got, err := snappy.Body(&nats.Msg{Data: data, Header: nats.Header{"Content-Encoding": {"snappy"}}})
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if got, err := snappy.Body(&nats.Msg{Data: plain}); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("plain: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	bomb := make([]byte, snappy.Largest+1)
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("not compressed"), "cut": framed(t, []byte("hello hello hello"))[:14],
		"large block": s2.EncodeSnappy(nil, bomb), "large stream": framed(t, bomb),
		"boast": {0xff, 0xff, 0xff, 0xff, 0x0f},
	} {
		if _, err := snappy.Decode(data); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xff\x06\x00\x00sNaPpY"))
	f.Add(s2.EncodeSnappy(nil, []byte("hello")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if out, err := snappy.Decode(data); err == nil && len(out) > snappy.Largest {
			t.Errorf("%d bytes", len(out))
		}
	})
}
