package fail_test

import (
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
)

func TestNear(t *testing.T) {
	all := []string{"stream", "subscribe", "sub", "server", "service", "publish", "pub"}
	rows := []struct{ typed, want string }{
		{"strem", "stream"}, {"steram", "stream"}, {"pbu", "pub"}, {"servce", "service server"},
		{"subs", "sub subscribe"}, {"zzz", ""}, {"", ""}, {"stream", ""}, {"PUB", "pub"},
	}
	for _, r := range rows {
		if got := strings.Join(fail.Near(r.typed, all), " "); got != r.want {
			t.Errorf("Near(%q) = %q, want %q", r.typed, got, r.want)
		}
	}
	if got := fail.DidYouMean("--", "serve", []string{"server"}); got != "did you mean --server?" {
		t.Errorf("hint = %q", got)
	}
}
