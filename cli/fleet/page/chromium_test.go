//go:build unix

package page

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/testkit"
)

// chromium is a headless browser of one test, driven over the pipe of the DevTools protocol: no port, no library.
type chromium struct {
	t  testing.TB
	in *os.File

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
	gone    error
	trouble []string // what pages complained about
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// newChromium starts a browser with a profile of its own. Without Chromium the test fails where CI is set and is skipped elsewhere.
func newChromium(t testing.TB) *chromium {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" || os.Getenv("NATSKIT_CI") != "" {
			t.Fatal("there is no Chromium: install it, the page is tested in a real browser")
		}
		t.Skip("there is no Chromium on the PATH: the page is tested in a real browser")
	}
	// Not t.TempDir: a browser that is ended may leave files behind while they are removed.
	profile, err := os.MkdirTemp("", "page-test")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--mute-audio", "--no-proxy-server",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = 5 * time.Second
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	b := &chromium{t: t, in: in, waiting: map[int]chan reply{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(out)
	}()
	t.Cleanup(func() {
		// Its group is all that it started, and nothing else.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = in.Close()
		<-read
		_ = out.Close()
		_ = os.RemoveAll(profile)
		if t.Failed() {
			t.Logf("chromium said:\n%s", stderr.String())
		}
	})
	return b
}

// read takes messages, each ended by a zero byte, until the browser is gone.
func (b *chromium) read(out *os.File) {
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			b.mu.Lock()
			b.gone = fmt.Errorf("the browser is gone: %w", err)
			for _, ch := range b.waiting {
				close(ch)
			}
			b.waiting = nil
			b.mu.Unlock()
			return
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			reply
		}
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		if ch := b.waiting[m.ID]; m.ID != 0 && ch != nil {
			delete(b.waiting, m.ID)
			ch <- m.reply
		}
		// Failed connections are part of the tests; exceptions and violations of the policy never are.
		if m.Method == "Runtime.exceptionThrown" || m.Method == "Log.entryAdded" && strings.Contains(string(m.Params), `"security"`) {
			b.trouble = append(b.trouble, string(m.Params))
		}
		b.mu.Unlock()
	}
}

// call sends a command to a session, or to the browser with an empty one, and decodes its result.
func (b *chromium) call(ctx context.Context, session, method string, params, result any) error {
	ch := make(chan reply, 1)
	b.mu.Lock()
	if b.gone != nil {
		b.mu.Unlock()
		return b.gone
	}
	b.last++
	id := b.last
	b.waiting[id] = ch
	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": session})
	if session == "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case r, ok := <-ch:
		switch {
		case !ok:
			return errors.New("the browser is gone")
		case r.Error != nil:
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		case result != nil:
			return json.Unmarshal(r.Result, result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// tab is one page.
type tab struct {
	*chromium
	ctx     context.Context
	session string
}

// open shows url in a new tab of the given size in pixels, and returns when its script has run.
func (b *chromium) open(url string, width, height int) *tab {
	b.t.Helper()
	p := &tab{chromium: b, ctx: b.t.Context()}
	var target struct{ TargetID string }
	p.must(b.call(p.ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target))
	var attached struct{ SessionID string }
	p.must(b.call(p.ctx, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	p.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.do(domain+".enable", nil)
	}
	p.size(width, height)
	p.do("Page.navigate", map[string]any{"url": url})
	p.until("the page is ready", `document.body?.dataset.ready === "yes"`)
	return p
}

func (p *tab) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) do(method string, params map[string]any) {
	p.t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	p.must(p.call(p.ctx, p.session, method, params, nil))
}

func (p *tab) size(width, height int) {
	p.t.Helper()
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600})
}

// eval is the value of a JavaScript expression as JSON decodes it; promises are awaited.
func (p *tab) eval(js string) (any, error) {
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.call(p.ctx, p.session, "Runtime.evaluate", map[string]any{"expression": js, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &r)
	if err == nil && r.ExceptionDetails != nil {
		err = fmt.Errorf("%s: %s %s", js, r.ExceptionDetails.Text, r.ExceptionDetails.Exception.Description)
	}
	return r.Result.Value, err
}

// get is eval of what must not fail.
func (p *tab) get(js string) any {
	p.t.Helper()
	v, err := p.eval(js)
	p.must(err)
	return v
}

// text is what an element shows.
func (p *tab) text(selector string) string {
	p.t.Helper()
	s, _ := p.get(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)).(string)
	return s
}

// until waits for an expression to be true.
func (p *tab) until(what, js string) {
	p.t.Helper()
	seen, holds := any(nil), false
	defer func() {
		if !holds {
			p.t.Logf("the page: %v\n%v", seen, p.complaints())
		}
	}()
	testkit.Eventually(p.t, 40*time.Second, what, func() bool {
		v, err := p.eval(js)
		if holds = err == nil && v == true; !holds {
			seen, _ = p.eval(`document.body.dataset.state + "\n" + document.getElementById("join-error").textContent + "\n" + document.getElementById("log").innerText`)
		}
		return holds
	})
}

// click presses an element that a finger could press: it is visible and not covered. Looking and pressing are one step, so that
// nothing moves in between.
func (p *tab) click(selector string) {
	p.t.Helper()
	hit := p.get(fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e?.scrollIntoView({block: "center", behavior: "instant"});
		const r = e?.getBoundingClientRect();
		if (!r || !e.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2))) return false;
		e.click();
		return true;
	})()`, selector))
	if hit != true {
		p.t.Fatalf("%s is not there to click", selector)
	}
}

// fill types text into a field in place of what is there.
func (p *tab) fill(selector, text string) {
	p.t.Helper()
	p.get(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.focus(); e.select(); })()`, selector))
	p.do("Input.insertText", map[string]any{"text": text})
}

// choose puts a file into a field for files.
func (p *tab) choose(selector, path string) {
	p.t.Helper()
	var r struct{ Result struct{ ObjectID string } }
	p.must(p.call(p.ctx, p.session, "Runtime.evaluate", map[string]any{"expression": fmt.Sprintf("document.querySelector(%q)", selector)}, &r))
	p.do("DOM.setFileInputFiles", map[string]any{"files": []string{path}, "objectId": r.Result.ObjectID})
}

// press sends a key.
func (p *tab) press(key string, code int) {
	p.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
		if kind == "keyDown" && key == "Enter" {
			params["text"] = "\r"
		}
		p.do("Input.dispatchKeyEvent", params)
	}
}

// dark switches the colours that the person prefers.
func (p *tab) dark(on bool) {
	p.t.Helper()
	value := map[bool]string{true: "dark", false: "light"}[on]
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": value}}})
}

// picture is the whole page as PNG.
func (p *tab) picture() []byte {
	p.t.Helper()
	var r struct{ Data string }
	p.must(p.call(p.ctx, p.session, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &r))
	png, err := base64.StdEncoding.DecodeString(r.Data)
	p.must(err)
	return png
}

// complaints are exceptions that nobody caught and violations of the policy.
func (b *chromium) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trouble
}
