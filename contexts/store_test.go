package contexts_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

func TestRoot(t *testing.T) {
	t.Parallel()
	rows := []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"XDG_CONFIG_HOME": "/xdg", "HOME": "/h"}, "/xdg"},
		{map[string]string{"HOME": "/h"}, filepath.Join("/h", ".config")},
	}
	for _, r := range rows {
		got, err := contexts.Root(func(k string) string { return r.env[k] })
		if err != nil || got != r.want {
			t.Errorf("%v: %q, %v", r.env, got, err)
		}
	}
	if got, err := contexts.Root(func(string) string { return "" }); err != nil || filepath.Base(got) != ".config" || !filepath.IsAbs(got) {
		t.Errorf("from the operating system: %q, %v", got, err)
	}
}

// What we write, natscontext reads, and the other way round.
func TestSharesFilesWithNatscontext(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	theirs := natscontext.NewRegistry(natscontext.NewFileBackendAt(b.root))
	c, err := natscontext.New("one", false, natscontext.WithServerURL("nats://one:1"), natscontext.WithUser("u"), natscontext.WithPassword("p<&>"),
		natscontext.WithTLSHandshakeFirst(), natscontext.WithJSDomain("hub"), natscontext.WithWindowsCaCertsMatch("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.Save(t.Context(), c, "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Select(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	res := b.resolve(contexts.Request{})
	if res.URL != "nats://one:1" || res.User != "u" || res.Password != "p<&>" || !res.TLSFirst || res.JSDomain != "hub" || !reflect.DeepEqual(res.CertStoreCAMatch, []string{"a", "b"}) {
		t.Errorf("their file here: %+v", res.List(true))
	}
	text := "ours"
	_, _, err = b.Add(t.Context(), "two", contexts.Change{Description: &text, Request: contexts.Request{Settings: flags("server", "nats://two:1", "creds", "/x.creds", "inbox-prefix", "_IN", "colors", "blue", "certstore-ca-match", "ca")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Select(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	got, err := theirs.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "two" || got.ServerURL() != "nats://two:1" || got.Creds() != "/x.creds" || got.InboxPrefix() != "_IN" || got.ColorScheme() != "blue" || got.Description() != "ours" || got.WindowsCaCertsMatch()[0] != "ca" {
		t.Errorf("our file there: %s", read(t, b.path("two")))
	}
	if prev, err := theirs.Previous(t.Context()); err != nil || prev != "one" {
		t.Errorf("previous = %q, %v", prev, err)
	}
	if err := theirs.Save(t.Context(), got, "three"); err != nil {
		t.Fatal(err)
	}
	if read(t, b.path("two")) != read(t, b.path("three")) {
		t.Errorf("a new file of ours differs in form:\n%s\nfrom theirs:\n%s", read(t, b.path("two")), read(t, b.path("three")))
	}
	if runtime.GOOS != "windows" {
		for path, want := range map[string]os.FileMode{b.path("two"): 0o600, filepath.Dir(b.path("two")): 0o700, filepath.Join(b.root, "nats", "context.txt"): 0o600} {
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
		}
	}
	if got := read(t, filepath.Join(b.root, "nats", "context.txt")); got != "two" {
		t.Errorf("context.txt = %q", got)
	}
}

func TestListLeavesOutWhatIsNoContext(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if names, err := b.List(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("without files: %v, %v", names, err)
	}
	b.context("b", `{}`)
	b.context("a.1 x", `{}`)
	b.context("empty", "")
	b.context("bad", "{")
	b.file(filepath.Join(b.root, "nats", "context", "readme.txt"), "x")
	names, err := b.List(t.Context())
	if err != nil || !reflect.DeepEqual(names, []string{"a.1 x", "b", "bad"}) {
		t.Errorf("%q, %v", names, err)
	}
	entries, err := b.Entries(t.Context())
	if err != nil || len(entries) != 3 || entries[2].Err == nil || entries[2].Stored != nil || entries[1].Stored == nil {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestNear(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for _, n := range []string{"prod", "prod-eu", "dev", "staging", "Test"} {
		b.context(n, `{}`)
	}
	rows := map[string][]string{"prdo": {"prod"}, "pro": {"prod", "prod-eu"}, "stagin": {"staging"}, "test": {"Test"}, "zzzz": nil, "dex": {"dev"}}
	for name, want := range rows {
		if got := b.Near(name); !reflect.DeepEqual(got, want) {
			t.Errorf("near %q = %q, want %q", name, got, want)
		}
	}
}

func TestSelectionToggles(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	ctx := t.Context()
	b.context("a", `{}`)
	b.context("b", `{}`)
	if name, err := b.Swap(ctx); name != "" || err != nil {
		t.Errorf("nothing to swap: %q, %v", name, err)
	}
	if was, err := b.Unselect(ctx); was != "" || err != nil {
		t.Errorf("nothing to unselect: %q, %v", was, err)
	}
	for _, n := range []string{"a", "b", "b"} { // selecting the selected one again loses no previous
		if _, err := b.Select(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a", "b", "a"} {
		if got, err := b.Swap(ctx); got != want || err != nil {
			t.Errorf("swap = %q, %v, want %q", got, err, want)
		}
		if got, _ := b.Selected(ctx); got != want {
			t.Errorf("selected = %q, want %q", got, want)
		}
	}
	if was, err := b.Unselect(ctx); was != "a" || err != nil {
		t.Errorf("unselect = %q, %v", was, err)
	}
	if got, err := b.Selected(ctx); got != "" || err != nil {
		t.Errorf("selected = %q, %v", got, err)
	}
	before := b.snapshot()
	_, err := b.Select(ctx, "c")
	wantError(t, err, fail.NotFound, `context not found: "c"`)
	b.context("broken", "{")
	if _, err := b.Select(ctx, "broken"); isBroken(err) == nil {
		t.Errorf("a broken context was selected: %v", err)
	}
	_ = os.Remove(b.path("broken"))
	if b.snapshot() != before {
		t.Error("a failed select changed files")
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	ctx := t.Context()
	b.context("sel", `{}`)
	b.context("bad", `{`)
	b.sel("sel")
	if err := b.SetProtected(ctx, "sel", true); err != nil {
		t.Fatal(err)
	}
	wantError(t, b.Delete(ctx, "sel", false), fail.Failure, `"sel"`, "--force")
	wantError(t, b.Delete(ctx, "sle", false), fail.NotFound, `context not found: "sle"`, "did you mean sel?")
	wantError(t, b.Delete(ctx, "../x", true), fail.Usage, "invalid context name")
	if err := b.Delete(ctx, "sel", true); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ctx, "bad", false); err != nil {
		t.Fatal(err)
	}
	if names, _ := b.List(ctx); len(names) != 0 {
		t.Errorf("left: %q", names)
	}
	if got, _ := b.Selected(ctx); got != "" {
		t.Errorf("selected %q", got)
	}
	if on, err := b.Protected(ctx, "sel"); on || err != nil {
		t.Errorf("a new context of that name would be protected: %v, %v", on, err)
	}
}

func TestGuardKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	path := filepath.Join(b.root, "nats", "cli", "guard.json")
	b.context("prod", `{}`)
	b.context("Prod", `{}`)
	b.file(path, `{"future": 12345678901234567890, "contexts": {"prod": {"colour": "red"}, "gone": {"protected": true}}}`)
	ctx := t.Context()
	for _, name := range []string{"prod", "Prod"} {
		if err := b.SetProtected(ctx, name, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.SetProtected(ctx, "Prod", false); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(read(t, path)), "")
	want := `{"future":12345678901234567890,"contexts":{"prod":{"colour":"red","protected":true},"gone":{"protected":true}}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	wantError(t, b.SetProtected(ctx, "nope", true), fail.NotFound, "nope")
}

// A store without a home reads as an empty one and says so when it is written.
func TestStoreWithoutRoot(t *testing.T) {
	t.Parallel()
	s := contexts.NewStore("", func(string) string { return "" }).In(t.TempDir())
	res, err := contexts.Resolve(t.Context(), s, contexts.Request{})
	if err != nil || res.URL != "nats://127.0.0.1:4222" {
		t.Errorf("%+v, %v", res, err)
	}
	if _, _, err := s.Add(t.Context(), "x", contexts.Change{}); err == nil {
		t.Error("stored nowhere")
	}
}

func TestErrorsOfTheLibraryStayInTheChain(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if _, err := b.Load(context.Background(), "x"); !errors.Is(err, natscontext.ErrNotFound) {
		t.Errorf("%v", err)
	}
}
