package errors

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func codes(t *testing.T, text string) []uint16 {
	t.Helper()
	var list []server.ErrorsData
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var out []uint16
	for _, x := range list {
		out = append(out, x.ErrCode)
	}
	return out
}

func write(t *testing.T, c *clitest.CLI, name, text string) {
	t.Helper()
	if err := os.WriteFile(c.Path(name), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *clitest.CLI, name string) string {
	t.Helper()
	data, err := os.ReadFile(c.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const two = `[{"constant":"AErr","code":400,"error_code":10001,"description":"alpha","since":"2.1"},
 {"constant":"BErr","code":404,"error_code":10002,"description":"beta <b>","help":"look there"}]`

func TestLs(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	all := codes(t, c.OK("errors ls --json").Out)
	if len(all) < 200 || all[0] != 10002 {
		t.Errorf("%d errors, the first is %v", len(all), all[:1])
	}
	if back := codes(t, c.OK("errors ls . code -R --json").Out); back[len(back)-1] != all[0] || back[0] != all[len(all)-1] {
		t.Errorf("not the other way round: %v", back)
	}
	if out := c.OK("errors ls PURGE").Out; !strings.Contains(out, "10110") || !strings.Contains(out, "NATS Errors") || !strings.Contains(out, "NATS Code") {
		t.Errorf("ls PURGE: %s", out)
	}
	for _, order := range []string{"d", "desc", "descr", "description", "http"} {
		if n := len(codes(t, c.OK("errors ls . "+order+" --json").Out)); n != len(all) {
			t.Errorf("%d errors sorted by %s", n, order)
		}
	}
	write(t, c, "list.json", two)
	if got := codes(t, c.OK("err ls --errors list.json . d -R --json").Out); len(got) != 2 || got[0] != 10002 {
		t.Errorf("own list: %v", got)
	}
	c.Fails(fail.Usage, "errors ls '('", `"("`)
	c.Fails(fail.Usage, "errors ls . nothing")
	c.Fails(fail.NotFound, "errors ls nothinglikethis", "nothinglikethis")
	c.Fails(fail.NotFound, "errors --errors nowhere.json ls", "nowhere.json")
	write(t, c, "bad.json", `{"a":1}`)
	c.Fails(fail.Failure, "errors --errors bad.json ls", "bad.json", "no list of errors")
}

func TestLookup(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	want := `NATS Error Code: 10059

        Description: stream not found
          HTTP Code: 404
  Go Index Constant: JSStreamNotFoundErr

 No further information available
`
	for _, word := range []string{"10059", "jsstreamnotfounderr"} {
		if out := c.OK("errors lookup " + word).Out; out != want {
			t.Errorf("lookup %s:\n%s", word, out)
		}
	}
	if got := codes(t, c.OK("error find 10059 JSConsumerNotFoundErr 10059 --json").Out); len(got) != 2 || got[1] != 10014 {
		t.Errorf("several: %v", got)
	}
	if got := codes(t, c.OK("errors get 'Stream not found' --json").Out); len(got) == 0 {
		t.Errorf("by text: %v", got)
	}
	if r := c.Fails(fail.NotFound, "errors lookup 1", `"1"`); r.Out != "" {
		t.Errorf("printed %q", r.Out)
	}
	c.Fails(fail.NotFound, "errors lookup 99999999", "99999999")
	c.Fails(fail.NotFound, "errors lookup 10059 ''", `""`)
	c.TTY(80).Fails(fail.NotFound, "errors lookup JSStreamNotFoundEr1", "JSStreamNotFoundErr")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	write(t, c, "list.json", two)
	for _, line := range []string{"errors validate list.json", "errors --errors list.json validate"} {
		if out := c.OK(line).Out; out != "Validated 2 errors\n" {
			t.Errorf("%s: %q", line, out)
		}
	}
	for _, row := range []struct{ entry, says string }{
		{`{"constant":"A","code":400,"error_code":1500,"description":"a"}`, "error_code must be 10000 or more"},
		{`{"constant":"A","error_code":10001,"description":"a"}`, "HTTP code"},
		{`{"code":400,"error_code":10001,"description":"a"}`, "constant is required"},
		{`{"constant":"A","code":400,"error_code":10001}`, "description is required"},
		{`{"constant":"AF","code":400,"error_code":10001,"description":"{err}"}`, "needs a comment"},
		{`{"constant":"AF","code":400,"error_code":10001,"description":"a {err"}`, "do not match"},
		{`{"constant":"AF","code":400,"error_code":10001,"description":"a} b"}`, "do not match"},
		{`{"constant":"A","code":400,"error_code":10001,"description":"a {err}"}`, "must end in F"},
		{`{"constant":"A","code":400,"error_code":10001,"description":"a"},{"constant":"B","code":400,"error_code":10001,"description":"b"}`, "that of A too"},
		{`{"constant":"A","code":400,"error_code":10001,"description":"a"},{"constant":"A","code":400,"error_code":10002,"description":"b"}`, "that of 10001 too"},
	} {
		r := c.Stdin("["+row.entry+"]").Fails(fail.Failure, "errors validate -", "not valid")
		if !strings.Contains(r.Out, " failed: ") || !strings.Contains(r.Out, row.says) {
			t.Errorf("%s: %q", row.entry, r.Out)
		}
	}
	c.Stdin(`[{"constant":"AF","code":400,"error_code":10001,"description":"{err}","comment":"c"}]`).OK("errors validate -")
	c.Fails(fail.NotFound, "errors validate nowhere.json", "nowhere.json")
}

// TestEdit: one error changes, the others and the keys that this program does not know stay.
func TestEdit(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	write(t, c, "list.json", two)
	swap := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), from, to)) }
	}
	if out := c.Answers(prompttest.Scripted(t, swap("alpha", "gamma"))).OK("errors edit list.json 10001").Out; !strings.Contains(out, "Changed error 10001") || !strings.Contains(out, "Validated 2 errors") {
		t.Errorf("edit: %q", out)
	}
	text := read(t, c, "list.json")
	for _, part := range []string{`"gamma"`, `"since": "2.1"`, `"beta <b>"`, `"help": "look there"`} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
	if info, err := os.Stat(c.Path("list.json")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode of the file changed: %v %v", info.Mode(), err)
	}
	fill := func(b []byte) []byte {
		if !strings.Contains(string(b), `"error_code": 10003`) {
			t.Errorf("offered %s", b)
		}
		b = swap(`"constant": ""`, `"constant": "CErr"`)(swap(`"code": 0`, `"code": 500`)(b))
		return swap(`"description": ""`, `"description": "delta"`)(b)
	}
	c.Answers(prompttest.Scripted(t, fill)).OK("errors add list.json")
	if got := codes(t, read(t, c, "list.json")); len(got) != 3 || got[2] != 10003 {
		t.Errorf("added: %v", got)
	}
}

