//go:build unix

package sub

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/wire"
)

// process is a server in a process of its own.
type process struct {
	url   string
	tell  io.Writer
	hears *bufio.Scanner
}

const serving = "NATSKIT_TEST_SERVES"

// TestServes is no test: it is the server of BenchmarkFigures, in the process that startProcess makes.
func TestServes(t *testing.T) {
	if os.Getenv(serving) == "" {
		t.Skip("a part of BenchmarkFigures")
	}
	srv := testkit.Server(t)
	fmt.Println("url " + srv.URL())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		srv.AwaitInterest(in.Text())
		fmt.Println("interest")
	}
}

func startProcess(b *testing.B) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestServes$", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), serving+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	p := &process{tell: in, hears: bufio.NewScanner(out)}
	p.url = strings.TrimPrefix(p.await(b, "url "), "url ")
	return p
}

func (p *process) await(b *testing.B, prefix string) string {
	b.Helper()
	for p.hears.Scan() {
		if strings.HasPrefix(p.hears.Text(), prefix) {
			return p.hears.Text()
		}
	}
	b.Fatalf("the server has ended: %v", p.hears.Err())
	return ""
}

// subscribed waits until somebody subscribes to the subject.
func (p *process) subscribed(b *testing.B, subject string) {
	b.Helper()
	if _, err := io.WriteString(p.tell, subject+"\n"); err != nil {
		b.Fatal(err)
	}
	p.await(b, "interest")
}

func (p *process) dial() (*wire.Conn, error) {
	o := nats.GetDefaultOptions()
	o.Url = p.url
	return wire.Dial(context.Background(), o)
}

// publish sends n messages as fast as the wire goes and waits until the server has them.
func (p *process) publish(subject string, body []byte, n int) error {
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	out := wire.NewPublisher(context.Background(), c, false)
	defer out.Close()
	if err := out.Repeat(wire.EncodePub(nil, subject, "", nil, body), n); err != nil {
		return err
	}
	_, err = out.Confirm(context.Background())
	return err
}

// counter is a connection that subscribes to "bare".
func (p *process) counter(b *testing.B) *wire.Conn {
	b.Helper()
	in, err := p.dial()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close() })
	if _, err := in.Subscribe("bare", ""); err != nil {
		b.Fatal(err)
	}
	if err := in.Ping(b.Context()); err != nil {
		b.Fatal(err)
	}
	return in
}

