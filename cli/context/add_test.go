package context

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// world is a CLI and the places where its contexts lie.
type world struct {
	*clitest.CLI
	t    *testing.T
	root string // where nats/context lies
}

func setup(t *testing.T) *world {
	t.Helper()
	root := filepath.Join(t.TempDir(), "config")
	return &world{clitest.New(t, Command()).Env("XDG_CONFIG_HOME", root), t, root}
}

func (w *world) with(c *clitest.CLI) *world { return &world{c, w.t, w.root} }

func (w *world) path(name string) string {
	return filepath.Join(w.root, "nats", "context", name+".json")
}

// write puts a context's file there, as other tools would.
func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// file is the context's file as it stands.
func (w *world) file(name string) string {
	w.t.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// key is one value of the context's file.
func (w *world) key(name, key string) any {
	w.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(w.file(name)), &m); err != nil {
		w.t.Fatal(err)
	}
	return m[key]
}

func (w *world) want(name, key string, value any) {
	w.t.Helper()
	if v := w.key(name, key); v != value {
		w.t.Fatalf("%s of context %s is %v, want %v", key, name, v, value)
	}
}

// selected is what context.txt or its like says, empty when it is not there.
func (w *world) selected(file string) string {
	data, err := os.ReadFile(filepath.Join(w.root, "nats", file))
	if err != nil {
		return ""
	}
	return string(data)
}

func (w *world) wantSelected(name string) {
	w.t.Helper()
	if s := w.selected("context.txt"); s != name {
		w.t.Fatalf("%q is selected, want %q", s, name)
	}
}

// missing checks that nothing of what a run said holds the secrets.
func missing(t *testing.T, r clitest.Result, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(r.Out, s) || strings.Contains(r.Err, s) {
			t.Fatalf("nats %s gives %q away\nstdout: %s\nstderr: %s", r.Line, s, r.Out, r.Err)
		}
	}
}

// says checks what stdout holds.
func says(t *testing.T, r clitest.Result, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if !strings.Contains(r.Out, s) {
			t.Fatalf("nats %s does not say %q\nstdout: %s\nstderr: %s", r.Line, s, r.Out, r.Err)
		}
	}
}

// deadURL is where nothing listens.
func deadURL(t *testing.T) string {
	t.Helper()
	srv := testkit.Server(t)
	url := srv.URL()
	srv.Stop()
	return url
}

// TestCase9: a context is stored whole and private, and selected.
func TestCase9AddAndSelect(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	w := setup(t)
	r := w.OK("context add dev --server " + srv.URL() + " --select")
	says(t, r, `NATS Configuration Context "dev"`, "Server URLs: "+srv.URL(), "Connection: OK")
	w.want("dev", "url", srv.URL())
	w.wantSelected("dev")
	info, err := os.Stat(w.path("dev"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
}

// TestD13 and case 15: the token is saved; environment values are not, unless asked (case 76).
func TestD13AddStoresWhatWasSaidAndNothingElse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add t --server nats://h:1 --token abc")
	w.want("t", "token", "abc")

	env := w.with(w.Env("NATS_URL", "nats://ambient:1").Env("NATS_USER", "ambient").Env("NATS_PASSWORD", "ambient"))
	r := env.OK("context add n")
	w.want("n", "url", "nats://127.0.0.1:4222")
	w.want("n", "user", "")
	w.want("n", "password", "")
	says(t, r, "WARNING: Shell environment overrides in place using NATS_URL, NATS_USER, NATS_PASSWORD")
	env.OK("context add n --from-env")
	w.want("n", "url", "nats://ambient:1")
	w.want("n", "user", "ambient")
}

func TestCase76UpdateKeepsVariablesAndUnknownKeys(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.write("n", `{"url":"nats://h:1","creds":"$HOME/x","later":7}`)
	w.OK("context add n --description d")
	w.want("n", "creds", "$HOME/x")
	w.want("n", "later", 7.0)
	w.want("n", "description", "d")
	w.OK("context add n --unset creds --unset description,later --tlsfirst")
	w.want("n", "creds", "")
	w.want("n", "description", "")
	w.want("n", "later", nil)
	w.want("n", "tls_first", true)
	w.OK("context add n --no-tlsfirst")
	w.want("n", "tls_first", false)
	w.Fails(fail.Usage, "context add n --unset credz", "--unset credz", "did you mean creds")
}

func TestCase73AddRefusesTwoKindsOfCredentials(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Fails(fail.Usage, "context add m --user u --password p --nkey k", "too many types of credentials")
	if _, err := os.Stat(w.path("m")); !os.IsNotExist(err) {
		t.Fatalf("a file was made: %v", err)
	}
	w.Fails(fail.Usage, "context add ../m", "m")
}

// TestCase72: --embed survives the loss of the file.
func TestCase72Embed(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithJWT())
	w := setup(t)
	creds, err := os.ReadFile(srv.CredsFile())
	if err != nil {
		t.Fatal(err)
	}
	copied := w.Path("app.creds")
	if err := os.WriteFile(copied, creds, 0o600); err != nil {
		t.Fatal(err)
	}
	r := w.OK("context add n --server " + srv.URL() + " --creds " + copied + " --embed")
	says(t, r, "Credentials: embedded data")
	if v, _ := w.key("n", "creds").(string); !strings.HasPrefix(v, "data:;base64,") {
		t.Fatalf("creds is %q", v)
	}
	if err := os.Remove(copied); err != nil {
		t.Fatal(err)
	}
	says(t, w.OK("context add n --select"), "Connection: OK")
}

