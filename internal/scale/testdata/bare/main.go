// Command bare is what the measurements of package scale compare with: clients that do nothing but read or publish with nats.go,
// and a way to run a program and learn how much memory it used.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(verb string, args []string) error {
	switch verb {
	case "measure":
		return measure(args[0], args[1:])
	case "zeros":
		return zeros(number(args[0]))
	case "free":
		return free(args[0])
	}
	nc, err := nats.Connect(args[0])
	if err != nil {
		return err
	}
	defer nc.Close()
	if verb == "read" {
		args = append(args, "0", "1")
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(number(args[4])),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, m *nats.Msg, err error) {
			fmt.Fprintf(os.Stderr, "bare: %s: %v\n", m.Subject, err)
			os.Exit(1)
		}))
	if err != nil {
		return err
	}
	if verb == "read" {
		return read(js, args[1], number(args[2]))
	}
	return publish(js, args[1], number(args[2]), number(args[3]))
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// read counts n messages of a stream.
func read(js jetstream.JetStream, stream string, n int) error {
	oc, err := js.OrderedConsumer(context.Background(), stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	seen, done := 0, make(chan struct{})
	cc, err := oc.Consume(func(m jetstream.Msg) {
		if seen++; seen == n {
			close(done)
		}
	})
	if err != nil {
		return err
	}
	<-done
	cc.Stop()
	return nil
}

// publish stores n messages of size bytes, on subjects of their own where the subject has a %d.
func publish(js jetstream.JetStream, subject string, n, size int) error {
	body := make([]byte, size)
	for i := range body {
		body[i] = "0123456789abcdef"[i%16]
	}
	many := strings.Contains(subject, "%")
	for i := range n {
		to := subject
		if many {
			to = fmt.Sprintf(subject, i)
		}
		if _, err := js.PublishAsync(to, body, jetstream.WithStallWait(time.Minute)); err != nil {
			return err
		}
	}
	<-js.PublishAsyncComplete()
	return nil
}

// zeros writes n bytes.
func zeros(n int) error {
	buf := make([]byte, 1<<20)
	for n > 0 {
		m, err := os.Stdout.Write(buf[:min(n, len(buf))])
		if err != nil {
			return err
		}
		n -= m
	}
	return nil
}

// free prints how many bytes the disk of dir can still take.
func free(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err
	}
	_, err := fmt.Println(st.Bavail * uint64(st.Bsize))
	return err
}

// measure runs a program with our standard streams and writes the most memory it used, in bytes, and its processor time, in
// microseconds, to a file. It is a process of its own since a child is charged with the memory of the one that starts it.
func measure(file string, args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return err
	}
	use := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	text := fmt.Sprintf("%d %d %d\n", use.Maxrss<<10, cpu.Microseconds(), cmd.ProcessState.ExitCode())
	if werr := os.WriteFile(file, []byte(text), 0o600); werr != nil {
		return werr
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
}
