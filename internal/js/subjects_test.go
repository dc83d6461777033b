package js

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"
)

func TestSubjectPage(t *testing.T) {
	t.Parallel()
	rows := []struct {
		state string
		want  map[string]uint64
	}{
		{`{"messages":1,"subjects":{"a":1,"b.c":18446744073709551615},"consumer_count":0}`, map[string]uint64{"a": 1, "b.c": 18446744073709551615}},
		{`{"messages":1,"subjects":{"q\"}{\\":2,"\u003e\u00e4":3}}`, map[string]uint64{`q"}{\`: 2, ">ä": 3}},
		{`{"messages":1,"subjects":{"\"subjects\":{":2}}`, map[string]uint64{`"subjects":{`: 2}},
		{`{"subjects":{}}`, nil},
		{`{"messages":0}`, nil},
	}
	for _, r := range rows {
		doc := `{"type":"x","total":7,"offset":0,"limit":100000,"config":{"name":"X"},"state":` + r.state + `,"cluster":{"leader":"n"}}`
		if !json.Valid([]byte(doc)) {
			t.Fatal(doc)
		}
		got := map[string]uint64{}
		told := 0
		p, n, err := subjectPage([]byte(doc), func(p page) { told = p.Total }, func(s string, c uint64) error {
			got[s] = c
			return nil
		})
		if err != nil || n != len(r.want) || told != 7 || p.Limit != 100000 || !maps.Equal(got, r.want) {
			t.Errorf("%s: %v, %d, %+v, %v", r.state, got, n, p, err)
		}
	}
	stop := errors.New("stop")
	if _, _, err := subjectPage([]byte(`{"state":{"subjects":{"a":1}}}`), func(page) {}, func(string, uint64) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if _, _, err := subjectPage([]byte(`{"state":{"subjects":{"a":1`), func(page) {}, func(string, uint64) error { return nil }); err == nil {
		t.Error("half a document passed")
	}
}

func FuzzSubjectPage(f *testing.F) {
	for _, s := range []string{`{"state":{"subjects":{"a":1}}}`, `{"subjects":{"`, `"subjects":{"a"`, `"subjects":{"a":x}`, `{"subjects":{"a\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _, _ = subjectPage(data, func(page) {}, func(string, uint64) error { return nil })
	})
}
