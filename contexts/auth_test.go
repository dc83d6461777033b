package contexts_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

func TestAuthorization(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "bob", Password: "s3cr3t-pw"}}
	})
	u := s.ClientURL()
	b := newBox(t)
	b.file(filepath.Join(b.home, "pw"), "s3cr3t-pw\n")
	b.env["PW"] = "s3cr3t-pw"
	for name, settings := range map[string]map[contexts.Key]contexts.Given{
		"flags":     flags("server", u, "user", "bob", "password", "s3cr3t-pw"),
		"URL":       flags("server", strings.Replace(u, "//", "//bob:s3cr3t-pw@", 1)),
		"file":      flags("server", u, "user", "bob", "password-file", "~/pw"),
		"reference": flags("server", u, "user", "bob", "password", "file://"+filepath.Join(b.home, "pw")),
		"variable":  flags("server", u, "user", "bob", "password", "env://PW"),
		"data":      flags("server", u, "user", "bob", "password", "data:;base64,czNjcjN0LXB3"),
	} {
		t.Run(name, func(t *testing.T) {
			connected(t, manager(t, b.resolve(contexts.Request{Settings: settings}), contexts.Options{}))
		})
	}
	rows := []struct {
		name     string
		settings map[contexts.Key]contexts.Given
		want     string
	}{
		{"wrong", flags("server", u, "user", "bob", "password", "s3cr3t-no"), `as user "bob" (--user)`},
		{"wrong in URL", flags("server", strings.Replace(u, "//", "//bob:s3cr3t-no@", 1)), `as user "bob" (--server)`},
		{"token", flags("server", u, "token", "s3cr3t-no"), "as a token (--token)"},
		{"none", flags("server", u), "as no credentials"},
	}
	for _, r := range rows {
		_, err := manager(t, b.resolve(contexts.Request{Settings: r.settings}), contexts.Options{}).Conn(t.Context())
		wantError(t, err, fail.Unreachable, r.want, "nats: Authorization Violation", "cannot connect to nats://")
		if !errors.Is(err, nats.ErrAuthorization) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", r.name, err)
		}
	}
	_, err := manager(t, b.resolve(contexts.Request{Settings: flags("server", u, "user", "bob", "password", "env://UNSET")}), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Failure, `configuration error: password: env: variable "UNSET" is not set`)
}

func TestToken(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) { o.Authorization = "s3cr3t-tok" })
	connected(t, manager(t, resolved(t, flags("server", s.ClientURL(), "token", "s3cr3t-tok")), contexts.Options{}))
	connected(t, manager(t, resolved(t, flags("server", s.ClientURL(), "user", "s3cr3t-tok")), contexts.Options{}))
	b := newBox(t)
	b.context("c", `{"url":"`+strings.Replace(s.ClientURL(), "//", "//wrong@", 1)+`"}`)
	connected(t, manager(t, b.resolve(contexts.Request{Context: named("c"), Settings: flags("token", "s3cr3t-tok")}), contexts.Options{}))
}

func TestNKey(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := user.PublicKey()
	seed, _ := user.Seed()
	s := runServer(t, func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} })
	b := newBox(t)
	file := filepath.Join(b.home, "u.nk")
	b.file(file, string(seed))
	b.env["SEED"] = string(seed)
	c := request(flags("server", s.ClientURL(), "nkey", "~/u.nk"))
	c.Embed = true
	b.add("embedded", c)
	for _, ref := range []string{file, "~/u.nk", "$HOME/u.nk", "file://" + file, "env://SEED"} {
		connected(t, manager(t, b.resolve(contexts.Request{Settings: flags("server", s.ClientURL(), "nkey", ref)}), contexts.Options{}))
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	connected(t, manager(t, b.resolve(contexts.Request{Context: named("embedded")}), contexts.Options{}))
	_, err = manager(t, b.resolve(contexts.Request{Settings: flags("server", s.ClientURL(), "nkey", file)}), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Failure, "configuration error: nkey (--nkey)", file, "no such file")
	_, err = manager(t, b.resolve(contexts.Request{Settings: flags("server", s.ClientURL(), "nkey", "vault://x")}), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Failure, "configuration error")
}

// operator is a server in operator mode with one account and a user in it.
func operator(t *testing.T) (s *server.Server, userJWT, userSeed string) {
	t.Helper()
	op, _ := nkeys.CreateOperator()
	acc, _ := nkeys.CreateAccount()
	user, _ := nkeys.CreateUser()
	opKey, _ := op.PublicKey()
	accKey, _ := acc.PublicKey()
	userKey, _ := user.PublicKey()
	claims := jwt.NewOperatorClaims(opKey)
	opJWT, err := claims.Encode(op)
	if err != nil {
		t.Fatal(err)
	}
	opClaims, err := jwt.DecodeOperatorClaims(opJWT)
	if err != nil {
		t.Fatal(err)
	}
	accJWT, err := jwt.NewAccountClaims(accKey).Encode(op)
	if err != nil {
		t.Fatal(err)
	}
	userJWT, err = jwt.NewUserClaims(userKey).Encode(acc)
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := user.Seed()
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(accKey, accJWT); err != nil {
		t.Fatal(err)
	}
	s = runServer(t, func(o *server.Options) {
		o.TrustedOperators = []*jwt.OperatorClaims{opClaims}
		o.AccountResolver = resolver
	})
	return s, userJWT, string(seed)
}

