package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/fail"
)

// greetingWait bounds how long the holder of a port may take to say what it is.
const greetingWait = 500 * time.Millisecond

type listener struct {
	what string
	flag string // what to type to have another port
	host string
	port int
}

// listeners are the addresses that the server is going to listen on, but those of which the system picks the port.
func listeners(so *server.Options) []listener {
	host := or(so.Host, server.DEFAULT_HOST)
	all := []listener{
		{"websocket", "--websocket -1", or(so.Websocket.Host, server.DEFAULT_HOST), so.Websocket.Port},
		{"monitor", "--monitor -1", or(so.HTTPHost, host), so.HTTPPort},
		{"monitor", "", or(so.HTTPHost, host), so.HTTPSPort},
		{"leaf node", "", or(so.LeafNode.Host, server.DEFAULT_HOST), so.LeafNode.Port},
		{"cluster", "", or(so.Cluster.Host, server.DEFAULT_HOST), so.Cluster.Port},
		{"gateway", "", or(so.Gateway.Host, server.DEFAULT_HOST), so.Gateway.Port},
		{"MQTT", "", or(so.MQTT.Host, server.DEFAULT_HOST), so.MQTT.Port},
		{"profiling", "", host, so.ProfPort},
	}
	if !so.DontListen {
		port := so.Port
		if port == 0 {
			port = server.DEFAULT_PORT
		}
		all = append([]listener{{"client", "--port -1", host, port}}, all...)
	}
	return slices.DeleteFunc(all, func(l listener) bool { return l.port <= 0 })
}

// checkPorts tries every port that the server will take: nats-server itself only logs that it could not.
func checkPorts(ctx context.Context, so *server.Options) error {
	for _, l := range listeners(so) {
		address := net.JoinHostPort(l.host, strconv.Itoa(l.port))
		probe, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			err = probe.Close()
		}
		if err == nil {
			continue
		}
		var call *os.SyscallError
		if errors.As(err, &call) {
			err = call
		}
		if !inUse(err) {
			return fail.Newf(fail.Failure, "%s port %d on %s: %w", l.what, l.port, l.host, err)
		}
		e := fail.Newf(fail.Failure, "%s port %d on %s is in use%s", l.what, l.port, l.host, holderOf(ctx, l))
		if l.flag != "" {
			e = e.WithHint("%s picks a free port", l.flag)
		}
		return e
	}
	return nil
}

func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, errAddrInUse)
}

// holderOf asks who listens, and says it when it is a nats-server.
func holderOf(ctx context.Context, l listener) string {
	ctx, cancel := context.WithTimeout(ctx, greetingWait)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(reachable(l.host), strconv.Itoa(l.port)))
	if err != nil {
		return ""
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return ""
	}
	line, err := bufio.NewReaderSize(conn, 32<<10).ReadSlice('\n')
	text, isNATS := strings.CutPrefix(string(line), "INFO ")
	if err != nil || !isNATS {
		return ""
	}
	var info struct {
		Name    string `json:"server_name"`
		Version string `json:"version"`
	}
	if json.Unmarshal([]byte(text), &info) != nil {
		return ""
	}
	return fmt.Sprintf(" by nats-server %q, version %q", info.Name, info.Version)
}

// reachable is an address to dial for one that may be every interface of the machine.
func reachable(host string) string {
	switch ip := net.ParseIP(host); {
	case host == "":
		return defaultHost
	case ip == nil || !ip.IsUnspecified():
		return host
	case ip.To4() != nil:
		return defaultHost
	}
	return net.IPv6loopback.String()
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
