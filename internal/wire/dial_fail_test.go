package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// listen serves each connection with f.
func listen(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = nc.Close() }()
				f(nc)
			}()
		}
	}()
	return l.Addr().String()
}

func httpServer(t *testing.T) string {
	return listen(t, func(nc net.Conn) {
		_, _ = nc.Read(make([]byte, 4096))
		_, _ = io.WriteString(nc, "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")
	})
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestDialFailures(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) })
	garbage := listen(t, func(nc net.Conn) { _, _ = io.WriteString(nc, "SSH-2.0-OpenSSH_9.6\r\n") })
	impolite := listen(t, func(nc net.Conn) { _, _ = io.WriteString(nc, "PING\r\n") })
	closing := listen(t, func(net.Conn) {})
	throttled := listen(t, func(nc net.Conn) {
		_, _ = io.WriteString(nc, "-ERR 'Connection throttling is active. Please try again later.'\r\n")
	})
	early := listen(t, func(nc net.Conn) {
		_, _ = io.WriteString(nc, "INFO {\"tls_required\":true}\r\nINFO {\"tls_required\":false}\r\n")
		_, _ = io.Copy(io.Discard, nc)
	})
	dead := nobody(t)
	rows := []struct {
		name, addr string
		is         error
		says       string
	}{
		{"nobody", dead, nats.ErrNoServers, dead},
		{"silent", silent, nats.ErrTimeout, "does not answer"},
		{"another protocol", garbage, ErrProtocol, "SSH-2.0"},
		{"no INFO", impolite, nats.ErrNoInfoReceived, ""},
		{"closed", closing, nats.ErrDisconnected, "EOF"},
		{"throttled", throttled, nil, "Connection throttling"},
		{"bytes before TLS", early, nats.ErrTLS, "before TLS"},
	}
	for _, r := range rows {
		o := testOptions(r.addr)
		if r.name == "silent" {
			o.Timeout = 50 * time.Millisecond
		}
		_, err := Dial(testContext(t), o)
		if err == nil || r.is != nil && !errors.Is(err, r.is) || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%s: %v", r.name, err)
		}
	}
	_, err := Dial(testContext(t), testOptions("nats://u:s3cret@127.0.0.1:bad"))
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("malformed URL: %v", err)
	}
	s := startServer(t, "")
	o := testOptions(dead+", "+closing, s.ClientURL())
	o.NoRandomize = true
	echo(t, dial(t, o))
}

func TestDialCancelled(t *testing.T) {
	t.Parallel()
	accepted := make(chan struct{})
	addr := listen(t, func(nc net.Conn) {
		close(accepted)
		_, _ = io.Copy(io.Discard, nc)
	})
	ctx, cancel := context.WithCancelCause(testContext(t))
	go func() {
		<-accepted
		cancel(fail.ErrInterrupted)
	}()
	if _, err := Dial(ctx, testOptions(addr)); !errors.Is(err, fail.ErrInterrupted) {
		t.Error(err)
	}
}
