//go:build unix

package suite

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/meter"
)

// window is how many messages of an asynchronous publisher wait for their acknowledgements.
const window = 500

// line is a row of the table: a command line, and the program that it is compared with.
type line struct {
	args string // of nats bench, without server; the rate is that of the last line of statistics it prints
	msgs int
	size int
	bare string // a role of TestBare; empty when there is nothing bare that does the same
	with string // a command that runs beside it and is ready once it has subscribed; empty for none
	ours bool   // other binaries do not have this command
}

// lines are long enough to drown the start of a process, and short enough for the suite to end within minutes.
var lines = []line{
	{args: "pub suite", msgs: 4_000_000, size: 16, bare: "write"},
	{args: "pub suite", msgs: 3_000_000, size: 128, bare: "write"},
	{args: "pub suite", msgs: 30_000, size: 64 << 10, bare: "write"},
	{args: "pubsub suite --no-latency", msgs: 3_000_000, size: 16, bare: "read", ours: true},
	{args: "pubsub suite", msgs: 3_000_000, size: 16, bare: "read", ours: true},
	{args: "pub suite", msgs: 2_000_000, size: 16, bare: "read", with: "sub suite"},
	{args: "service request suite", msgs: 30_000, size: 16, with: "service serve suite"},
	{args: "js pub sync suite --create --purge", msgs: 10_000, size: 128},
	{args: "js pub async suite --create --purge --batch 500", msgs: 200_000, size: 128, bare: "async"},
	{args: "js pub atomic suite --create --purge --batch 500", msgs: 100_000, size: 128},
	{args: "js pub fast suite --create --purge --batch 500", msgs: 200_000, size: 128},
	{args: "js ordered", msgs: 200_000, size: 128},
	{args: "js consume", msgs: 100_000, size: 128},
	{args: "js fetch", msgs: 100_000, size: 128},
	{args: "js get sync", msgs: 10_000, size: 128},
	{args: "js get batch", msgs: 100_000, size: 128},
	{args: "kv put --purge", msgs: 10_000, size: 128},
	{args: "kv get", msgs: 10_000, size: 128},
}

// TestSuite prints the tables. SUITE=1 lets it run, PEER is another binary to compare with, SUITE_ROUNDS how often each line is
// run, SUITE_ONLY a regular expression that chooses lines.
func TestSuite(t *testing.T) {
	if os.Getenv("SUITE") == "" {
		t.Skip("make bench runs this")
	}
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("SUITE_ROUNDS")); err == nil {
		rounds = max(n, 1)
	}
	only := regexp.MustCompile(os.Getenv("SUITE_ONLY"))
	s := &suite{t: t, ours: build(t, "nats", "./nats"), usage: build(t, "usage", "./internal/meter/suite/usage"), peer: os.Getenv("PEER"), server: startServer(t), home: t.TempDir()}
	if s.peer != "" {
		if _, err := exec.LookPath(s.peer); err != nil {
			t.Fatalf("PEER: %v", err)
		}
	}
	fmt.Printf("%s/%s, %d CPUs, %d rounds; every figure is the median of the rounds, every ratio that of neighbouring runs\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), rounds)
	s.head()
	for _, l := range lines {
		if only.MatchString(l.args) {
			s.measure(l, rounds)
		}
	}
	if only.MatchString("connections") {
		s.connections()
	}
	if only.MatchString("start") {
		s.startup()
	}
}

// suite is one run of all lines.
type suite struct {
	t          *testing.T
	ours, peer string
	usage      string // the binary that starts the others and says what they used
	home       string
	runs       int
	server     *server
}

// figures are what one run of a program showed.
type figures struct {
	rate float64       // messages a second, by its own account
	cpu  time.Duration // of the process
	rss  int64         // bytes, at its largest
	fail string        // why there is no rate
}

func (s *suite) head() {
	fmt.Printf("| nats bench … | msgs/s | MiB/s | ÷ bare | µs CPU/msg | bare |%s\n", map[bool]string{true: " peer msgs/s | ours ÷ peer |"}[s.peer != ""])
	fmt.Printf("|---|---:|---:|---:|---:|---:|%s\n", map[bool]string{true: "---:|---:|"}[s.peer != ""])
}

// measure runs a line, its bare counterpart and the peer one after the other, as often as there are rounds.
func (s *suite) measure(l line, rounds int) {
	var rates, cpus, ratios, bares, peers, others []float64
	failed, peerFailed := "", ""
	for range rounds {
		var bare float64
		if l.bare != "" {
			rate, cpu := s.bare(l)
			bare, bares = rate, append(bares, cpu)
		}
		f := s.bench(s.ours, l)
		if f.fail != "" {
			failed = f.fail
			continue
		}
		rates = append(rates, f.rate)
		cpus = append(cpus, float64(f.cpu.Microseconds())/float64(l.msgs))
		if bare > 0 {
			ratios = append(ratios, f.rate/bare)
		}
		if s.peer == "" || l.ours {
			continue
		}
		if p := s.bench(s.peer, l); p.fail != "" {
			peerFailed = p.fail
		} else {
			others = append(others, p.rate)
			peers = append(peers, f.rate/p.rate)
		}
	}
	name := fmt.Sprintf("`%s --msgs %d --size %dB`", l.args, l.msgs, l.size)
	if l.with != "" {
		name += fmt.Sprintf(" beside `%s`", l.with)
	}
	rate := median(rates)
	row := fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", name, whole(rate), whole(rate*float64(l.size)/(1<<20)), cell("%.2f", ratios), cell("%.3f", cpus), cell("%.3f", bares))
	if s.peer != "" {
		row += fmt.Sprintf(" %s | %s |", whole(median(others)), cell("%.2f", peers))
	}
	fmt.Println(row)
	if failed != "" {
		s.t.Errorf("%s: %s", name, failed)
	}
	if peerFailed != "" {
		fmt.Printf("  the peer failed: %s\n", peerFailed)
	}
}

