package near

import "testing"

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"prod", "prdo", 1}, {"prod", "pro", 1}, {"prod", "brod", 1}, {"kitten", "sitting", 3}, {"für", "fur", 1}, {"ca", "abc", 3}} {
		if got := distance(r.a, r.b); got != r.want {
			t.Errorf("%s to %s is %d, want %d", r.a, r.b, got, r.want)
		}
	}
}