func TestCase72NKey(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	srv := testkit.Server(t, testkit.WithoutJetStream(), testkit.WithConfig("authorization: { users: [ { nkey: "+public+" } ] }"))
	w := setup(t)
	file := w.Path("k")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	w.OK("context add n --server " + srv.URL() + " --nkey " + file + " --embed")
	if v, _ := w.key("n", "nkey").(string); !strings.HasPrefix(v, "data:;base64,") {
		t.Fatalf("nkey is %q", v)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r := w.OK("context select n")
	says(t, r, "NKey: embedded data", "Connection: OK")
	missing(t, r, string(seed))

	w.OK("context add v --server " + srv.URL() + " --nkey env://V")
	w.Fails(fail.Failure, "context info v --connect", `"V" is not set`)
	r = w.Env("V", string(seed)).OK("context info v --connect")
	says(t, r, "NKey: env://V (runtime environment)", "Connection: OK")
	missing(t, r, string(seed))
}

func TestCase72ReferencesAreLookedUpWhenConnecting(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithUser("bob", "hidden-word"))
	w := setup(t)
	r := w.OK("context add n --server " + srv.URL() + " --user bob --password env://PWV")
	says(t, r, "Password: env://PWV (ERROR)", "the variable PWV is not set")
	w.Fails(fail.Failure, "context add n --select", `"PWV" is not set`)
	set := w.Env("PWV", "hidden-word")
	r = set.OK("context add n --select")
	says(t, r, "Password: env://PWV (runtime environment)", "Connection: OK")
	missing(t, r, "hidden-word")
}

// TestS5: a password need not stand on the command line.
func TestS5PasswordFromStdinOrFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r := w.with(w.Stdin("open-sesame\nrest")).OK("context add n --user bob --password-stdin")
	missing(t, r, "open-sesame")
	w.want("n", "password", "open-sesame")
	secret := w.Path("pw")
	if err := os.WriteFile(secret, []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.OK("context add f --user bob --password-file " + secret)
	w.want("f", "password", "file://"+secret)
}

func TestAddSaysWhatIsNotStored(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r := w.OK("context add n --timeout 9s --tls-insecure")
	for _, s := range []string{"--timeout is not stored", "--tls-insecure is not stored"} {
		if !strings.Contains(r.Err, s) {
			t.Fatalf("stderr does not say %q: %s", s, r.Err)
		}
	}
}

func TestAddStartsFromTheNamedContext(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add a --server nats://h:1 --user u --password p")
	w.OK("context add b --context a --description B")
	w.want("b", "url", "nats://h:1")
	w.want("b", "user", "u")
	w.Fails(fail.NotFound, "context add c --context zz", "zz")
	// The environment names a context for connecting, not for copying.
	w.with(w.Env("NATS_CONTEXT", "zz")).OK("context add c")
	w.want("c", "user", "")
}

// TestSelectFailsWithoutAServer: a connection that fails is an error, and the selection stands.
func TestSelectFailsWithoutAServer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r := w.Fails(fail.Unreachable, "context add dead --select --server "+deadURL(t), `context "dead" is selected, but: `)
	says(t, r, "Connection: nats: no servers available")
	w.wantSelected("dead")
}
