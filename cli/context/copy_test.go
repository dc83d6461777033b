package context

import (
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

func TestCopy(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	w := setup(t)
	w.write("src", `{"url":"nats://h:1","user":"u","password":"p","creds":"","later":[1]}`)
	r := w.OK("context copy src dst --description D --unset user,password --token tt")
	says(t, r, `NATS Configuration Context "dst"`, "Description: D")
	for key, want := range map[string]any{"url": "nats://h:1", "description": "D", "user": "", "password": "", "token": "tt"} {
		w.want("dst", key, want)
	}
	if w.key("dst", "later") == nil {
		t.Fatal("an unknown key was lost")
	}
	w.want("src", "user", "u")
	w.Fails(fail.NotFound, "context cp zzz other", `unknown context "zzz"`)
	w.Fails(fail.Failure, "context cp src dst", `context "dst" already exist`)
	w.OK("context cp src live --unset user,password --server " + srv.URL() + " --select")
	w.wantSelected("live")
	w.with(w.Env("NATS_URL", "nats://ambient:1")).OK("context cp src quiet")
	w.want("quiet", "url", "nats://h:1")
}