// bare runs a program of TestBare and returns its rate and its microseconds of processor time for each message.
func (s *suite) bare(l line) (rate, cpu float64) {
	if l.bare == "async" { // the stream has to be there
		if f := s.bench(s.ours, line{args: "js pub sync suite --create --purge", msgs: 1, size: 1}); f.fail != "" {
			s.t.Fatal(f.fail)
		}
	}
	cmd := self(s.t, "TestBare", l.bare, "SUITE_URL="+s.server.url, fmt.Sprintf("SUITE_MSGS=%d", l.msgs), fmt.Sprintf("SUITE_SIZE=%d", l.size), fmt.Sprintf("SUITE_WINDOW=%d", window))
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("bare %s: %v\n%s", l.bare, err, out)
	}
	for text := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(text, "RATE "); ok {
			if _, err := fmt.Sscan(v, &rate, &cpu); err != nil {
				s.t.Fatal(err)
			}
			return rate, cpu
		}
	}
	s.t.Fatalf("bare %s says no rate:\n%s", l.bare, out)
	return 0, 0
}

// bench runs a line with a binary, beside the command that it needs.
func (s *suite) bench(bin string, l line) figures {
	all := fmt.Sprintf("%s --msgs %d --size %dB", l.args, l.msgs, l.size)
	if l.with == "" {
		return s.run(s.command(bin, all))
	}
	serving := strings.HasPrefix(l.with, "service")
	before := s.server.subscriptions()
	beside := s.command(bin, fmt.Sprintf("%s --msgs %d --size %dB", l.with, l.msgs, l.size))
	var out bytes.Buffer
	beside.Stdout, beside.Stderr = &out, &out
	if err := beside.Start(); err != nil {
		return figures{fail: err.Error()}
	}
	s.server.subscribed(before, 1)
	f := s.run(s.command(bin, all))
	if serving {
		_ = beside.Process.Signal(os.Interrupt)
	}
	err := beside.Wait()
	if serving || f.fail != "" {
		return f
	}
	// Of a publisher and its subscriber, the subscriber has the rate.
	g := result(out.String(), err)
	cpu, _ := beside.used()
	g.cpu = f.cpu + cpu
	return g
}

func (s *suite) command(bin, args string) *program {
	return s.program(append(append([]string{bin, "--server", s.server.url, "bench"}, strings.Fields(args)...), "--no-progress")...)
}

// program is a command that leaves what it used in a file.
type program struct {
	*exec.Cmd
	t    *testing.T
	file string
}

// program keeps a command away from the user's settings.
func (s *suite) program(args ...string) *program {
	s.runs++
	file := filepath.Join(s.home, fmt.Sprintf("usage.%d", s.runs))
	cmd := exec.CommandContext(s.t.Context(), s.usage, append([]string{file}, args...)...)
	cmd.Dir = s.home
	cmd.Env = append(os.Environ(), "HOME="+s.home, "XDG_CONFIG_HOME="+s.home)
	return &program{cmd, s.t, file}
}

// used is the processor time of a program that has ended, and how many bytes of memory it had at once.
func (p *program) used() (cpu time.Duration, rss int64) {
	p.t.Helper()
	text, err := os.ReadFile(p.file)
	if err == nil {
		_, err = fmt.Sscan(string(text), &cpu, &rss)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return cpu, rss
}

func (s *suite) run(p *program) figures {
	out, err := p.CombinedOutput()
	f := result(string(out), err)
	f.cpu, f.rss = p.used()
	return f
}

var statistics = regexp.MustCompile(` stats: ([\d,]+) msgs/sec`)

// result reads the rate of a report.
func result(out string, err error) figures {
	all := statistics.FindAllStringSubmatch(out, -1)
	if err != nil || len(all) == 0 {
		return figures{fail: fmt.Sprintf("%v: %.2000s", err, out)}
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(all[len(all)-1][1], ",", ""), 64)
	if err != nil {
		return figures{fail: err.Error()}
	}
	return figures{rate: v}
}

func median[T cmp.Ordered](v []T) T {
	if len(v) == 0 {
		var zero T
		return zero
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func whole(v float64) string {
	if v == 0 {
		return ""
	}
	return meter.Commas(int64(v))
}

func cell(format string, v []float64) string {
	if len(v) == 0 {
		return ""
	}
	return fmt.Sprintf(format, median(v))
}
