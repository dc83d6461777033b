package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"page":                            "127.0.0.1:8080",
		"page --listen 9000":              "127.0.0.1:9000",
		"page --listen :9000":             ":9000",
		"page --listen=-1":                "127.0.0.1:0",
		"page --listen 0.0.0.0:-1":        "0.0.0.0:0",
		"page --listen [::1]:80":          "[::1]:80",
		"page --websocket ws://h:1,wss:x": "error",
		"page --websocket nats://h:1":     "error",
		"page --websocket ws://t@h:1":     "error",
		"page --listen nowhere":           "error",
		"page --listen h:70000":           "error",
		"page --service a.b":              "error",
		"page --bucket ''":                "error",
		"page --survey 'a b'":             "error",
		"page --metrics '>'":              "error",
		"page --label x":                  "error",
	} {
		o, err := clitest.Parse[pageOptions](t, Command(), line)
		if err != nil {
			o.listen = "error"
		}
		if o.listen != want {
			t.Errorf("%s: %s (%v), want %s", line, o.listen, err, want)
		}
	}
}

func TestView(t *testing.T) {
	t.Parallel()
	viewtest.Golden(t, "serving", serving{
		URL: "http://127.0.0.1:8080/", URLs: []string{"http://127.0.0.1:8080/"}, Websocket: "ws://127.0.0.1:8081", Service: "qcon",
		Labels: map[string]string{"site": "north"},
	})
}

// up starts the page and reads its line of JSON.
func up(t *testing.T, c *clitest.CLI, flags string) (*clitest.Running, serving) {
	t.Helper()
	run := c.Start("page --listen 127.0.0.1:0 --json " + flags).Says("devices join")
	var said serving
	if err := json.Unmarshal([]byte(run.Out()), &said); err != nil {
		t.Fatalf("%v in %q", err, run.Out())
	}
	return run, said
}

// fetch gets a file of the page, unpacked.
func fetch(t *testing.T, method, url string, packed bool) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(testkit.Context(t), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if packed {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" && method != http.MethodHead {
		if body, err = gzip.NewReader(res.Body); err != nil {
			t.Fatal(err)
		}
	}
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return res, data
}

