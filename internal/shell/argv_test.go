package shell

import (
	"strings"
	"testing"

	"github.com/choria-io/fisk"
)

func testModel() *fisk.ApplicationModel {
	app := fisk.New("nats", "")
	app.Flag("server", "").Short('s').String()
	app.Flag("trace", "").UnNegatableBool()
	kv := app.Command("kv", "")
	put := kv.Command("put", "")
	put.Flag("dump", "").String()
	put.Flag("header", "").Short('H').Strings()
	put.Flag("raw", "").Short('r').UnNegatableBool()
	put.Flag("quiet", "").Short('q').UnNegatableBool()
	put.Flag("count", "").Short('n').Int()
	put.Flag("deletes", "").Bool()
	put.Arg("rest", "").Strings()
	app.Command("context", "").Alias("ctx").Command("previous", "").Alias("-")
	return app.Model()
}

func TestCanonical(t *testing.T) {
	rows := []struct{ in, want string }{
		{"kv put a b", "kv put -- a b"},
		{"kv put --dump=- --header=- -- - -5", "kv put --dump=- --header=- -- - -5"},
		{"kv put --dump - a", "kv put --dump=- -- a"},
		{"kv put - a", "kv put -- - a"},
		{"kv put a -5", "kv put -- a -5"},
		{"kv put --count -5 a", "kv put --count=-5 -- a"},
		{"kv put --count -x", "kv put -x --count"},
		{"kv put a --count", "kv put a --count"},
		{"kv put a -n", "kv put a --count"},
		{"-s url kv put a --trace", "kv put --server=url --trace -- a"},
		{"kv put -rq a", "kv put --raw --quiet -- a"},
		{"kv put -rn5 a", "kv put --raw --count=5 -- a"},
		{"kv put -n 5 a", "kv put --count=5 -- a"},
		{"kv put -H a:b -Hc:d x", "kv put --header=a:b --header=c:d -- x"},
		{"kv put --no-deletes a", "kv put --no-deletes -- a"},
		{"kv put --bogus a", "kv put --bogus -- a"},
		{"kv put -z a", "kv put -z -- a"},
		{"kv pot a --raw", "kv pot a --raw"},
		{"strem add --subjects x", "strem add x --subjects"},
		{"ctx -", "context previous"},
		{"help kv put", "help -- kv put"},
		{"kv put @file", "kv put -- @file"},
		{"--trace", "--trace"},
		{"", ""},
	}
	for _, r := range rows {
		if got := strings.Join(canonical(testModel(), strings.Fields(r.in)), " "); got != r.want {
			t.Errorf("canonical(%q) = %q, want %q", r.in, got, r.want)
		}
	}
	if got := canonical(testModel(), []string{"kv", "put", "", "b"}); len(got) != 5 || got[3] != "" {
		t.Errorf("an empty argument got lost: %q", got)
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add("kv put -rn5 - -- x")
	m := testModel()
	f.Fuzz(func(t *testing.T, line string) {
		out := canonical(m, append([]string{"kv", "put"}, strings.Split(line, " ")...))
		// What follows the first -- is positional and arrives last, as it was typed.
		_, rest, ok := strings.Cut(" "+line, " -- ")
		if want := strings.Split(rest, " "); ok && strings.Join(out[max(0, len(out)-len(want)):], " ") != rest {
			t.Errorf("canonical(%q) = %q does not end with %q", line, out, want)
		}
	})
}
