package publish

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What is read by hand is what encoding/json reads, and the names are kept.
func FuzzAck(f *testing.F) {
	for _, s := range []string{
		`{"stream":"S","seq":7}`, `{"stream":"S","domain":"hub","seq":7,"duplicate": true}`, `{"stream":"S","seq":7,"val":"-5"}`,
		`{"stream":"S","seq":7,"batch":"B","count":3}`, `{ "stream" : "S" , "seq" : 18446744073709551615 }`, `{"stream":"S","seq":18446744073709551616}`,
		`{"stream":"é","seq":07}`, `{"stream":"a\"b","seq":1}`, `{"error":{"code":400},"stream":"S","seq":0}`, `{"stream":"S","seq":1}}`, `{"stream":"S","seq":1`,
		`{}`, `{"stream":"","seq":1}`, `{"stream":"S","seq":1,"count":99999999999}`, `{"stream":"S","seq":1,"duplicate":false}`, `{"stream":"S","stream":"T","seq":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r acks
		for range 2 {
			got, ok := r.plain(data)
			if !ok {
				return
			}
			if want, err := decodeAck(data); err != nil || got != want {
				t.Fatalf("%q: %+v, want %+v, %v", data, got, want, err)
			}
		}
	})
}

func TestAckIsReadByHand(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`{"stream":"S","seq":7}`, `{"stream":"S","domain":"D","seq":7,"duplicate": true}`, `{"stream":"S","seq":7,"batch":"B","count":3}`} {
		if _, ok := new(acks).plain([]byte(s)); !ok {
			t.Error(s)
		}
	}
	var api *jetstream.APIError
	_, err := ParseAck(&nats.Msg{Data: []byte(`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 6"},"stream":"S","seq":0}`)})
	if !errors.As(err, &api) || api.ErrorCode != 10071 {
		t.Errorf("%v", err)
	}
}
