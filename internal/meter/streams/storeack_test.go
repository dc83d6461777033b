package streams

import "testing"

func TestPlainAcks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		seq, msgs int64
		ok        bool
	}{
		`{"type":"ack","seq":1,"msgs":10}`:                    {1, 10, true},
		`{"type":"ack","seq":12345678901,"msgs":500}`:         {12345678901, 500, true},
		`{"type":"ack","seq":1,"msgs":10,"more":1}`:           {},
		`{"type":"ack","msgs":10,"seq":1}`:                    {},
		`{"type":"ack","seq":,"msgs":10}`:                     {},
		`{"type":"ack","seq":99999999999999999999,"msgs":10}`: {},
		`{"type":"gap","last_seq":1,"seq":3}`:                 {},
		`{"stream":"B","seq":7,"count":7}`:                    {},
		"":                                                    {},
	} {
		seq, msgs, ok := plainAck([]byte(text))
		if ok != want.ok || ok && (seq != want.seq || msgs != want.msgs) {
			t.Errorf("%s: %d %d %v", text, seq, msgs, ok)
		}
	}
}
