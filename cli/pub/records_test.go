package pub

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

func TestRecordsNDJSON(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "in.>")
	lines := `{"subject":"in.a","data":"text","headers":{"K":["1","2"]},"reply":"back","ttl":"1h","id":"m1"}

{"data":{"id":1}}
{"subject":"in.b","data_base64":"/w==","number":7,"time":"2026-01-02T15:04:05Z","size":1}
`
	r := c.Stdin(lines).OK("pub 'in.{{Count}}' --from ndjson -H Common:x")
	if !strings.Contains(r.Err, "Published 3 of 3 records") {
		t.Errorf("stderr is %q", r.Err)
	}
	got := h.only(3)
	if m := got[0]; m.Subject != "in.a" || string(m.Data) != "text" || m.Reply != "back" || len(m.Header["K"]) != 2 || m.Header.Get("Nats-TTL") != "1h" ||
		m.Header.Get("Nats-Msg-Id") != "m1" || m.Header.Get("Common") != "x" {
		t.Errorf("first is %s %v %q", m.Subject, m.Header, m.Data)
	}
	if m := got[1]; m.Subject != "in.2" || string(m.Data) != `{"id":1}` {
		t.Errorf("second is %s %q", m.Subject, m.Data)
	}
	if m := got[2]; string(m.Data) != "\xff" {
		t.Errorf("third is %q", m.Data)
	}
}

func TestRecordsCSV(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	addStream(t, srv, jetstream.StreamConfig{Name: "IN", Subjects: []string{"in.>"}, AllowMsgTTL: true})
	c.Stdin("subject,data,header:K,ttl,id\nin.a,\"two\nlines\",v,10s,1\nin.b,x,,,2\nin.b,x,,,2\n").OK("pub in.none -J --from csv")
	got := testkit.Stored(t, srv.JS(), "IN")
	if len(got) != 2 || string(got[0].Data) != "two\nlines" || got[0].Header.Get("K") != "v" || got[0].Header.Get("Nats-TTL") != "10s" || got[1].Subject != "in.b" {
		t.Errorf("stored %+v", got)
	}
}

// TestRecordsThatFail are told with their line, kept as they came, and leave the others alone; the file can be tried again.
func TestRecordsThatFail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ format, in, rejected string }{
		{"ndjson", "{\"subject\":\"in.a\",\"data\":\"1\"}\nnonsense\n{\"subject\":\"in.*\"}\n{\"subject\":\"in.a\",\"bdoy\":\"1\"}\n{\"subject\":\"out\"}\n{\"subject\":\"in.a\",\"ttl\":\"soon\"}\n{\"subject\":\"in.b\"}\n",
			"nonsense\n{\"subject\":\"in.*\"}\n{\"subject\":\"in.a\",\"bdoy\":\"1\"}\n{\"subject\":\"in.a\",\"ttl\":\"soon\"}\n{\"subject\":\"out\"}\n"},
		{"csv", "subject,data\nin.a,1\nin.*,x\na,b,c\nout,1\nin.a,soon,1\nin.b,1\n", "subject,data\nin.*,x\na,b,c\nin.a,soon,1\nout,1\n"},
	} {
		t.Run(row.format, func(t *testing.T) {
			t.Parallel()
			c, srv := setup(t)
			addStream(t, srv, jetstream.StreamConfig{Name: "IN", Subjects: []string{"in.>"}})
			r := c.Stdin(row.in).Fails(fail.Partial, "pub none -J --json --from "+row.format+" --error-file bad", "messages were not published")
			var got receipt
			if err := json.Unmarshal([]byte(r.Out), &got); err != nil {
				t.Fatal(err)
			}
			if got.Published != 2 || got.Failures != uint64(len(got.Failed)) || got.Failed[0].Line == 0 || len(testkit.Stored(t, srv.JS(), "IN")) != 2 {
				t.Errorf("receipt is %+v", got)
			}
			text, err := os.ReadFile(c.Path("bad"))
			if err != nil {
				t.Fatal(err)
			}
			if sorted(string(text)) != sorted(row.rejected) {
				t.Errorf("rejected\n%s\nwant\n%s", text, row.rejected)
			}
		})
	}
}

// sorted makes the order of what a stream refuses, and what never gets there, the same.
func sorted(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		for j := range i {
			if lines[i] < lines[j] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}

func TestRecordsInABatchAreAllOrNone(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	addStream(t, srv, jetstream.StreamConfig{Name: "IN", Subjects: []string{"in.>"}, AllowAtomicPublish: true})
	c.Stdin("{\"subject\":\"in.a\"}\nnonsense\n").Fails(fail.Failure, "pub in.x --atomic --from ndjson", "nothing of the batch was stored: line 2")
	if n := len(testkit.Stored(t, srv.JS(), "IN")); n != 0 {
		t.Errorf("%d messages are stored", n)
	}
	c.Stdin("{\"subject\":\"in.a\"}\n{\"data\":\"b\"}\n").OK("pub in.x --atomic --from ndjson")
	if n := len(testkit.Stored(t, srv.JS(), "IN")); n != 2 {
		t.Errorf("%d messages are stored", n)
	}
}

func TestHeaderFile(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	if err := os.WriteFile(c.Path("h"), []byte("# own\nA: 1\nB: {{Count}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.OK("pub foo x --header-file h -H C:3")
	if m := h.next(); m.Header.Get("A") != "1" || m.Header.Get("B") != "1" || m.Header.Get("C") != "3" {
		t.Errorf("headers are %v", m.Header)
	}
	c.Fails(fail.NotFound, "pub foo x --header-file nowhere", "nowhere")
}

func TestRecordRules(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	for _, line := range []string{"pub a body --from csv", "pub a --from csv --count 2", "pub a --error-file x", "pub a --from xml"} {
		c.Fails(fail.Usage, line)
	}
	c.Stdin("subjcet,data\na,b\n").Fails(fail.Usage, "pub a --from csv", "did you mean subject")
}