func TestSite(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	c := clitest.New(t, Command()).Env("NATS_TOKEN", "s3cr3t")
	run, said := up(t, c, "--websocket ws://127.0.0.1:1 --service sensors --label site=north")
	if said.WithCredentials || strings.Contains(run.Out()+run.Err(), "s3cr3t") {
		t.Errorf("credentials nobody asked for: %s%s", run.Out(), run.Err())
	}
	kinds := map[string]string{"": "text/html", "index.html": "text/html", "main.js": "text/javascript", "style.css": "text/css", "icon.svg": "image/svg+xml",
		"settings.json": "application/json", "nats.js.LICENSE": "text/plain"}
	for name, kind := range kinds {
		for _, packed := range []bool{false, true} {
			res, body := fetch(t, http.MethodGet, said.URL+name, packed)
			if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), kind) || len(body) == 0 {
				t.Errorf("%q: %s %s, %d bytes", name, res.Status, res.Header, len(body))
			}
			if (res.Header.Get("Content-Encoding") == "gzip") != packed {
				t.Errorf("%q packed %v: %s", name, packed, res.Header)
			}
			policy := res.Header.Get("Content-Security-Policy")
			for _, rule := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self' ws: wss:;", "frame-ancestors 'none'", "trusted-types 'none'"} {
				if !strings.Contains(policy, rule) {
					t.Errorf("%q: the policy lacks %s: %s", name, rule, policy)
				}
			}
			if strings.Contains(string(body), "s3cr3t") {
				t.Errorf("%q holds the token", name)
			}
		}
	}
	_, text := fetch(t, http.MethodGet, said.URL+"settings.json", false)
	var told settings
	if err := json.Unmarshal(text, &told); err != nil || told.Websocket != "ws://127.0.0.1:1" || told.Service != "sensors" || told.Labels["site"] != "north" || told.Bucket != "config" {
		t.Errorf("settings %s: %v", text, err)
	}
	if res, _ := fetch(t, http.MethodPost, said.URL, false); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("POST: %s %s", res.Status, res.Header)
	}
	if res, _ := fetch(t, http.MethodGet, said.URL+"../page.go", false); res.StatusCode != http.StatusNotFound {
		t.Errorf("a file that is not of the page: %s", res.Status)
	}
	if r := run.Interrupt(); r.Code != fail.OK || !strings.Contains(r.Err, "Stopping") {
		t.Errorf("code %d, %s", r.Code, r.Err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	_, said := up(t, c, "")
	c.Fails(fail.Failure, "page --listen "+strings.Trim(strings.TrimPrefix(said.URL, "http:"), "/"), "address already in use")
}

func TestProposedServer(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	for url, want := range map[string]string{
		"ws://h:1": "ws://h:1", "wss://user:s3cr3t@h:1,nats://n:2,ws://i:3": "wss://h:1,ws://i:3", "nats://h:4222": "", "": "",
	} {
		run, said := up(t, c.Env("NATS_URL", url), "")
		if said.Websocket != want || strings.Contains(run.Out()+run.Err(), "s3cr3t") {
			t.Errorf("%s: proposes %q", url, said.Websocket)
		}
	}
}

func TestWithCredentials(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	const flags = "--with-credentials --websocket ws://h:1"
	run, said := up(t, c.Env("NATS_TOKEN", "s3cr3t&="), flags)
	if !strings.HasSuffix(said.URL, "/#token=s3cr3t%26%3D") || !said.WithCredentials || !strings.Contains(run.Err(), "whoever sees it can use them") {
		t.Errorf("%+v\n%s", said, run.Err())
	}
	if _, body := fetch(t, http.MethodGet, strings.Split(said.URL, "#")[0]+"settings.json", false); bytes.Contains(body, []byte("s3cr3t")) {
		t.Errorf("the settings hold the token: %s", body)
	}
	if _, said = up(t, c.Env("NATS_USER", "ada").Env("NATS_PASSWORD", "pw"), flags); !strings.HasSuffix(said.URL, "/#password=pw&user=ada") {
		t.Errorf("user and password become %s", said.URL)
	}
	if _, said = up(t, c.Env("NATS_URL", "ws://tok@h:1"), "--with-credentials"); !strings.HasSuffix(said.URL, "/#token=tok") || said.Websocket != "ws://h:1" {
		t.Errorf("a token in the URL becomes %+v", said)
	}
	run = c.Env("NATS_TOKEN", "s3cr3t").Start("page --listen 127.0.0.1:0 " + flags).Says("#token=s3cr3t")
	if r := run.Terminate(); r.Code != fail.OK || r.Out != "" {
		t.Errorf("code %d, stdout %q", r.Code, r.Out)
	}
	c.Fails(fail.Usage, "page "+flags, "neither")
	c.Env("NATS_TOKEN", "x").Fails(fail.Usage, "page --with-credentials", "pass --websocket")
	c.Env("NATS_URL", "embedded:x").Fails(fail.Usage, "page "+flags, "embedded")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	ln := clitest.New(t, Command()).Start("page --listen 0.0.0.0:0 --json").Says("devices join")
	var said serving
	if err := json.Unmarshal([]byte(ln.Out()), &said); err != nil {
		t.Fatal(err)
	}
	for _, u := range said.URLs {
		if res, _ := fetch(t, http.MethodHead, u, false); res.StatusCode != http.StatusOK || strings.Contains(u, "0.0.0.0") {
			t.Errorf("%s: %s", u, res.Status)
		}
	}
	if last := said.URLs[len(said.URLs)-1]; !strings.HasPrefix(last, "http://127.0.0.1:") {
		t.Errorf("the last address is %s", last)
	}
}

// TestVendored: the library is the one that VENDORED.md names.
func TestVendored(t *testing.T) {
	t.Parallel()
	note, err := os.ReadFile("VENDORED.md")
	if err != nil {
		t.Fatal(err)
	}
	library, err := assets.ReadFile("assets/nats.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(library)
	version := regexp.MustCompile(`const VERSION = "([^"]+)"`).FindSubmatch(library)
	if version == nil || !bytes.Contains(note, []byte("| version | "+string(version[1])+" |")) || !bytes.Contains(note, []byte(hex.EncodeToString(sum[:]))) {
		t.Errorf("nats.js has version %s and sum %x; VENDORED.md says otherwise", version, sum)
	}
	if license, err := assets.ReadFile("assets/nats.js.LICENSE"); err != nil || !bytes.Contains(license, []byte("Apache License")) {
		t.Errorf("the licence is missing: %v", err)
	}
}

// TestAssets: the page makes no markup of text, and names no other place to load from.
func TestAssets(t *testing.T) {
	t.Parallel()
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:`)
	elsewhere := regexp.MustCompile(`https?://[a-z0-9]|["'(]//[a-z0-9-]+\.[a-z]{2,}|@import|url\(`)
	err := fs.WalkDir(assets, "assets", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(p), "nats.js") {
			return err
		}
		data, err := assets.ReadFile(p)
		text := strings.ReplaceAll(string(data), `xmlns="http://www.w3.org/2000/svg"`, "")
		if m := markup.FindString(text); m != "" {
			t.Errorf("%s has %s", p, m)
		}
		if m := elsewhere.FindString(text); m != "" {
			t.Errorf("%s names %s", p, m)
		}
		if n := strings.Count(text, "\n"); n > 400 {
			t.Errorf("%s has %d lines, at most 400", p, n)
		}
		if strings.HasSuffix(p, ".html") && regexp.MustCompile(`\son\w+=|style=|<script>|<style`).MatchString(text) {
			t.Errorf("%s has inline script or style, which the policy forbids", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
