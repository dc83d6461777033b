package embedded

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

func TestReachable(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "10.0.0.1": "10.0.0.1", "localhost": "localhost", "::1": "::1",
	} {
		if got := reachable(host); got != want {
			t.Errorf("reachable(%q) = %q, want %q", host, got, want)
		}
	}
}

// The URL of a server that listens everywhere, with TLS, can be connected to as it is.
func TestURLWithTLSOnEveryAddress(t *testing.T) {
	t.Parallel()
	certs := testkit.Server(t, testkit.WithTLS())
	tls := fmt.Sprintf("tls { cert_file: %q, key_file: %q, timeout: 10 }", certs.CertFile(), certs.KeyFile())
	s := run(t, Options{Config: writeConfig(t, fmt.Sprintf("listen: 0.0.0.0:-1\n%s\nwebsocket { listen: 0.0.0.0:-1, %s }", tls, tls))})
	if !strings.HasPrefix(s.URL(), "tls://127.0.0.1:") || !strings.HasPrefix(s.WebsocketURL(), "wss://127.0.0.1:") {
		t.Errorf("url %s, websocket %s", s.URL(), s.WebsocketURL())
	}
	connect(t, s.URL(), nats.RootCAs(certs.CAFile()))
	connect(t, s.WebsocketURL(), nats.RootCAs(certs.CAFile()))
	refusal(t, Options{Port: portOf(t, s.URL())}, fail.Failure, "in use", `nats-server "`)
}

// A holder of the port that says nothing, or something else, delays the error by little and adds nothing to it.
func TestHolderThatIsNoServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for _, greeting := range []string{"220 mail\r\n", "INFO {\r\n", "INFO " + strings.Repeat("x", 1<<20)} {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(greeting)) // the other side may hang up first
			conn.Close()
		}
	}()
	for range 4 {
		err := refusal(t, Options{Port: l.Addr().(*net.TCPAddr).Port}, fail.Failure, "in use")
		if strings.Contains(err.Error(), "nats-server") {
			t.Errorf("error %v", err)
		}
	}
}

func TestRemoteSyslog(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	run(t, Options{Config: writeConfig(t, fmt.Sprintf("listen: 127.0.0.1:-1\nremote_syslog: 'udp://%s'", pc.LocalAddr()))})
	if err := pc.SetReadDeadline(time.Now().Add(startTime)); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.Contains(line, "Server is ready"); {
		buf := make([]byte, 4096)
		n, _, err := pc.ReadFrom(buf)
		if err != nil {
			t.Fatalf("the log is silent: %v", err)
		}
		line = string(buf[:n])
	}
}
