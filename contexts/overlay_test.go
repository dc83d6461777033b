package contexts_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

// project makes a .nats directory and returns the store as seen from a directory below its project.
func (b *box) project(files map[string]string) (s *contexts.Store, dir string) {
	b.t.Helper()
	dir = filepath.Join(b.home, "src", "app", ".nats")
	for name, text := range files {
		b.file(filepath.Join(dir, name), text)
	}
	deep := filepath.Join(b.home, "src", "app", "cmd", "x")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		b.t.Fatal(err)
	}
	return b.Store.In(deep), dir
}

func TestPathOfContexts(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	one, two := filepath.Join(b.home, "one"), filepath.Join(b.home, "two")
	b.file(filepath.Join(one, "dev.json"), `{"url":"nats://one:1","creds":"k/dev.creds","ca":"~/ca.pem"}`)
	b.file(filepath.Join(two, "dev.json"), `{"url":"nats://two:1"}`)
	b.file(filepath.Join(two, "qa.json"), `{"url":"nats://qa:1"}`)
	b.file(filepath.Join(two, "context.txt"), "qa\n")
	b.context("dev", `{"url":"nats://own:1"}`)
	b.context("mine", `{"url":"nats://mine:1"}`)
	b.sel("mine")
	b.env["NATS_CONTEXTS_PATH"] = strings.Join([]string{one, "", "two", filepath.Join(b.home, "none")}, string(os.PathListSeparator))
	before := b.snapshot()

	res := b.resolve(contexts.Request{Context: named("dev")})
	if res.URL != "nats://one:1" || res.Creds != filepath.Join(one, "k", "dev.creds") || res.CA != filepath.Join(b.home, "ca.pem") {
		t.Errorf("the first directory has the name: %+v", res.List(true))
	}
	if !strings.Contains(strings.Join(res.Warnings, ""), one+", not your own") {
		t.Errorf("hidden without a word: %q", res.Warnings)
	}
	res = b.resolve(contexts.Request{})
	if res.URL != "nats://qa:1" || res.Context != "qa" {
		t.Errorf("context.txt of the directory: %+v", res.List(true))
	}
	if pin, err := b.Pinned(t.Context()); err != nil || pin != filepath.Join(two, "context.txt") {
		t.Errorf("pinned by %q, %v", pin, err)
	}
	if names, err := b.List(t.Context()); err != nil || !reflect.DeepEqual(names, []string{"dev", "mine", "qa"}) {
		t.Errorf("%q, %v", names, err)
	}
	_, _, err := b.Add(t.Context(), "qa", contexts.Change{})
	wantError(t, err, fail.Failure, "qa.json", "nats context copy")
	wantError(t, b.Delete(t.Context(), "qa", true), fail.Failure, "qa.json")
	if b.snapshot() != before {
		t.Error("something was written")
	}
	if _, _, err := b.Copy(t.Context(), "dev", "copy", contexts.Change{}); err != nil || b.stored("copy", "creds") != filepath.Join(one, "k", "dev.creds") || b.stored("copy", "ca") != "~/ca.pem" {
		t.Errorf("copied: %v %s", err, read(t, b.path("copy")))
	}
	b.file(filepath.Join(one, "bad.json"), "{bad")
	b.context("bad", `{"url":"nats://own:1"}`)
	_, err = contexts.Resolve(t.Context(), b.Store, contexts.Request{Context: named("bad")})
	wantError(t, err, fail.Failure, filepath.Join(one, "bad.json")+":1:2")
}

