package counter

import (
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestWithoutAServer(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	for _, line := range []string{"counter get a", "counter view a", "counter incr a 1", "counter decr a 1", "counter set a 1", "counter ls a", "counter watch a"} {
		if r := c.Fails(fail.Unreachable, line); r.Out != "" {
			t.Errorf("%s prints %q", line, r.Out)
		}
	}
}
