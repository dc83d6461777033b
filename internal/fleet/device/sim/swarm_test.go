package sim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/device/sim"
	"github.com/natskit/natskit/internal/testkit"
)

func TestHardwareIsAlwaysTheSame(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for n := 1; n <= 100; n++ {
		a := sim.Hardware(7, n)
		if !reflect.DeepEqual(a, sim.Hardware(7, n)) || fleet.CheckID(a.ID) != nil || a.Memory == 0 || a.CPUs == 0 || a.OS.Name == "" {
			t.Errorf("%+v", a)
		}
		names[a.Nickname] = true
	}
	if len(names) != 100 {
		t.Errorf("%d names for 100 devices", len(names))
	}
	if reflect.DeepEqual(sim.Hardware(7, 1), sim.Hardware(8, 1)) && reflect.DeepEqual(sim.Hardware(7, 2), sim.Hardware(8, 2)) {
		t.Error("the seed changes nothing")
	}
}

func swarm(t testing.TB, url string, n int, interval time.Duration) *sim.Swarm {
	t.Helper()
	o := nats.GetDefaultOptions()
	o.Servers = strings.Split(url, ",")
	s, err := sim.Start(testkit.Context(t), sim.Options{Devices: n, Seed: 1, Device: device.Options{Conn: o, Interval: interval, Buffer: 100_000}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s
}

// query asks all devices and counts the answers.
func query(t testing.TB, nc *nats.Conn, n int) time.Duration {
	t.Helper()
	inbox := nc.NewInbox()
	answers := testkit.Subscribe(t, nc, inbox)
	begun := time.Now()
	if err := nc.PublishRequest("qcon.query", inbox, []byte(`{"expr":"memory > 4e9"}`)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(seen) < n {
		var a fleet.Answer
		if err := json.Unmarshal(answers.Next().Data, &a); err != nil {
			t.Fatal(err)
		}
		seen[a.ID] = true
	}
	return time.Since(begun)
}

func TestSwarm(t *testing.T) {
	srv := testkit.Server(t)
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	if _, err := srv.JS().KeyValue(testkit.Context(t), "config"); err != nil {
		t.Fatal(err)
	}
	s := swarm(t, srv.URL(), 20, 50*time.Millisecond)
	query(t, srv.Conn(), 20)
	c := s.Count()
	if c.Devices != 20 || c.Connected != 20 || c.Lost != 0 {
		t.Errorf("%+v", c)
	}
	testkit.Eventually(t, 30*time.Second, "metrics", func() bool { return s.Count().Sent > 100 })
	if len(s.Infos()) != 20 || s.Infos()[3].Server != "test" {
		t.Errorf("%+v", s.Infos()[3])
	}
}

// TestMain makes the test's binary also a process that holds nothing but devices, so that their memory can be measured.
func TestMain(m *testing.M) {
	if url := os.Getenv("SIM_TEST_URL"); url != "" {
		os.Exit(child(url))
	}
	os.Exit(m.Run())
}

func child(url string) int {
	o := nats.GetDefaultOptions()
	o.Servers = []string{url}
	s, err := sim.Start(context.Background(), sim.Options{Devices: thousand, Seed: 1, Device: device.Options{Conn: o}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("joined")
	lines := bufio.NewReader(os.Stdin)
	for {
		if _, err := lines.ReadString('\n'); err != nil {
			return 0
		}
		fmt.Println(s.Count().Troubled, s.Count().Sent, resident())
	}
}

// resident is the memory of this process in MiB, 0 where the system does not tell.
func resident() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(line, ":"); name == "VmHWM" {
			kib, _ := strconv.Atoi(strings.Fields(value)[0])
			return kib >> 10
		}
	}
	return 0
}

const thousand = 1000

// TestThousand measures a query of 1,000 devices, and the memory of a process that holds nothing else:
// NATSKIT_SOAK=1 go test ./internal/fleet/device/sim -run TestThousand -v
func TestThousand(t *testing.T) {
	if os.Getenv("NATSKIT_SOAK") == "" {
		t.Skip("NATSKIT_SOAK is not set")
	}
	srv := testkit.Server(t)
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "qcon_state"})
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "metrics", Subjects: []string{"metrics.>"}})
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), "SIM_TEST_URL="+srv.URL()), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "joined\n" {
		t.Fatalf("%q %v", line, err)
	}
	var troubled, sent, memory int
	ask := func() {
		t.Helper()
		if _, err := fmt.Fprintln(in); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscan(lines, &troubled, &sent, &memory); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, 5*time.Minute, "ten metrics of each", func() bool {
		ask()
		return troubled == 0 && testkit.State(t, srv.JS(), "metrics").Msgs > 10*thousand
	})
	best := time.Hour
	for range 5 {
		took := query(t, srv.Conn(), thousand)
		t.Logf("%d answers in %s", thousand, took)
		best = min(best, took)
	}
	ask()
	t.Logf("%d MiB at most, %d messages sent", memory, sent)
	if memory > 300 {
		t.Errorf("%d devices take %d MiB", thousand, memory)
	}
	if best > 2*time.Second {
		t.Errorf("the fastest query took %s", best)
	}
}