func TestProjectUntilTrusted(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	s, dir := b.project(map[string]string{
		"dev.json": `{"url":"nats://dev:1","creds":"dev.creds","user":"$HOME"}`, "mine.json": `{"url":"nats://evil:1"}`, "context.txt": "dev",
		"dev.creds": "x",
	})
	b.context("mine", `{"url":"nats://mine:1"}`)
	ctx := t.Context()

	if got, trusted, err := s.Project(ctx); got != dir || trusted || err != nil {
		t.Errorf("%q %v %v", got, trusted, err)
	}
	res, err := contexts.Resolve(ctx, s, contexts.Request{})
	if err != nil || res.URL != "nats://127.0.0.1:4222" || !strings.Contains(strings.Join(res.Warnings, ""), "nats context trust "+filepath.Dir(dir)) {
		t.Errorf("selected by a stranger: %v %q %v", res, res.Warnings, err)
	}
	if res, err := contexts.Resolve(ctx, s, contexts.Request{Context: named("mine")}); err != nil || res.URL != "nats://mine:1" {
		t.Errorf("hidden by a stranger: %v %v", res, err)
	}
	res, err = contexts.Resolve(ctx, s, contexts.Request{Context: named("dev")})
	if err != nil || res.URL != "nats://dev:1" || res.Creds != filepath.Join(dir, "dev.creds") || res.User != "$HOME" {
		t.Errorf("by name: %+v %v", res.List(true), err)
	}
	_, err = s.Select(ctx, "dev")
	wantError(t, err, fail.Failure, "not trusted", "nats context trust")

	if got, err := s.Trust(ctx, filepath.Dir(dir)); err != nil || filepath.Base(got) != ".nats" {
		t.Fatal(got, err)
	}
	if _, err := s.Trust(ctx, dir); err != nil {
		t.Fatal(err)
	}
	res, err = contexts.Resolve(ctx, s, contexts.Request{})
	if err != nil || res.URL != "nats://dev:1" || res.User != b.home {
		t.Errorf("trusted: %v %v", res, err)
	}
	if res, err := contexts.Resolve(ctx, s, contexts.Request{Context: named("mine")}); err != nil || res.URL != "nats://evil:1" || len(res.Warnings) == 0 {
		t.Errorf("trusted ones go first, with a word: %v %v", res, err)
	}
	if _, err := s.Distrust(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if _, trusted, _ := s.Project(ctx); trusted {
		t.Error("still trusted")
	}
	_, err = s.Trust(ctx, b.root)
	wantError(t, err, fail.NotFound, "no such directory")
}

// A cloned repository must not have secrets sent to a server of its choice.
func TestStrangersContextsStayInBounds(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.file(filepath.Join(b.home, "id_rsa"), "secret")
	b.env["AWS"] = "secret"
	files := map[string]string{
		"env":      `{"password":"env://AWS","user":"u"}`,
		"file":     `{"token":"file://HOME/id_rsa"}`,
		"cmd":      `{"creds":"nsc://a/b/c"}`,
		"op":       `{"nkey":"op://a/b/c"}`,
		"old":      `{"nsc":"nsc://a/b/c"}`,
		"absolute": `{"creds":"HOME/id_rsa"}`,
		"up":       `{"creds":"../../../id_rsa"}`,
		"home":     `{"ca":"~/id_rsa"}`,
		"variable": `{"key":"$HOME/id_rsa"}`,
		"link":     `{"nkey":"link.nk"}`,
		"jwt":      `{"user_jwt":"HOME/id_rsa"}`,
		"embedded": `{"url":"embedded:HOME"}`,
		"twice":    `{"password":"env://AWS","PASSWORD":null,"user":"u"}`,
		"case":     `{"PASSWORD":"ENV://AWS","user":"u"}`,
	}
	layout := map[string]string{}
	for name, text := range files {
		layout[name+".json"] = strings.ReplaceAll(text, "HOME/", b.home+"/")
	}
	s, dir := b.project(layout)
	if err := os.Symlink(filepath.Join(b.home, "id_rsa"), filepath.Join(dir, "link.nk")); err != nil {
		t.Fatal(err)
	}
	for name := range files {
		_, err := contexts.Resolve(t.Context(), s, contexts.Request{Context: named(name)})
		wantError(t, err, fail.Failure, "is not trusted", "nats context trust")
		_, _, err = s.Copy(t.Context(), name, "copied", contexts.Change{})
		wantError(t, err, fail.Failure, "is not trusted")
	}
	if _, err := s.Trust(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if res, err := contexts.Resolve(t.Context(), s, contexts.Request{Context: named("env")}); err != nil || res.Password != "env://AWS" {
		t.Errorf("trusted: %v", err)
	}
}

func TestHomeIsNoProject(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.file(filepath.Join(b.home, ".nats", "dev.json"), `{}`)
	if dir, _, err := b.Project(t.Context()); dir != "" || err != nil {
		t.Errorf("%q, %v", dir, err)
	}
}
