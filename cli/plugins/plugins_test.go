package plugins

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// build makes the plugin of testdata once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "plugin-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tool")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", path, "./testdata/tool").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func tool(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// other stands for the commands of the program.
func other() command.Node {
	return command.Verb[struct{}]{Meta: command.Meta{Name: "publish", Aliases: []string{"pub"}, Short: "Publish"}, Output: command.Nothing}
}

func tree() []command.Node { return []command.Node{other(), Command(tree)} }

func setup(t *testing.T) *clitest.CLI { return clitest.New(t, tree()...) }

func script(t *testing.T, c *clitest.CLI, name, text string) {
	t.Helper()
	if err := os.WriteFile(c.Path(name), []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	c := setup(t)
	if out := c.OK("plugins ls").Out; !strings.Contains(out, "No plugins") {
		t.Errorf("stdout %q", out)
	}
	if out := c.OK("plugins ls --json").Out; out != "[]\n" {
		t.Errorf("stdout %q", out)
	}
	r := c.Args("plugins", "register", "orders", tool(t))
	if r.Code != 0 || !strings.Contains(r.Out, tool(t)) || strings.Contains(r.Out, "\x1b") || !strings.Contains(r.Err, "experiment") {
		t.Fatalf("%+v", r)
	}
	file := filepath.Join(filepath.Dir(c.Dir()), "data", "nats", "cli", "plugins", "orders.json")
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	var stored struct {
		Cmd string         `json:"cmd"`
		Def map[string]any `json:"def"`
	}
	if data, err := os.ReadFile(file); err != nil || json.Unmarshal(data, &stored) != nil || stored.Cmd != tool(t) || stored.Def["name"] != "tool" {
		t.Errorf("%+v %v", stored, err)
	}
	c.Fails(fail.Failure, "plugins register orders "+tool(t), "registered already", "--force")
	c.OK("plugins register orders --force " + tool(t))

	if help := c.OK("--help").Out; !strings.Contains(help, "orders") || strings.Contains(help, "\x1b") {
		t.Errorf("help: %s", help)
	}
	if help := c.OK("orders show --help").Out; !strings.Contains(help, "--format") || !strings.Contains(help, "<id>") {
		t.Errorf("help: %s", help)
	}
	if help := c.OK("help orders").Out; !strings.Contains(help, "show") || strings.Contains(help, "admin") {
		t.Errorf("help: %s", help)
	}
	var list listing
	if err := json.Unmarshal([]byte(c.OK("plugins ls --json").Out), &list); err != nil || len(list) != 1 || list[0].Commands[0] != "show" || list[0].Error != "" {
		t.Errorf("%+v %v", list, err)
	}
	c.Fails(fail.Usage, "plugins rm orders", "--force")
	c.OK("plugins rm orders --force")
	c.Fails(fail.NotFound, "plugins rm orders --force", "not registered")
	c.Fails(fail.Usage, "orders show 1", `"orders"`)
}

// TestInvocation: what the program gets, in the order of the reference.
func TestInvocation(t *testing.T) {
	t.Parallel()
	c := setup(t)
	c.OK("plugins register orders " + tool(t))
	rows := []struct{ line, want string }{
		{"orders show 1", "show 1"},
		{"orders s 1", "show 1"},
		{"orders show 1 a b", "show 1 a b"},
		{"orders show --color --tag=x --tag y 1 a --json --format fancy", "show 1 --format=fancy --tag=x --tag=y --color --json a"},
		{"orders show 1 --no-color", "show 1 --no-color"},
		{"orders show 1 '$(id)' ';' 'a b'", "show 1 $(id) ; a b"},
		{"orders show -- -1 --x", "show -- -1 --x"},
		{"orders show 1 -d 3", "show 1 --depth=3"},
		{"orders -d 3 show 1", "show 1 --depth=3"},
		{"orders show 1 --server nats://h:1", "show 1 --server=nats://h:1"},
		{"--context nope orders show 1 --timeout 3s", "show 1"},
	}
	for _, row := range rows {
		r := c.Env("NATS_URL", "").Run(row.line)
		first, _, _ := strings.Cut(r.Out, "\n")
		if r.Code != 0 || r.Err != "" || first != row.want {
			t.Errorf("%s: %d %q, want %q; stderr %s", row.line, r.Code, first, row.want, r.Err)
		}
	}
	c.Fails(fail.Usage, "orders show", "required argument 'id'")
	c.Fails(fail.Usage, "orders show 1 --nope", "--nope")
	c.Fails(fail.Usage, "orders show 1 --depht 3", "did you mean --depth")
}

// TestS5_PluginSecrets: secrets are handed on in the environment and stand in no argument.
func TestS5_PluginSecrets(t *testing.T) {
	t.Parallel()
	c := setup(t)
	c.OK("plugins register orders " + tool(t))
	out := c.OK("orders show 1 --password s3cr3t -s nats://u:s3cr3t@h:1").Out
	if out != "show 1\nurl=nats://u:s3cr3t@h:1 password=s3cr3t context= token=\n" {
		t.Errorf("stdout %q", out)
	}
	// What the plugin has no flag for it gets by the variable of the same meaning.
	out = c.OK("--context prod orders show 1 --token s3cr3t").Out
	if out != "show 1\nurl= password= context=prod token=s3cr3t\n" {
		t.Errorf("stdout %q", out)
	}
	script(t, c, "spy", "env | grep -c NATS_ > \"$HOME/seen\"\necho '{\"name\":\"a\",\"help\":\"b\"}'\n")
	c.Env("NATS_PASSWORD", "s3cr3t").Env("NATS_URL", "x").OK("plugins register spy ./spy")
	seen, err := os.ReadFile(filepath.Join(filepath.Dir(c.Dir()), "seen"))
	if err != nil || strings.TrimSpace(string(seen)) != "0" {
		t.Errorf("when it was registered the program saw %s variables of NATS, %v", seen, err)
	}
}

func TestExitCodesAndStreams(t *testing.T) {
	t.Parallel()
	c := setup(t)
	c.OK("plugins register orders " + tool(t))
	if r := c.Run("orders admin fail"); r.Code != 42 || r.Err != "" {
		t.Errorf("%+v", r)
	}
	if r := c.Stdin("bytes\x00").OK("orders admin echo"); r.Out != "bytes\x00" {
		t.Errorf("%q", r.Out)
	}
	if r := c.Start("orders admin wait").Says("waiting").Interrupt(); r.Code != fail.Interrupted {
		t.Errorf("%+v", r)
	}
}

func TestBrokenPlugins(t *testing.T) {
	t.Parallel()
	c := setup(t)
	dir := filepath.Join(filepath.Dir(c.Dir()), "data", "nats", "cli", "plugins")
	script(t, c, "tool", `echo '{"name":"t","help":"Gone soon"}'`)
	c.OK("plugins register gone ./tool")
	if err := os.Remove(c.Path("tool")); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.NotFound, "gone", "plugin gone", "cannot be run", "plugins register gone PATH --force", "plugins rm gone")
	if err := os.WriteFile(filepath.Join(dir, "junk.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "relative.json"), []byte(`{"cmd":"./x","def":{"name":"a","help":"b"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := c.Fails(fail.Partial, "plugins ls --json", "3 of 3 plugins cannot be used")
	var list listing
	if err := json.Unmarshal([]byte(r.Out), &list); err != nil || len(list) != 3 || list[1].Error == "" {
		t.Errorf("%s %v", r.Out, err)
	}
	if r := c.Run("--help"); r.Code != 0 || !strings.Contains(r.Err, "junk.json") || !strings.Contains(r.Out, "publish") {
		t.Errorf("%+v", r)
	}
	if r := c.OK("publish --help"); r.Err != "" {
		t.Errorf("a command of our own speaks of plugins: %s", r.Err)
	}
	if r := c.Run("--completion-bash ''"); r.Code != 0 || r.Err != "" {
		t.Errorf("%+v", r)
	}
	c.OK("plugins rm junk --force")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	c := setup(t)
	dup := `{"name":"t","help":"h","commands":[{"name":"a","help":"a","flags":[{"name":"x"},{"name":"x"}]}]}`
	for name, text := range map[string]string{
		"silent": "", "fails": "echo '{}'; exit 3", "nameless": `echo '{"help":"x"}'`, "twice": "echo '" + dup + "'",
		"spaced": `echo '{"name":"t","help":"h","commands":[{"name":"a b","help":"a"}]}'`, "html": "echo '<html>'",
	} {
		script(t, c, name, text)
		c.Fails(fail.Failure, "plugins register t ./"+name, "--fisk-introspect")
	}
	c.Fails(fail.NotFound, "plugins register t ./nothing", "./nothing")
	c.Fails(fail.NotFound, "plugins register t nothing-of-that-name", "nothing-of-that-name")
	for _, name := range []string{"T", "a1", "a-b", "../x", "''"} {
		c.Fails(fail.Usage, "plugins register "+name+" "+tool(t), "lower case")
		c.Fails(fail.Usage, "plugins rm --force "+name, "lower case")
	}
	for _, name := range []string{"publish", "pub", "plugins", "help", "cheat"} {
		c.Fails(fail.Usage, "plugins register "+name+" "+tool(t), "command of its own")
	}
	if err := os.WriteFile(c.Path("plain"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		c.Fails(fail.Failure, "plugins register t ./plain", "cannot be run", "chmod +x")
	}
	if entries, err := os.ReadDir(filepath.Join(filepath.Dir(c.Dir()), "data")); err == nil && len(entries) > 0 {
		t.Errorf("%v was written", entries)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	c := setup(t)
	c.OK("plugins register orders " + tool(t))
	for line, want := range map[string]string{
		"plugins rm ''":             "orders\n",
		"orders ''":                 "show\n",
		"orders show 1 --format ''": "plain\nfancy\n",
		"orders show --format=f":    "--format=plain\n--format=fancy\n",
	} {
		if got := c.OK("--completion-bash " + line).Out; got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if got := c.OK("--completion-bash or").Out; !strings.Contains(got, "orders\n") {
		t.Errorf("%q", got)
	}
}

func TestLooks(t *testing.T) {
	r := registration{Name: "orders", Command: "/opt/orders-tool", Help: "Work on orders", Commands: []string{"show", "ship"}}
	viewtest.Golden(t, "registration", r)
	viewtest.Golden(t, "listing", listing{r, {Name: "junk", Commands: []string{}, Error: "plugin junk: broken"}})
	viewtest.Golden(t, "listing-empty", listing{})
	viewtest.Golden(t, "removal", removal{"orders"})
}