func TestEditByFile(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	entry := `{"constant":"AErr","code":400,"error_code":10000,"description":"a"}`
	c.Stdin(entry).OK("errors new new.json --entry -")
	if info, err := os.Stat(c.Path("new.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("new file: %v %v", info, err)
	}
	before := read(t, c, "new.json")
	c.Stdin(strings.Replace(entry, "description", "descripton", 1)).Fails(fail.Usage, "errors edit new.json 10000 --entry -", "descripton", "description")
	c.Stdin(strings.Replace(entry, "400", "0", 1)).Fails(fail.Usage, "errors edit new.json 10000 --entry -", "HTTP code")
	c.Fails(fail.NotFound, "errors edit new.json 10005", "10005", "new.json")
	c.Fails(fail.Usage, "errors edit new.json 10000", "--entry")
	c.Fails(fail.Usage, "errors edit -", "standard input")
	if after := read(t, c, "new.json"); after != before {
		t.Errorf("the file changed: %s", after)
	}
	// What was edited is saved although something else in the list is wrong.
	write(t, c, "list.json", `[{"constant":"A","code":400,"error_code":10001,"description":"a"},{"constant":"B","error_code":10002,"description":"b"}]`)
	r := c.Stdin(`{"constant":"A","code":400,"error_code":10001,"description":"new"}`).Fails(fail.Failure, "errors vi list.json 10001 --entry -", "1 of 2")
	if !strings.Contains(r.Out, "10002 failed:") || !strings.Contains(read(t, c, "list.json"), `"new"`) {
		t.Errorf("%q", r.Out)
	}
}

func TestViews(t *testing.T) {
	list, err := parse("list", []byte(two))
	if err != nil {
		t.Fatal(err)
	}
	both := []server.ErrorsData{list[0].ErrorsData, list[1].ErrorsData}
	both[0].Comment, both[1].URL, both[1].Deprecates = "the first", "https://docs.example.com/b", "OldBErr"
	bad := verdict{Checked: 2, Failures: []failure{{10002, "BErr", []string{"code, the HTTP code, is required", "description is required"}}}}
	viewtest.Golden(t, "ls", listing(both))
	viewtest.Golden(t, "lookup", explained(both))
	viewtest.Golden(t, "validate", bad)
	viewtest.Golden(t, "edit", saved{File: "list.json", Added: true, Error: both[0], List: verdict{Checked: 2, Failures: []failure{}}})
}
