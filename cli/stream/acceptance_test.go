package stream

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// Cases 9 and 10: a purge of one subject, and one that is refused.
func TestCase9And10_Purge(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	c.Fails(fail.Usage, "stream purge ORDERS --seq 3 --keep 2 -f", "--seq and --keep")
	c.Fails(fail.Usage, "stream purge ORDERS --seq 0 -f", "--seq") // nothing is below it: that is not all
	if n := info(t, srv, "ORDERS").State.Msgs; n != 7 {
		t.Fatalf("%d messages are left", n)
	}
	out := c.OK("stream purge ORDERS --subject orders.new -f").Out
	if !strings.HasPrefix(out, "Purged 6 messages from ORDERS\n\nState for Stream ORDERS created ") {
		t.Errorf("%s", out)
	}
	if n := info(t, srv, "ORDERS").State.Msgs; n != 1 {
		t.Errorf("%d messages are left", n)
	}
}

// Case 40: what is no JSON is refused before a server is asked.
func TestCase40_BrokenSource(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	for _, bad := range []string{`{"name":}`, `{"filter_subject":"a"}`, `{"name":""}`} {
		if r := c.Args("stream", "add", "S", "--source", bad, "--defaults"); r.Code != fail.Usage || !strings.Contains(r.Err, "--source") {
			t.Errorf("%s: %d, %s", bad, r.Code, r.Err)
		}
	}
}

// Case 42: the questions about a mirror are in order, and a durable consumer of its own spares those about start and delivery.
func TestCase42_MirrorQuestions(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	const rest = "--storage file --replicas 1 --retention limits --discard old --max-msgs -1 --max-bytes -1 --max-age -1 --max-msg-size -1 --no-allow-rollup --no-deny-delete --no-deny-purge --dupe-window 1m"
	c.Answers(answering(t, "custom durable consumer=n", "Adjust mirror start=n", "Adjust mirror filter=n", "different JetStream domain=y", "Foreign JetStream domain name=far", "Delivery prefix=deliver.far")).
		OK("stream add FAR --mirror ORDERS " + rest)
	if e := config(t, srv, "FAR").Mirror.External; e == nil || e.APIPrefix != "$JS.far.API" || e.DeliverPrefix != "deliver.far" {
		t.Errorf("%+v", e)
	}
	c.Answers(answering(t, "custom durable consumer=n", "Adjust mirror start=n", "Adjust mirror filter=n", "different JetStream domain=n", "different account=y",
		"Foreign account API prefix=JS.acc", "Foreign account delivery prefix=deliver.acc")).OK("stream add ACC --mirror ORDERS " + rest)
	if e := config(t, srv, "ACC").Mirror.External; e == nil || e.APIPrefix != "JS.acc" || e.DeliverPrefix != "deliver.acc" {
		t.Errorf("%+v", e)
	}
	// The server of today may refuse such a mirror: what would be sent is what counts.
	r := c.Answers(answering(t, "custom durable consumer=y", "Durable consumer name=D", "Delivery subject=d.x", "Adjust mirror filter=n", "different JetStream domain=y", "Foreign JetStream domain name=far")).
		Run("stream add DUR --mirror ORDERS --validate " + rest)
	contains(t, "configuration", r.Out, `"api": "$JS.far.API"`, `"name": "D"`, `"deliver_subject": "d.x"`)
}

// Case 44: where a size is required --defaults sends 256 MiB.
func TestCase44_DefaultSize(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig(`
accounts { B { jetstream { max_memory: 1MiB, max_store: 1GiB, max_bytes_required: true }, users: [ { user: b, password: b } ] } }
no_auth_user: b`))
	c := clitest.New(t, Command()).Server(srv.URL())
	out := c.OK("stream add D --subjects d --defaults --json").Out
	contains(t, "configuration", out, `"max_bytes": 268435456`)
	asked := answering(t, "Storage", "Replication", "Retention", "Discard", "Stream Messages", "Per Subject", "Total Stream Size=-1", "Total Stream Size=", "Message TTL", "Max Message Size",
		"Duplicate", "Roll-ups", "deletion", "purging")
	contains(t, "answered with the default", c.Answers(asked).OK("stream add S --subjects s --json").Out, `"max_bytes": 268435456`)
}

// Cases 50 to 53: sizes and ages, right or refused, never silently unlimited.
func TestCase50To53_SizesAndAges(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	validate := func(flags ...string) clitest.Result {
		return c.Args(append([]string{"stream", "add", "V", "--subjects", "v", "--defaults", "--validate"}, flags...)...)
	}
	for size, want := range map[string]string{
		"1000": "1000", "4GB": "4294967296", "4gib": "4294967296", "1kb": "1024", "10T": "10995116277760", "-1": "-1", "": "-1", "3000000000": "3000000000", "3000000000B": "3000000000", "1.5GB": "1610612736",
	} {
		if r := validate("--max-bytes=" + size); r.Code != fail.OK || !strings.Contains(r.Out, `"max_bytes": `+want+",") {
			t.Errorf("%q: %d, %s%s", size, r.Code, r.Out, r.Err)
		}
	}
	for _, size := range []string{"10PB", "10XX", "1 KB", "9000000T", "2147483647T", "9223372036854775808", "five"} {
		if r := validate("--max-bytes=" + size); r.Code != fail.Usage || !strings.Contains(r.Err, "--max-bytes") {
			t.Errorf("%q: %d, %s%s", size, r.Code, r.Out, r.Err)
		}
	}
	for age, want := range map[string]time.Duration{
		"0": 0, "-1": 0, "5s": 5 * time.Second, "1d": 24 * time.Hour, "1w": 7 * 24 * time.Hour, "1M": 30 * 24 * time.Hour, "1y": 365 * 24 * time.Hour, "1.5d": 36 * time.Hour, "1h30m": 90 * time.Minute,
		"150000000µs": 150 * time.Second,
	} {
		if r := validate("--max-age=" + age); r.Code != fail.OK || !strings.Contains(r.Out, fmt.Sprintf(`"max_age": %d,`, want)) {
			t.Errorf("%q: %d, %s%s", age, r.Code, r.Out, r.Err)
		}
	}
	for _, age := range []string{"1", "abc", "5x", "foo 1d bar", "1d-2h", "300y", "-5m"} {
		if r := validate("--max-age=" + age); r.Code != fail.Usage || !strings.Contains(r.Err, "--max-age") {
			t.Errorf("%q: %d, %s%s", age, r.Code, r.Out, r.Err)
		}
	}
}

