package stream

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/testkit"
)

func TestSubjectsAsTheyCome(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("stream add ORDERS --subjects 'orders.>' --defaults")
	if out := c.OK("stream subjects ORDERS --sort none").Out; !strings.Contains(out, "No subjects found matching >") {
		t.Errorf("%q", out)
	}
	if out := c.OK("stream subjects ORDERS --sort none --json").Out; out != "{}\n" {
		t.Errorf("%q", out)
	}
	testkit.Store(t, srv.JS(), "orders.a", 3, "one")
	testkit.Store(t, srv.JS(), "orders.b", 1, "one")
	lines := strings.Split(strings.TrimSpace(c.OK("stream subjects ORDERS --sort none").Out), "\n")
	slices.Sort(lines)
	if got := strings.Join(lines, "|"); got != "orders.a: 3|orders.b: 1" {
		t.Errorf("%q", got)
	}
	if got := decode[map[string]uint64](t, c.OK("stream subjects ORDERS --sort none --json").Out); got["orders.a"] != 3 || len(got) != 2 {
		t.Errorf("%v", got)
	}
	if got := decode[[]string](t, c.OK("stream subjects ORDERS 'orders.b' --sort none --names --json").Out); !slices.Equal(got, []string{"orders.b"}) {
		t.Errorf("%v", got)
	}
}

// TestSubjectsKeepTheirTexts adds more than a block holds, texts larger than a block among them.
func TestSubjectsKeepTheirTexts(t *testing.T) {
	t.Parallel()
	l := &subjectList{}
	text := func(i int) string {
		if i%1000 == 999 {
			return strings.Repeat(fmt.Sprint(i%10), blockSize+i)
		}
		return fmt.Sprintf("some.subject.%d", i)
	}
	const n = 20_000
	for i := range n {
		l.add(text(i), uint64(i))
	}
	for i, r := range l.rows {
		if r.subject != text(i) || r.count != uint64(i) {
			t.Fatalf("row %d is %.40q: %d", i, r.subject, r.count)
		}
	}
	l.arrange("count", false)
	if l.rows[0].count != n-1 {
		t.Errorf("%d messages come first", l.rows[0].count)
	}
	l.arrange("none", true)
	if l.rows[0].count != 0 {
		t.Errorf("turned round, %d messages come first", l.rows[0].count)
	}
}

// A subject that changed while the list was made is in it once.
func TestSubjectsThatCameTwice(t *testing.T) {
	t.Parallel()
	l := &subjectList{}
	for _, r := range []subjectRow{{"b", 1}, {"a", 1}, {"c", 2}, {"b", 4}, {"a", 1}} {
		l.add(r.subject, r.count)
	}
	l.arrange("messages", false)
	if got := asJSON(t, l); got != `{"b":4,"c":2,"a":1}` {
		t.Errorf("%s", got)
	}
}
