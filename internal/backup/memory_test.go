package backup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
)

// The parent asks the child, a process without a server in it, for one transfer by these variables.
const (
	childWork = "NATSKIT_TEST_BACKUP"
	childURL  = "NATSKIT_TEST_BACKUP_URL"
	childDir  = "NATSKIT_TEST_BACKUP_DIR"
)

// Backup and restore need less than 64 MB of memory, whatever the size of the stream: the process does, not its heap alone.
func TestMemory(t *testing.T) {
	if os.Getenv(childWork) != "" {
		child(t)
		return
	}
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process is read from /proc")
	}
	megabytes := 40
	if raceDetector {
		megabytes = 4
	}
	if os.Getenv("NATSKIT_SOAK") != "" {
		megabytes = 600
	}
	w := benchWorld(t, megabytes*128)
	for _, work := range []string{"save", "restore"} {
		if work == "restore" {
			clearStream(t, w)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemory$", "-test.v")
		cmd.Env = append(os.Environ(), childWork+"="+work, childURL+"="+w.URL(), childDir+"="+w.dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", work, err, out)
		}
		_, after, _ := strings.Cut(string(out), "peak=")
		text, _, _ := strings.Cut(after, "\n")
		peak, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v in %s", work, err, out)
		}
		t.Logf("%s of %d MB: peak %d kB", work, megabytes, peak)
		if !raceDetector && peak > 64<<10 {
			t.Errorf("%s: the process took %d kB", work, peak)
		}
	}
}

func child(t *testing.T) {
	nc, err := nats.Connect(os.Getenv(childURL))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	stream, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c, dir := js.New(stream), os.Getenv(childDir)
	ctx := context.WithoutCancel(t.Context())
	if os.Getenv(childWork) == "save" {
		info, err := c.Info(ctx, "ORDERS")
		if err == nil {
			_, err = Save(ctx, c, info, dir, SaveOptions{Consumers: true, Idle: noWait, Now: time.Now()})
		}
		if err != nil {
			t.Fatal(err)
		}
	} else {
		d, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := d.Meta.Stream()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(ctx, c, d, RestoreOptions{Config: cfg, Idle: noWait, Settle: noWait}); err != nil {
			t.Fatal(err)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			fmt.Printf("peak=%s\n", f[1])
		}
	}
}