// Case 60: the report is sorted by bytes, and --raw changes the numbers alone.
func TestCase60_Report(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	c.OK("stream add LARGE --subjects large --defaults")
	testkit.Store(t, srv.JS(), "large", 1, strings.Repeat("x", 2048))
	c.OK("stream add EMPTY --subjects empty --defaults")
	var heads []string
	for _, flags := range []string{"", " --raw"} {
		out := c.OK("stream report" + flags).Out
		e, o, l := strings.Index(out, "│ EMPTY "), strings.Index(out, "│ ORDERS "), strings.Index(out, "│ LARGE ")
		if e < 0 || e > o || o > l {
			t.Errorf("not by bytes:\n%s", out)
		}
		contains(t, "report", out, "│ Stream │ Storage │ Placement │ Consumers │ Messages │ Bytes")
		heads = append(heads, columns(t, out, "│ Stream "))
		if got := len(strings.Split(columns(t, out, "│ LARGE "), "|")); got != len(strings.Split(heads[0], "|")) {
			t.Errorf("%d cells:\n%s", got, out)
		}
	}
	if want := "Stream|Storage|Placement|Consumers|Messages|Bytes|Lost|Deleted|API Level|Replicas"; heads[0] != want || heads[1] != want {
		t.Errorf("%q", heads)
	}
}

// columns are the cells of the first row of a table that begins with the text.
func columns(t *testing.T, table, begin string) string {
	t.Helper()
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, begin) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "│"), "│")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			return strings.Join(cells, "|")
		}
	}
	t.Fatalf("no row %q in\n%s", begin, table)
	return ""
}

// offered is a person who is shown a list and takes the first of it.
type offered struct {
	*person
	options []string
}

func (o *offered) Select(_ context.Context, _ prompt.Question, options []string) (int, error) {
	o.options = options
	return 0, nil
}

// Case 64: internal streams are offered with -a alone.
func TestCase64_Picker(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "B"})
	if _, err := srv.JS().CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{Bucket: "O"}); err != nil {
		t.Fatal(err)
	}
	c.OK("stream add ALPHA --subjects alpha --defaults")
	for line, want := range map[string]string{"stream info": "ALPHA ORDERS", "stream info -a": "ALPHA KV_B OBJ_O ORDERS"} {
		o := &offered{person: answering(t)}
		contains(t, "info", c.Answers(o).OK(line).Out, "Information for Stream ALPHA")
		if got := strings.Join(o.options, " "); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// Case 119: tables for machines have no title; a model of language gets Markdown.
func TestCase119_Tables(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	out := c.Env("LLMFORMAT", "1").OK("stream ls").Out
	contains(t, "Markdown", out, "| Name ", "| ORDERS ", "| ---")
	if strings.Contains(out, "│") {
		t.Errorf("%s", out)
	}
	contains(t, "Markdown", c.Env("LLMFORMAT", "1").OK("stream info ORDERS").Out, "# Information for Stream ORDERS", "## State", "- **Messages:** 7")
	if tsv := c.Env("NATS_TABLE_FORMAT", "tsv").OK("stream report").Out; !strings.HasPrefix(tsv, "Stream\tStorage\t") {
		t.Errorf("%q", tsv)
	}
}

// Case 121: the pager shows its page, asks, and leaves no consumer behind, however it ends.
func TestCase121_View(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	none := func(when string) {
		t.Helper()
		if n := info(t, srv, "ORDERS").State.Consumers; n != 0 {
			t.Errorf("%d consumers were left %s", n, when)
		}
	}
	tty := c.TTY(80).Env("NO_COLOR", "1")
	r := tty.Answers(answering(t, "Next Page?", "Next Page?")).OK("stream view ORDERS 3")
	if n := strings.Count(r.Out, "] Subject: orders."); n != 7 {
		t.Errorf("%d messages: %s", n, r.Out)
	}
	contains(t, "stderr", r.Err, "Reached apparent end of data")
	none("at the end")
	if r = tty.Answers(answering(t, "Next Page?=n")).OK("stream view ORDERS 3"); strings.Count(r.Out, "] Subject: orders.") != 3 {
		t.Errorf("%s", r.Out)
	}
	none("after the first page")
	if r = tty.Answers(prompttest.Scripted(t, fail.ErrInterrupted)).OK("stream view ORDERS 3"); strings.Count(r.Out, "] Subject: orders.") != 3 {
		t.Errorf("%s", r.Out)
	}
	none("after ^C")
}

// Case 125: nothing that moves is drawn where nobody sees it.
func TestCase125_NoProgress(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	c.OK("stream rmm ORDERS 2 -f")
	for _, line := range []string{"gaps ORDERS -f --progress", "backup ORDERS B", "cat ORDERS", "grep ORDERS msg", "ls", "report"} {
		if r := c.OK("stream " + line); strings.ContainsAny(r.Out+r.Err, "\r\x1b") {
			t.Errorf("%s: %q %q", line, r.Out, r.Err)
		}
	}
}