func TestCredsAndJWT(t *testing.T) {
	t.Parallel()
	s, userJWT, seed := operator(t)
	b := newBox(t)
	creds, err := jwt.FormatUserConfig(userJWT, []byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	b.file(filepath.Join(b.home, "u.creds"), string(creds))
	b.file(filepath.Join(b.home, "u.jwt"), userJWT+"\n")
	b.file(filepath.Join(b.home, "u.nk"), seed+"\n")
	b.env["CREDS"], b.env["SEED"] = string(creds), seed
	rows := map[string]map[contexts.Key]contexts.Given{
		"creds file":      flags("creds", "~/u.creds"),
		"creds variable":  flags("creds", "env://CREDS"),
		"jwt and seed":    flags("jwt", userJWT, "seed", seed),
		"jwt and env":     flags("jwt", userJWT, "seed", "env://SEED"),
		"paths":           flags("jwt", "~/u.jwt", "seed", b.home+"/u.nk"),
		"with a user":     both(flags("creds", "~/u.creds"), given(contexts.FromEnv, "user", "x", "password", "y")),
		"file references": flags("jwt", "file://"+b.home+"/u.jwt", "seed", "file://"+b.home+"/u.nk"),
	}
	for name, settings := range rows {
		t.Run(name, func(t *testing.T) {
			m := manager(t, b.resolve(contexts.Request{Settings: both(flags("server", s.ClientURL()), settings)}), contexts.Options{})
			connected(t, m)
			if strings.Contains(m.Effective().Who(), seed) {
				t.Errorf("%s", m.Effective().Who())
			}
		})
	}
	_, err = manager(t, b.resolve(contexts.Request{Settings: flags("server", s.ClientURL(), "jwt", userJWT, "seed", seed[:len(seed)-4]+"AAAA")}), contexts.Options{}).Conn(t.Context())
	if err == nil || strings.Contains(err.Error(), seed[:20]) {
		t.Errorf("a bad seed: %v", err)
	}
}

// Commands behind references run when connecting, not before, and whoever interrupts does not wait for them.
func TestS5_CommandsRunWhenConnecting(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-ins are shell scripts")
	}
	s, userJWT, seed := operator(t)
	b := newBox(t)
	creds, err := jwt.FormatUserConfig(userJWT, []byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	file, bin, release := filepath.Join(b.home, "u.creds"), t.TempDir(), filepath.Join(b.home, "release")
	b.file(file, string(creds))
	for name, script := range map[string]string{
		"nsc": "[ \"$*\" = 'generate profile nsc://O/A/U' ] && echo '{\"user_creds\":\"" + file + "\"}'",
		"op":  "[ \"$2\" = op://v/slow/f ] && until [ -e " + release + " ]; do sleep 0.02; done; cat " + file,
	} {
		b.file(filepath.Join(bin, name), "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(filepath.Join(bin, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, ref := range []string{"nsc://O/A/U", "op://v/i/f"} {
		connected(t, manager(t, b.resolve(contexts.Request{Settings: flags("server", s.ClientURL(), "creds", ref)}), contexts.Options{}))
	}
	slow := manager(t, b.resolve(contexts.Request{Settings: flags("server", s.ClientURL(), "creds", "op://v/slow/f")}), contexts.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fail.ErrInterrupted)
	if _, err := slow.Conn(ctx); !errors.Is(err, fail.ErrInterrupted) {
		t.Errorf("before it began: %v", err)
	}
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := slow.Conn(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it ran: %v", err)
	}
	b.file(release, "")
	connected(t, slow)
	_, err = manager(t, b.resolve(contexts.Request{Settings: flags("server", s.ClientURL(), "creds", "nsc://X/Y/Z")}), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Failure, "configuration error: creds: nsc invoke failed")
}

// All that a run says, with trace and through failures, is searched for the secrets it was given.
func TestS4_NothingSaidHoldsASecret(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) {
		o.JetStream = true
		o.Users = []*server.User{{Username: "bob", Password: "s3cr3t-pw"}}
	})
	said := newLines()
	log := slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, settings := range []map[contexts.Key]contexts.Given{
		flags("server", strings.Replace(s.ClientURL(), "//", "//bob:s3cr3t-pw@", 1)),
		flags("server", s.ClientURL(), "user", "bob", "password", "s3cr3t-pw"),
		flags("server", s.ClientURL(), "user", "bob", "password", "s3cr3t-no"),
		flags("server", strings.Replace(closedPort(t), "//", "//bob:s3cr3t-pw@", 1)),
		flags("server", s.ClientURL(), "creds", "data:;base64,czNjcjN0"),
		flags("server", s.ClientURL(), "jwt", "eyJs3cr3t", "seed", "SUs3cr3t"),
		flags("server", s.ClientURL(), "socks-proxy", "u:s3cr3t-px@"+strings.TrimPrefix(closedPort(t), "nats://")),
		flags("server", s.ClientURL(), "http-proxy", "u:s3cr3t-px@"+strings.TrimPrefix(closedPort(t), "nats://")),
	} {
		res := resolved(t, settings, flags("trace", "true"))
		m := manager(t, res, contexts.Options{Warn: said.warn, Log: log})
		said.warn("%v %+v %#v %s", res, res, res, strings.Join(res.Warnings, " "))
		js, err := m.JetStream(t.Context())
		if err != nil {
			said.warn("%v %s", err, fail.HintOf(err))
			continue
		}
		if _, err := js.AccountInfo(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if text := said.String(); strings.Contains(text, "s3cr3t") || strings.Contains(text, "czNjcjN0") || !strings.Contains(text, ">>> Connected to") {
		t.Error(text)
	}
}
