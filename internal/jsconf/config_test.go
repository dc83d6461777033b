package jsconf_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jsconf"
)

func TestReadStream(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, in, want string }{
		{"json", `{"name":"X","subjects":["a"],"max_age":3600000000000}`, `{"name":"X","subjects":["a"],"max_age":3600000000000}`},
		{"words for durations", `{"name":"X","max_age":"1h"}`, `{"name":"X","max_age":3600000000000}`},
		{"yaml", "name: X\nsubjects:\n  - a\n  - b\nretention: workqueue\nmax_age: 1d\nmirror:\n  name: M\n  opt_start_time: 2026-01-02T15:04:05Z\n",
			`{"name":"X","subjects":["a","b"],"retention":"workqueue","max_age":86400000000000,"mirror":{"name":"M","opt_start_time":"2026-01-02T15:04:05Z"}}`},
		{"info document", `{"config":{"name":"X","metadata":{"_nats.ver":"2.15.2","own":"v"}},"created":"2026-01-01T00:00:00Z","state":{"messages":1}}`,
			`{"name":"X","metadata":{"own":"v"}}`},
		{"reserved alone", `{"name":"X","metadata":{"_nats.ver":"2.15.2"}}`, `{"name":"X"}`},
		{"null is nothing", `{"name":"X","placement":null}`, `{"name":"X"}`},
		{"big numbers stay exact", `{"name":"X","first_seq":18446744073709551615}`, `{"name":"X","first_seq":18446744073709551615}`},
		{"yaml anchors", "name: X\nsources:\n  - &s {name: A}\n  - *s\n", `{"name":"X","sources":[{"name":"A"},{"name":"A"}]}`},
	}
	for _, r := range rows {
		c, err := jsconf.ReadStream("f", []byte(r.in), nil)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		if got, _ := c.MarshalJSON(); string(got) != r.want {
			t.Errorf("%s: %s, want %s", r.name, got, r.want)
		}
	}
}

func TestReadStreamNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, in, want string }{
		{"misspelt", "{\n \"name\":\"X\",\n \"max_mgs\":5\n}", `s.json:3: unknown key "max_mgs"`},
		{"misspelt below", "name: X\nmirror:\n  nam: Y\n", `s.json:3: unknown key "mirror.nam"`},
		{"in a list", "name: X\nsources:\n  - name: A\n  - nme: B\n", `s.json:4: unknown key "sources[1].nme"`},
		{"enumeration", "name: X\n\nretention: limit\n", `s.json:3: retention is "limit", it must be limits, interest or workqueue`},
		{"type", `{"name":"X","max_msgs":"many"}`, `max_msgs is "many", it must be a whole number`},
		{"fraction", `{"name":"X","max_msgs":1.5}`, `max_msgs is 1.5, it must be a whole number`},
		{"too large", `{"name":"X","max_msg_size":3000000000}`, `up to 2147483647`},
		{"duration", `{"name":"X","max_age":"1h junk"}`, `max_age: "1h junk" is no duration`},
		{"list", `{"name":"X","subjects":"a"}`, `subjects must be a list`},
		{"object", `{"name":"X","placement":[]}`, `placement must be an object`},
		{"metadata", "name: X\nmetadata:\n  build: 7\n", `s.json:3: metadata.build must be a string`},
		{"twice", "{\"name\":\"X\",\n\"name\":\"Y\"}", `s.json:2: key "name" stands twice`},
		{"syntax", "{\"name\":\"X\",\n\"a\" 1}", `s.json:2:`},
		{"short", "{\"name\":\"X\",\n", `s.json:2:`},
		{"yaml syntax", "name: X\n\tsubjects: [\n", `s.json:`},
		{"more", `{"name":"X"} {"name":"Y"}`, `something after`},
		{"empty", " \n", `the file is empty`},
		{"scalar", "hello", `this is no configuration`},
		{"all problems", `{"nme":"X","subjcts":[]}`, "\ns.json:1: unknown key \"subjcts\""},
	}
	for _, r := range rows {
		_, err := jsconf.ReadStream("s.json", []byte(r.in), nil)
		if fail.CodeOf(err) != fail.Usage {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		wantText(t, r.name, err.Error(), r.want)
	}
	_, err := jsconf.ReadStream("f", []byte(`{"max_msg":1}`), nil)
	wantText(t, "near name", err.Error()+fail.HintOf(err), "max_msgs")
}

func TestReadStreamTakesWhatTheServerKnows(t *testing.T) {
	t.Parallel()
	current, err := jsconf.ParseWire([]byte(`{"name":"X","brand_new":{"a":1}}`))
	must(t, err)
	c, err := jsconf.ReadStream("f", []byte(`{"name":"X","brand_new":{"a":2}}`), current)
	must(t, err)
	if got, _ := c.MarshalJSON(); string(got) != `{"name":"X","brand_new":{"a":2}}` {
		t.Errorf("%s", got)
	}
	if _, err := jsconf.ReadStream("f", []byte(`{"name":"X","brand_nwe":{"a":2}}`), current); err == nil {
		t.Error("a misspelling of a new key passed")
	}
}

