package store

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// FuzzRecord: what is read by hand is what encoding/json reads, and never what it refuses.
func FuzzRecord(f *testing.F) {
	for _, line := range []string{
		`{"key":"a","value":"b"}`, `{"key":"a","value":""}`, ` { "key" : "a" , "value" : "b" } `, `{"key":"a","value_b64":"/w=="}`, `{"key":"a","value_b64":"/w="}`,
		`{"key":"a","revision":7,"op":"PUT","created":"2026-11-21T09:36:35.123456789Z","value":"x\"\\\/\n\té","ttl":"1m0s","bucket":"B","delta":0}`,
		`{"key":"a","value":"\u00e9\ud83d\ude00"}`, `{"key":"a","value":"x","value":"y"}`, `{"key":"a","value":"x","value_b64":""}`, `{"key":"a"}`, `{}`, `{"key":"a","op":"DEL"}`,
		`{"key":"a","op":"DELETE","revision":18446744073709551615}`, `{"key":"a","op":"PURGE","value":"x"}`, `{"key":"a","value":"b"} x`, `{"key":"a","value":"b",}`, `{"Key":"a","value":"b"}`,
		`{"key":"a","revision":007,"value":"b"}`, `{"key":"a","created":"yesterday","value":"b"}`, `{"key":"a","value":null}`, `{"key":"a","value":"b","headers":{"X":["1"]}}`,
		`{"key":"a","value":"b","other":1}`, `{,"key":"a","value":"b"}`, "{\"key\":\"a\",\"value\":\"\xff\"}", `{"key":"a b","value":"c"}`, `[1]`, `"`, ``,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var r recordReader
		got, value, ok := r.plain(line)
		if !ok {
			return
		}
		want, wantValue, err := decodeRecord(line)
		if err != nil {
			t.Fatalf("%q is read as %+v, though %v", line, got, err)
		}
		want.Value, want.Base64 = nil, nil
		if !got.Created.Equal(want.Created) || !bytes.Equal(value, wantValue) {
			t.Fatalf("%q: %q at %s, want %q at %s", line, value, got.Created, wantValue, want.Created)
		}
		got.Created = want.Created
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %+v, want %+v", line, got, want)
		}
	})
}

func TestExportedLinesAreReadByHand(t *testing.T) {
	t.Parallel()
	for _, e := range []Entry{
		{Key: "a", Revision: 1, Op: Put, Value: []byte("text with \"quotes\"\nand lines")},
		{Key: "a/b-c_d=e.f", Revision: 1 << 40, Op: Put, Value: []byte{0xff, 0}, TTL: "1h0m0s"},
		{Key: "a", Revision: 3, Op: Purge},
		{Key: "é", Revision: 3, Op: Put, Value: []byte("häuser")},
	} {
		line := appendEntry(nil, e)
		var r recordReader
		rec, value, read := r.plain(line)
		if !read || rec.Key != e.Key || rec.Revision != e.Revision || rec.Op != e.Op || rec.TTL != e.TTL || !bytes.Equal(value, e.Value) {
			t.Errorf("%s: %+v %q %t", line, rec, value, read)
		}
	}
}

func TestLinesOfAnImportAreWhole(t *testing.T) {
	t.Parallel()
	var r recordReader
	if _, _, err := r.read([]byte(`{"key":"a","value":"b"} {"key":"c"}`)); err == nil {
		t.Error("two entries in a line were read as one")
	}
}

func TestRecordsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	var r recordReader
	for line, want := range map[string]string{
		"{\"key\":\"a\",\"value\":\"\xff\"}": "is not UTF-8 text: values that are none go into \"value_b64\"",
		`{"key":"a","value":5}`:              `"value" must be text in quotes, not of the type number`,
		`{"key":"a","value":"b","delta":-1}`: `"delta" cannot be of the type number -1`,
		`[]`:                                 "an object with a key and a value is wanted, not JSON of the type array",
		`{"key":"a","value":"b","other":1}`:  `there is no field "other" in entries`,
		`key,value`:                          "this is no JSON: ",
	} {
		if _, _, err := r.read([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	if rec, value, err := r.read([]byte("\uFEFF" + `{"key":"a","value":"b"}`)); err != nil || rec.Key != "a" || string(value) != "b" {
		t.Errorf("behind a byte order mark: %+v %q %v", rec, value, err)
	}
}