// prepare starts the server of a row and makes what it reads.
func prepare(b *testing.B, r work) *figure {
	b.Helper()
	f := &figure{srv: startProcess(b), dir: b.TempDir(), body: []byte(strings.Repeat("0123456789abcdef", r.body/16))}
	if r.stdin {
		lines := bytes.Repeat(append(bytes.Clone(f.body), '\n'), r.n)
		if err := os.WriteFile(filepath.Join(f.dir, "lines"), lines, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if r.store {
		f.store(b, r)
	}
	return f
}

// store makes a stream of n messages.
func (f *figure) store(b *testing.B, r work) {
	b.Helper()
	nc, err := nats.Connect(f.srv.url)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, AllowDirect: true}
	if os.Getenv("NATSKIT_STORAGE") == "memory" {
		cfg.Storage = jetstream.MemoryStorage
	}
	s, err := js.CreateStream(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	// In pieces, which the server's queue in front of a stream has room for.
	const piece = 5_000
	for have := 0; have < r.n; have += piece {
		if err := f.srv.publish("s", f.body, piece); err != nil {
			b.Fatal(err)
		}
		testkit.Eventually(b, time.Minute, "the messages are stored", func() bool {
			info, err := s.Info(b.Context())
			return err == nil && info.State.Msgs == uint64(have+piece)
		})
	}
}

// command is a run of the binary in a home of its own.
func (f *figure) command(bin string, args ...string) *exec.Cmd {
	cmd := exec.Command(bin, args...)
	cmd.Env = []string{"NATS_URL=" + f.srv.url, "HOME=" + f.dir, "XDG_CONFIG_HOME=" + f.dir, "PATH=" + os.Getenv("PATH")}
	cmd.Stderr = &bytes.Buffer{}
	return cmd
}

// finish waits for the end of the command and says how much memory it used, in MB.
func finish(b *testing.B, cmd *exec.Cmd) (memory float64) {
	b.Helper()
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, cmd.Stderr)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS != "darwin" {
		used <<= 10
	}
	return float64(used) / 1e6
}

// run runs the binary by the row's command line: messages a second, processor time for each in ns, and the memory in MB.
func (f *figure) run(b *testing.B, r work, bin string) (rate, cpu, memory float64) {
	b.Helper()
	cmd := f.command(bin, r.args...)
	out, err := os.Create(filepath.Join(f.dir, "out"))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout = out
	if r.stdin {
		in, err := os.Open(filepath.Join(f.dir, "lines"))
		if err != nil {
			b.Fatal(err)
		}
		defer in.Close()
		cmd.Stdin = in
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if r.live {
		f.srv.subscribed(b, "speed")
		begin = time.Now()
		if err := f.srv.publish("speed", f.body, r.n); err != nil {
			b.Fatal(err)
		}
	}
	memory = finish(b, cmd)
	took := time.Since(begin)
	busy := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return float64(r.n) / took.Seconds(), float64(busy.Nanoseconds()) / float64(r.n), memory
}

// slow publishes n numbered messages to a subscription whose output is read at 10,000 lines a second.
func (f *figure) slow(b *testing.B, bin string, n int) (memory float64) {
	b.Helper()
	cmd := f.command(bin, "sub", "speed", "--raw", "--count", strconv.Itoa(n))
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	f.srv.subscribed(b, "speed")
	published := make(chan error, 1)
	go func() { published <- f.srv.count("speed", n) }()
	lines, pace := bufio.NewScanner(out), time.NewTicker(10*time.Millisecond)
	defer pace.Stop()
	for i := range n {
		if i%100 == 0 {
			<-pace.C
		}
		if !lines.Scan() || lines.Text() != strconv.Itoa(i) {
			b.Fatalf("line %d is %q", i, lines.Text())
		}
	}
	if lines.Scan() {
		b.Fatalf("there is more: %q", lines.Text())
	}
	if err := <-published; err != nil {
		b.Fatal(err)
	}
	return finish(b, cmd)
}

// count publishes the numbers below n as fast as the wire goes.
func (p *process) count(subject string, n int) error {
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	out := wire.NewPublisher(context.Background(), c, false)
	defer out.Close()
	for i := range n {
		if err := out.Publish(subject, "", nil, strconv.AppendInt(nil, int64(i), 10)); err != nil {
			return err
		}
	}
	_, err = out.Confirm(context.Background())
	return err
}

func wirePub(b *testing.B, f *figure, n int) float64 {
	begin := time.Now()
	if err := f.srv.publish("bare", f.body, n); err != nil {
		b.Fatal(err)
	}
	return float64(n) / time.Since(begin).Seconds()
}

func wireSub(b *testing.B, f *figure, n int) float64 {
	in := f.srv.counter(b)
	defer in.Close()
	published := make(chan error, 1)
	begin := time.Now()
	go func() { published <- f.srv.publish("bare", f.body, n) }()
	if _, err := in.Count(b.Context(), uint64(n), nil); err != nil {
		b.Fatal(err)
	}
	took := time.Since(begin)
	if err := <-published; err != nil {
		b.Fatal(err)
	}
	return float64(n) / took.Seconds()
}

// wireReplay has a consumer push the stream to a reader that only counts.
func wireReplay(b *testing.B, f *figure, n int) float64 {
	nc, err := nats.Connect(f.srv.url)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	in := f.srv.counter(b)
	defer in.Close()
	begin := time.Now()
	_, err = nc.Request("$JS.API.CONSUMER.CREATE.S", []byte(`{"stream_name":"S","config":{"deliver_subject":"bare","ack_policy":"none","mem_storage":true,"num_replicas":1}}`), time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := in.Count(b.Context(), uint64(n), nil); err != nil {
		b.Fatal(err)
	}
	return float64(n) / time.Since(begin).Seconds()
}