func FuzzReadStream(f *testing.F) {
	for _, s := range []string{`{"name":"X","subjects":["a"]}`, "name: X\nsources: [{name: a}]\n", "a: &a [*a]", "{", "- x", "\x00", "? {a: b}\n: c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := jsconf.ReadStream("f", data, nil)
		if err == nil {
			if _, err := c.MarshalJSON(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	base := `{"name":"X","subjects":["a"],"no_ack":true,"max_msgs":-1,"placement":{"cluster":"c","tags":["t"]},"sources":[{"name":"S1","filter_subject":"f"},{"name":"S2"}],"future":1}`
	source := func(text string) jsconf.Source {
		s, err := jsconf.ParseSource("source", text)
		must(t, err)
		return s
	}
	rows := []struct {
		name string
		s    jsconf.Settings
		old  string
		new  string
	}{
		{"nothing", jsconf.Settings{}, "", ""},
		{"limits", jsconf.Settings{MaxMsgs: ptr(int64(5)), MaxBytes: ptr(int64(0))}, `"max_msgs":-1`, `"max_msgs":5,"max_bytes":-1`},
		{"acks on", jsconf.Settings{Ack: ptr(true)}, `"no_ack":true,`, ``},
		{"unlimited age", jsconf.Settings{MaxAge: ptr(-time.Nanosecond)}, `"max_msgs":-1`, `"max_msgs":-1,"max_age":0`},
		{"clear tags", jsconf.Settings{Tags: []string{""}}, `,"tags":["t"]`, ``},
		{"clear placement", jsconf.Settings{Tags: []string{""}, Cluster: ptr("")}, `"placement":{"cluster":"c","tags":["t"]},`, ``},
		{"work queue", jsconf.Settings{Retention: ptr("work")}, `"subjects":["a"]`, `"subjects":["a"],"retention":"workqueue"`},
		{"transform", jsconf.Settings{TransformSource: ptr("a"), TransformDestination: ptr("b")}, `,"future":1`, `,"subject_transform":{"src":"a","dest":"b"},"future":1`},
		{"add a source", jsconf.Settings{AddSources: []jsconf.Source{source("S3")}}, `{"name":"S2"}`, `{"name":"S2"},{"name":"S3"}`},
		{"replace a source", jsconf.Settings{AddSources: []jsconf.Source{source(`{"name":"S2","opt_start_seq":4}`)}}, `{"name":"S2"}`, `{"name":"S2","opt_start_seq":4}`},
		{"remove a source", jsconf.Settings{RemoveSources: []string{"S1"}}, `{"name":"S1","filter_subject":"f"},`, ``},
		{"new sources", jsconf.Settings{Sources: []jsconf.Source{source("N")}}, `[{"name":"S1","filter_subject":"f"},{"name":"S2"}]`, `[{"name":"N"}]`},
		{"metadata", jsconf.Settings{Metadata: map[string]string{"k": "v=1"}}, `,"future":1`, `,"metadata":{"k":"v=1"},"future":1`},
		{"consumer limits", jsconf.Settings{ConsumerMaxPending: ptr(int64(5))}, `,"future":1`, `,"consumer_limits":{"max_ack_pending":5},"future":1`},
		{"async", jsconf.Settings{PersistMode: ptr("async"), FirstSequence: ptr(uint64(9))}, `,"future":1`, `,"first_seq":9,"persist_mode":"async","future":1`},
	}
	for _, r := range rows {
		c, err := jsconf.ParseWire([]byte(base))
		must(t, err)
		if err := r.s.Apply(c); err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		want := strings.Replace(base, r.old, r.new, 1)
		if got, _ := c.MarshalJSON(); string(got) != canonical(t, want) {
			t.Errorf("%s:\n got %s\nwant %s", r.name, got, canonical(t, want))
		}
	}
}

// canonical is the document with its keys in the order in which configurations are written.
func canonical(t *testing.T, s string) string {
	t.Helper()
	c, err := jsconf.ParseWire([]byte(s))
	must(t, err)
	out, err := c.MarshalJSON()
	must(t, err)
	return string(out)
}

func TestSettingsRefuse(t *testing.T) {
	t.Parallel()
	mirror := jsconf.NewSource("M")
	rows := map[string]jsconf.Settings{
		"--transform-source needs":      {TransformSource: ptr("a")},
		"--republish-destination needs": {RepublishDestination: ptr("a")},
		"--republish-headers needs":     {RepublishHeaders: ptr(true)},
		"--mirror and --subjects":       {Mirror: &mirror, Subjects: []string{"a"}},
		"--mirror and --source":         {Mirror: &mirror, Sources: []jsconf.Source{mirror}},
		"--max-msg-size 2147483648":     {MaxMsgSize: ptr(int64(2147483648))},
		"--replicas 0":                  {Replicas: ptr(int64(0))},
		`"a..b" has an empty token`:     {Subjects: []string{"a..b"}},
	}
	for want, s := range rows {
		err := s.Apply(jsconf.DefaultStream("X"))
		if fail.CodeOf(err) != fail.Usage {
			t.Errorf("%s: %v", want, err)
			continue
		}
		wantText(t, "error", err.Error(), want)
	}
	if err := (&jsconf.Settings{RemoveSources: []string{"S"}}).Apply(jsconf.DefaultStream("X")); fail.CodeOf(err) != fail.NotFound {
		t.Errorf("removing a source that is not there: %v", err)
	}
}

func TestParseSource(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"name":`:               "--mirror",
		`{"filter_subject":"a"}`: "no name",
		`{"nam":"A"}`:            `unknown key "nam"`,
		`a.b`:                    "--mirror",
		`{"name":"A","filter_subject":"a","subject_transforms":[]}`: "exclude each other",
	} {
		_, err := jsconf.ParseSource("mirror", text)
		if fail.CodeOf(err) != fail.Usage {
			t.Errorf("%s: %v", text, err)
			continue
		}
		wantText(t, text, err.Error(), want)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cfg := jsconf.DefaultStream("X")
	s := jsconf.NewSource("A").StartingSince(at).External("$JS.far.API", "").Durable("D", "d.x")
	must(t, (&jsconf.Settings{Mirror: &s}).Apply(cfg))
	typed, err := cfg.Stream()
	must(t, err)
	if m := typed.Mirror; m.Name != "A" || !m.OptStartTime.Equal(at) || m.External.ApiPrefix != "$JS.far.API" || m.Consumer.Name != "D" || len(typed.Subjects) > 0 {
		t.Errorf("%+v", m)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	rows := []struct{ a, b, want string }{
		{`{"name":"X","metadata":{}}`, `{"name":"X"}`, ""},
		{`{"name":"X","metadata":{"_nats.level":"1"}}`, `{"name":"X","metadata":null}`, ""},
		{`{"subjects":["a","b"]}`, `{"subjects":["b","a"]}`, ""},
		{`{"retention":"limits","max_msgs":-1,"no_ack":false,"consumer_limits":{},"duplicate_window":120000000000}`, `{}`, ""},
		{`{"max_age":60000000000,"duplicate_window":60000000000}`, `{"max_age":60000000000}`, ""},
		{`{"max_msgs":-1}`, `{"max_msgs":100}`, "- max_msgs: unlimited\n+ max_msgs: 100"},
		{`{"subjects":["a"]}`, `{"subjects":["a","extra"]}`, "+ subjects: extra"},
		{`{"max_age":0}`, `{"max_age":3600000000000}`, "+ max_age: 1h0m0s"},
		{`{"placement":{"cluster":"a"}}`, `{}`, "- placement.cluster: a"},
		{`{"future":{"a":1}}`, `{"future":{"a":2}}`, "- future.a: 1\n+ future.a: 2"},
		{`{"sources":[{"name":"A"}]}`, `{"sources":[{"name":"A","filter_subject":"f"}]}`, "- sources: [{\"name\":\"A\"}]\n+ sources: [{\"filter_subject\":\"f\",\"name\":\"A\"}]"},
		{`{"first_seq":18446744073709551614}`, `{"first_seq":18446744073709551615}`, "- first_seq: 18446744073709551614\n+ first_seq: 18446744073709551615"},
	}
	for _, r := range rows {
		a, err := jsconf.ParseWire([]byte(r.a))
		must(t, err)
		b, err := jsconf.ParseWire([]byte(r.b))
		must(t, err)
		changes, err := jsconf.DiffStreams(a, b)
		must(t, err)
		var lines []string
		for _, c := range changes {
			lines = append(lines, c.Lines()...)
		}
		if got := strings.Join(lines, "\n"); got != r.want {
			t.Errorf("%s → %s:\n got %s\nwant %s", r.a, r.b, got, r.want)
		}
	}
}

func TestValidateStream(t *testing.T) {
	t.Parallel()
	rows := []struct {
		s    jsconf.Settings
		want string
	}{
		{jsconf.Settings{Subjects: []string{"a.>"}}, ""},
		{jsconf.Settings{Subjects: []string{">"}}, "acknowledgements"},
		{jsconf.Settings{Subjects: []string{">"}, Ack: ptr(false)}, ""},
		{jsconf.Settings{Replicas: ptr(int64(9))}, "num_replicas: must be 5 or less"},
		{jsconf.Settings{DiscardPerSubject: ptr(true)}, "needs discard new"},
		{jsconf.Settings{Description: ptr(strings.Repeat("x", 5000))}, "description: must have at most 4096"},
		{jsconf.Settings{MaxAge: ptr(time.Second)}, "duplicate_window"},
	}
	for _, r := range rows {
		c := jsconf.DefaultStream("X")
		must(t, r.s.Apply(c))
		reasons, err := jsconf.ValidateStream(c)
		must(t, err)
		got := strings.Join(reasons, "; ")
		if r.want == "" && got != "" || !strings.Contains(got, r.want) {
			t.Errorf("%+v: %q, want %q", r.s, got, r.want)
		}
	}
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	const pub = "io.nats.jetstream.api.v1.pub_ack_response"
	rows := []struct{ schema, doc, want string }{
		{jsconf.StreamSchema, `{"retention":"limits","max_consumers":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0,"storage":"file","num_replicas":1}`, ""},
		{jsconf.StreamSchema, `{}`, "retention is required"},
		{jsconf.StreamSchema, `{"retention":"limits","max_consumers":-2,"max_msgs":9223372036854775808,"max_bytes":-1,"max_age":0,"storage":"disk","num_replicas":1.5,"x":1}`,
			"additional property x"},
		{jsconf.StreamSchema, `[]`, "(root): must be object, is array"},
		{pub, `{"stream":"X","seq":1}`, ""},
		{pub, `{"stream":"X","seq":-1}`, "seq"},
	}
	for _, r := range rows {
		reasons, err := jsconf.CheckSchema(r.schema, []byte(r.doc))
		if err != nil {
			t.Errorf("%s: %v", r.doc, err)
			continue
		}
		got := strings.Join(reasons, "; ")
		if r.want == "" && got != "" || !strings.Contains(got, r.want) {
			t.Errorf("%s: %q, want %q", r.doc, got, r.want)
		}
	}
	reasons, _ := jsconf.CheckSchema(jsconf.StreamSchema, []byte(rows[2].doc))
	wantText(t, "all reasons", strings.Join(reasons, "; "), "max_consumers: must be -1 or more", "max_msgs: must be 9223372036854775807 or less", "storage: must be one of", "num_replicas: must be integer")
	if _, err := jsconf.CheckSchema("io.nats.none", []byte("{}")); err == nil {
		t.Error("an unknown schema passed")
	}
	if _, err := jsconf.CheckSchema(pub, []byte("{")); err == nil {
		t.Error("no JSON passed")
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	good := map[string]time.Duration{
		"0": 0, "5s": 5 * time.Second, "1d": 24 * time.Hour, "1w": 168 * time.Hour, "1M": 720 * time.Hour, "1y": 8760 * time.Hour,
		"1.5d": 36 * time.Hour, "1h30m": 90 * time.Minute, "1µs": time.Microsecond, "1μs": time.Microsecond, "-1d": -24 * time.Hour,
	}
	for text, want := range good {
		if got, err := jsconf.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "1", "abc", "5x", "foo 1d bar", "1d 2h", "1d-2h", "300y", "1.2.3h", "1e3s"} {
		if got, err := jsconf.ParseDuration(bad); err == nil {
			t.Errorf("%q passed as %s", bad, got)
		}
	}
}

func TestCommentedYAMLReadsBack(t *testing.T) {
	t.Parallel()
	c, err := jsconf.ParseWire([]byte(`{"name":"X","description":"yes","subjects":["a.>","*"],"max_age":5400000000000,"max_msgs":-1,"first_seq":18446744073709551615,"no_ack":true,
"sources":[{"name":"S","opt_start_time":"2026-01-02T15:04:05Z"}],"metadata":{"k":"1"},"consumer_limits":{"inactive_threshold":3600000000000},"brand_new":{"a":[1,"x"]}}`))
	must(t, err)
	text, err := jsconf.CommentedYAML(c)
	must(t, err)
	wantText(t, "YAML", string(text), "max_age: 1h30m0s", "\n# ", "duration", "limits", "brand_new:")
	back, err := jsconf.ReadStream("f", text, c)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if changes, err := jsconf.DiffStreams(c, back); err != nil || len(changes) > 0 {
		t.Errorf("%v %+v\n%s", err, changes, text)
	}
}

func TestKeepUnknown(t *testing.T) {
	t.Parallel()
	before, err := jsconf.ParseWire([]byte(`{"name":"X","max_msgs":5,"brand_new":1,"other_new":2}`))
	must(t, err)
	after, err := jsconf.ParseWire([]byte(`{"name":"X","other_new":3}`))
	must(t, err)
	after.KeepUnknown(before, api.StreamConfig{})
	if got, _ := after.MarshalJSON(); string(got) != `{"name":"X","brand_new":1,"other_new":3}` {
		t.Errorf("%s", got)
	}
}
