package scale

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// site is a server process, the program and the bare clients, all built from this tree.
type site struct {
	tb        testing.TB
	dir       string
	nats      string
	bare      string
	url       string
	js        jetstream.JetStream
	benchmark bool
}

// full tells whether the sizes are those that are promised, else they are a tenth.
func full() bool { return os.Getenv("NATSKIT_SOAK") != "" }

func scaled(n int) int {
	if full() {
		return n
	}
	return n / 10
}

// newSite builds the programs and starts a server with an empty store. Tests run at full size only; benchmarks always.
func newSite(tb testing.TB) *site {
	tb.Helper()
	_, bench := tb.(*testing.B)
	if !bench && !full() {
		tb.Skip("runs with NATSKIT_SOAK=1")
	}
	if runtime.GOOS == "windows" {
		tb.Skip("the system does not tell how much memory a process used")
	}
	s := &site{tb: tb, dir: tb.TempDir(), benchmark: bench}
	s.nats, s.bare = filepath.Join(s.dir, "bin", "nats"), filepath.Join(s.dir, "bin", "bare")
	for out, pkg := range map[string]string{s.nats: "../../nats", s.bare: "./testdata/bare"} {
		if text, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
			tb.Fatalf("building %s: %v\n%s", pkg, err, text)
		}
	}
	s.startServer()
	nc, err := nats.Connect(s.url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	if s.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(8000), jetstream.WithDefaultTimeout(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *site) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "XDG_CONFIG_HOME=" + s.dir, "TMPDIR=" + s.dir, "NATS_URL=" + s.url, "NATS_TIMEOUT=30s"}
}

func (s *site) startServer() {
	s.tb.Helper()
	cmd := exec.Command(s.nats, "server", "run", "scale", "--port=-1", "--store", filepath.Join(s.dir, "store"), "--user", "scale", "--password", "scale", "--json")
	cmd.Env = s.environment()
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	var ready struct {
		URL string `json:"url"`
	}
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		_ = cmd.Wait()
		s.tb.Fatalf("starting the server: %v\n%s", err, complaints.String())
	}
	s.url = strings.Replace(ready.URL, "://", "://scale:scale@", 1)
	go func() { _, _ = io.Copy(io.Discard, out) }()
}

// ran is what a run of a program cost.
type ran struct {
	first, total, cpu time.Duration
	memory            int64 // the most it had, bytes
	out               int64 // bytes of its output
}

// run runs the program, which must end with one of the codes, 0 when there are none. The output goes to sink, or nowhere.
func (s *site) run(in io.Reader, sink io.Writer, args ...string) ran {
	s.tb.Helper()
	return s.measure(in, sink, append([]string{s.nats}, args...)...)
}

func (s *site) measure(in io.Reader, sink io.Writer, args ...string) ran {
	s.tb.Helper()
	if sink == nil {
		sink = io.Discard
	}
	use := filepath.Join(s.dir, "use")
	cmd := exec.Command(s.bare, append([]string{"measure", use}, args...)...)
	cmd.Env, cmd.Stdin = s.environment(), in
	var complaints strings.Builder
	cmd.Stderr = &complaints
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	var r ran
	out := bufio.NewReaderSize(pipe, 1<<20)
	if _, err := out.Peek(1); err == nil {
		r.first = time.Since(begin)
	}
	r.out, err = io.Copy(sink, out)
	if err != nil {
		s.tb.Fatal(err)
	}
	err = cmd.Wait()
	r.total = time.Since(begin)
	var code int
	var cpu int64
	text, readErr := os.ReadFile(use)
	if readErr == nil {
		_, readErr = fmt.Sscan(string(text), &r.memory, &cpu, &code)
	}
	if readErr != nil || err != nil && code == 0 {
		s.tb.Fatalf("%v: %v, %v\n%s", args, err, readErr, complaints.String())
	}
	// A search that finds nothing ends with 1 and has nothing to say.
	if code != 0 && (code != 1 || complaints.Len() > 0) {
		s.tb.Fatalf("%v ended with %d\n%s", args, code, complaints.String())
	}
	r.cpu = time.Duration(cpu) * time.Microsecond
	return r
}

// bareRead and barePublish do the same work with nats.go and nothing else.
func (s *site) bareRead(stream string, n int) ran {
	s.tb.Helper()
	return s.measure(nil, nil, s.bare, "read", s.url, stream, strconv.Itoa(n))
}

func (s *site) barePublish(subject string, n, size, pending int) ran {
	s.tb.Helper()
	return s.measure(nil, nil, s.bare, "publish", s.url, subject, strconv.Itoa(n), strconv.Itoa(size), strconv.Itoa(pending))
}

// fill is barePublish for data that is only needed.
func (s *site) fill(subject string, n, size int) { s.barePublish(subject, n, size, 8000) }

// report tells one figure.
func (s *site) report(value float64, unit string) {
	if b, ok := s.tb.(*testing.B); ok {
		b.ReportMetric(value, unit)
		return
	}
	s.tb.Logf("%.4g %s", value, unit)
}

// cost tells the time to the first row and to the end, and the memory, which must not be more than bound MB; 0 is no bound.
func (s *site) cost(what string, r ran, bound float64) {
	s.tb.Helper()
	if r.out > 0 {
		s.report(float64(r.first.Milliseconds()), what+"-first-ms")
	}
	s.report(r.total.Seconds(), what+"-s")
	mb := float64(r.memory) / 1e6
	s.report(mb, what+"-MB")
	if bound > 0 && mb > bound {
		s.tb.Errorf("%s: %.0f MB of memory, at most %.0f", what, mb, bound)
	}
}

// share tells the speed as a share of the bare client's.
func (s *site) share(what string, r, bare ran) {
	s.report(100*bare.total.Seconds()/r.total.Seconds(), what+"-%-of-bare")
	s.report(100*bare.cpu.Seconds()/r.cpu.Seconds(), what+"-cpu-%-of-bare")
}

func (s *site) stream(cfg jetstream.StreamConfig) {
	s.tb.Helper()
	if _, err := s.js.CreateStream(s.tb.Context(), cfg); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *site) drop(stream string) {
	s.tb.Helper()
	if err := s.js.DeleteStream(s.tb.Context(), stream); err != nil {
		s.tb.Fatal(err)
	}
}
