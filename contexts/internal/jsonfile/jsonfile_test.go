package jsonfile

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestChangesOneMemberAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(`{"Url":"a\u0026b","n":1e2,"URL":"second","deep":{"x": [1, 2]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if d.Text("url") != "second" || d.Text("n") != "" || d.Text("nope") != "" || d.Get("nope") != nil {
		t.Errorf("%q", d.Text("url"))
	}
	d.Set("n", json.RawMessage("100"))
	d.Set("url", Encode("<new>"))
	d.Set("more", Encode(true))
	d.Remove("DEEP")
	out, err := d.MarshalJSON()
	if err != nil || string(out) != `{"n":100,"url":"<new>","more":true}` {
		t.Errorf("%s, %v", out, err)
	}
	d.Set("url", json.RawMessage(`"\u003cnew\u003e"`))
	if out, err := d.Indented(); err != nil || !strings.Contains(string(out), "\n  \"url\": \"<new>\",\n") {
		t.Errorf("the same value in other letters was rewritten: %s, %v", out, err)
	}
}

func TestRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "[]", "1", `{"a":1} x`, `{"a":}`, `{"a":1`} {
		if d, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q gave %v", text, d)
		}
	}
}

// Whatever encoding/json takes as an object comes out meaning the same.
func FuzzParse(f *testing.F) {
	f.Add(`{"a":[1,{"b":null}],"a":2,"c":"\u2028"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var want map[string]any
		if json.Unmarshal([]byte(text), &want) != nil || want == nil {
			return
		}
		d, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		out, err := d.Indented()
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		if string(a) != string(b) {
			t.Errorf("%s became %s", a, b)
		}
	})
}
