//go:build unix

package sub

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// BenchmarkFigures runs the command lines of the speed table in docs/BENCHMARKS.md as a user does: the built binary (NATSKIT_BIN, else
// one built here) in a process of its own, against a server in another. Each round measures in turn what the wire gives, ours, and
// with PEER another binary that takes the same command lines. Reported are medians:
//
//	msgs/s   messages a second, from the start of the work to the end of the process
//	of-wire  the same as a share of a pre-encoded publisher and a reader that only counts
//	cpu-ns/msg  processor time of the process for each message, its start included
//	of-peer  the same as a multiple of PEER
//	MB       the largest memory of the process, at least that of this one (which it inherits from the fork)
//
//	go test ./cli/sub -run '^$' -bench Figures -benchtime 5x
func BenchmarkFigures(b *testing.B) {
	bin, peer := binary(b), os.Getenv("PEER")
	for _, row := range figures {
		b.Run(row.name, func(b *testing.B) {
			f := prepare(b, row)
			var bare, ours, theirs, cpu, theirCPU []float64
			var memory float64
			for b.Loop() {
				bare = append(bare, row.wire(b, f, row.n))
				rate, busy, mb := f.run(b, row, bin)
				ours, cpu, memory = append(ours, rate), append(cpu, busy), max(memory, mb)
				if peer != "" {
					rate, busy, _ := f.run(b, row, peer)
					theirs, theirCPU = append(theirs, rate), append(theirCPU, busy)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(ours), "msgs/s")
			b.ReportMetric(median(ours)/median(bare), "of-wire")
			b.ReportMetric(median(cpu), "cpu-ns/msg")
			b.ReportMetric(memory, "MB")
			if peer != "" {
				b.ReportMetric(median(ours)/median(theirs), "of-peer")
				b.ReportMetric(median(theirCPU), "peer-cpu-ns/msg")
			}
		})
	}
}

// work is a line of the table.
type work struct {
	name  string
	n     int
	body  int // bytes of each message
	args  []string
	stdin bool // n lines are piped in
	live  bool // n messages are published once it has subscribed
	store bool // a stream holds n messages
	wire  func(b *testing.B, f *figure, n int) float64
}

var figures = []work{
	{name: "pub", n: 100_000, body: 16, args: []string{"pub", "speed", "0123456789abcdef", "--count", "100000", "-q"}, wire: wirePub},
	{name: "pub-lines", n: 200_000, body: 16, stdin: true, args: []string{"pub", "speed", "--send-on", "newline", "-q"}, wire: wirePub},
	{name: "sub", n: 300_000, body: 16, live: true, args: []string{"sub", "speed", "--count", "300000"}, wire: wireSub},
	{name: "sub-raw", n: 300_000, body: 16, live: true, args: []string{"sub", "speed", "--count", "300000", "--raw"}, wire: wireSub},
	{name: "replay", n: 500_000, body: 128, store: true, args: []string{"sub", "--stream", "S", "--all", "--raw", "--count", "500000"}, wire: wireReplay},
	{name: "replay-direct", n: 500_000, body: 128, store: true, args: []string{"sub", "--stream", "S", "--direct", "--raw", "--count", "500000"}, wire: wireReplay},
}

// figure is where a row is measured.
type figure struct {
	srv  *process
	dir  string
	body []byte
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// binary is the program to measure.
func binary(b *testing.B) string {
	b.Helper()
	if bin := os.Getenv("NATSKIT_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(b.TempDir(), "nats")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/natskit/natskit/nats").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// BenchmarkFiguresSlowReader is sub into a reader that takes 10,000 lines a second while 120,000 messages are published as fast as the
// wire goes, 1.2 million with NATSKIT_SOAK. It fails when one is missing, doubled or out of order.
func BenchmarkFiguresSlowReader(b *testing.B) {
	n := 120_000
	if os.Getenv("NATSKIT_SOAK") != "" {
		n = 1_200_000
	}
	bin := binary(b)
	f := prepare(b, work{body: 16})
	for b.Loop() {
		b.ReportMetric(f.slow(b, bin, n), "MB")
	}
	b.ReportMetric(float64(n), "msgs")
}
