package bench

import (
	"os"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Server(t).URL())
	c.OK("bench pub b --msgs 500 --report a.json")
	data, err := os.ReadFile(c.Path("a.json"))
	if err != nil {
		t.Fatal(err)
	}
	slower := strings.ReplaceAll(string(data), `"messages_per_second": `, `"messages_per_second": 0.00001e-9,"was": `)
	if err := os.WriteFile(c.Path("b.json"), []byte(strings.Replace(slower, `"outcome": "complete"`, `"outcome": "idle"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	lines(t, c.OK("bench compare a.json a.json --fail-if 'rate<-5%,p99>+10%'").Out, `Metric`, `rate .*\+0\.0%`)
	r := c.Fails(fail.Failure, "bench compare a.json b.json --fail-if p99>+10% --fail-if rate<-5%", "the condition rate<-5%: rate went from")
	lines(t, r.Out, `rate .*-100\.0%`, `^outcome differs: complete and idle$`, `^failed rate<-5%`)
	r = c.Fails(fail.Failure, "bench compare a.json b.json --fail-if rate<-5% --json")
	lines(t, r.Out, `"failed": \[`)
	c.Fails(fail.Usage, "bench compare a.json b.json --fail-if p98>1", "no metric")
	c.Fails(fail.NotFound, "bench compare a.json none.json", "none.json")
	if err := os.WriteFile(c.Path("c.json"), []byte(`{"x":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "bench compare a.json c.json", "c.json: not a report of nats bench")
	c.Fails(fail.Failure, "bench compare a.json a.json --fail-if lost>0", "do not both have lost")
}
