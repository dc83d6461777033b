// Package fleet is edge devices and those who look after them: what they say to each other over NATS, how a device behaves,
// and what an operator can ask of many at once.
//
// A device is a micro service (ADR-32) whose instances all carry the same service name. Everybody may ask:
//
//	SERVICE.device_info        each device answers with its Info, if the JSON in the request is a subset of it
//	SERVICE.nickname           one device answers with its nickname
//	SERVICE.advertise          each device moves to the server URL in the request; an empty one moves it back
//	SERVICE.query              each device answers a Query with an Answer
//	SERVICE.control.ID         device ID obeys a Control at once and answers with a Controlled
//
// and without being asked it publishes metrics.SERVER.CLIENT every second: a Metric.
//
// Configuration lies in a key-value bucket: the key "all" for every device, "where.NAME" a Rule for those that an
// expression selects, "device.ID" for one. What a device applies is the three merged in this order (RFC 7396). It tells what it
// applied in the bucket SERVICE_state, key "config.ID", a ConfigState; who it is under "device.ID", its Info.
//
// Commands wait in the stream SERVICE_commands on SERVICE.command.ID, each device with a durable consumer of its own; a
// device publishes a Result for every change of a command's state to SERVICE.result.ID.COMMAND, which the stream
// SERVICE_results keeps, the last of each subject.
package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Names that the talk made known.
const (
	// DefaultService is the service name of devices.
	DefaultService = "qcon"
	// DefaultBucket is the bucket of the configuration.
	DefaultBucket = "config"
	// KeyAll is the key of what every device applies.
	KeyAll = "all"
	// MetricsSubject is the first token of the subjects of metrics.
	MetricsSubject = "metrics"
)

// IsToken says whether s is 1 to most letters, digits, _ and - in ASCII, = too with padding: good for a token of a subject, a key
// and a name of a stream alike.
func IsToken(s string, most int, padding bool) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', padding && c == '=':
		default:
			return false
		}
	}
	return s != "" && len(s) <= most
}

// Names are the subjects, streams and buckets of one service.
type Names struct{ Service string }

// NewNames checks the name of a service: 1 to 128 letters, digits, _ and - only.
func NewNames(service string) (Names, error) {
	if !IsToken(service, 128, false) {
		return Names{}, fmt.Errorf("service name %q: 1 to 128 letters, digits, _ and - only", service)
	}
	return Names{Service: service}, nil
}

// CheckID says what is wrong with the id of a device: it is one token of a subject, of at most 64 letters, digits, _, = and -.
func CheckID(id string) error {
	if !IsToken(id, 64, true) {
		return fmt.Errorf("device id %q: 1 to 64 letters, digits, _, = and - only", id)
	}
	return nil
}

// Info is the subject on which each device says who it is.
func (n Names) Info() string { return n.Service + ".device_info" }

// Nickname is the subject on which one device says its nickname.
func (n Names) Nickname() string { return n.Service + ".nickname" }

// Advertise is the subject on which devices are told of a server to move to.
func (n Names) Advertise() string { return n.Service + ".advertise" }

// Query is the subject of live queries.
func (n Names) Query() string { return n.Service + ".query" }

// Control is the subject on which one device obeys at once.
func (n Names) Control(id string) string { return n.Service + ".control." + id }

// Command is the subject of the commands for a device.
func (n Names) Command(id string) string { return n.Service + ".command." + id }

// Result is the subject of what became of a command.
func (n Names) Result(id, command string) string { return n.Service + ".result." + id + "." + command }

// Commands is the stream of commands.
func (n Names) Commands() string { return n.Service + "_commands" }

// Results is the stream of results.
func (n Names) Results() string { return n.Service + "_results" }

// State is the bucket in which devices say who they are and what they have applied.
func (n Names) State() string { return n.Service + "_state" }

// Metrics is the subject of the metrics of a client on a server; what is no token of a subject in the names becomes _.
func Metrics(server, client string) string {
	return MetricsSubject + "." + token(server) + "." + token(client)
}

func token(s string) string {
	if s == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '.' || r == '*' || r == '>' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
}

// RuleKey is the key of the rule of that name in the configuration's bucket.
func RuleKey(name string) string { return "where." + name }

// DeviceKey is the key of a device's own configuration, and of its Info in the state's bucket.
func DeviceKey(id string) string { return "device." + id }

// ConfigKey is the key of a device's ConfigState.
func ConfigKey(id string) string { return "config." + id }

// Info is who a device is. Expressions and filters see it under its JSON names.
type Info struct {
	ID       string            `json:"id" expr:"id"`             // stable over restarts
	Instance string            `json:"instance" expr:"instance"` // of the micro service; new at each start
	Nickname string            `json:"nickname" expr:"nickname"`
	Model    string            `json:"model" expr:"model"`
	OS       OS                `json:"os" expr:"os"`
	Arch     string            `json:"arch" expr:"arch"`
	CPUs     int               `json:"cpus" expr:"cpus"`
	Memory   uint64            `json:"memory" expr:"memory"` // bytes
	Labels   map[string]string `json:"labels" expr:"labels"`
	Version  string            `json:"version" expr:"version"`           // of the agent
	Server   string            `json:"server" expr:"server"`             // name of the server it is connected to
	Cluster  string            `json:"cluster" expr:"cluster"`           // of that server; may be empty
	Domain   string            `json:"domain" expr:"domain"`             // of JetStream there; empty without
	Started  time.Time         `json:"started" expr:"started"`           // of the agent
	Trouble  string            `json:"trouble,omitempty" expr:"trouble"` // what it misses where it is, such as its configuration; empty when all is well
}

// OS is an operating system.
type OS struct {
	Name    string `json:"name" expr:"name"`       // such as Linux, macOS, Windows, Android, iOS
	Version string `json:"version" expr:"version"` // of the kernel or the release; may be empty
}

// Query is the request of a live query. An empty expression selects every device.
type Query struct {
	Expr string `json:"expr"`
}

// Answer is what a device says to a Query. Every device answers, so that silence means something.
type Answer struct {
	ID    string `json:"id"`
	Match bool   `json:"match"`
	Info  *Info  `json:"info,omitempty"`  // of those that match
	Error string `json:"error,omitempty"` // the expression failed on this device
}

// Metric is what a device publishes every second.
type Metric struct {
	Seq      uint64    `json:"seq"` // counts up from 1 for each instance
	Time     time.Time `json:"time"`
	Nickname string    `json:"nickname"`
	Device   Info      `json:"device"`
	Load     float64   `json:"load"`       // processor load of the last minute; 0 where the system has no such figure
	MemUsed  uint64    `json:"mem_used"`   // bytes in use on the device
	RTT      float64   `json:"rtt_ms"`     // to its server, milliseconds
	Sent     uint64    `json:"sent"`       // messages it has published since its start
	Received uint64    `json:"received"`   // messages it has received since its start
	Uptime   float64   `json:"uptime_s"`   // seconds since its start
	Config   uint64    `json:"config_rev"` // revision of the configuration it runs with; 0 for none
}

// Rule is the value of a where.NAME key: configuration for the devices that the expression selects.
type Rule struct {
	Where  string          `json:"where"`
	Config json.RawMessage `json:"config"` // an object
}

// ConfigState is what a device has applied.
type ConfigState struct {
	ID       string            `json:"id"`
	Revision uint64            `json:"revision"`        // the highest among Keys; 0 when there is no configuration
	Keys     map[string]uint64 `json:"keys"`            // the keys that went into it and their revisions
	Config   json.RawMessage   `json:"config"`          // the merged object; null for none
	Time     time.Time         `json:"time"`            // when it was applied, or when applying failed
	Error    string            `json:"error,omitempty"` // why it could not be applied; the one before stays in force
}

// Command is what a device shall run once. Args are run as they are, never by a shell.
type Command struct {
	ID      string        `json:"id"` // unique; one token of a subject
	Args    []string      `json:"args"`
	Timeout time.Duration `json:"timeout"` // of the run, nanoseconds; 0 is the device's own limit
	Issued  time.Time     `json:"issued"`
	Expires time.Time     `json:"expires,omitzero"` // not begun after this; zero for never
}

// State is where a command has got to.
type State string

// The states of a command. All from Done on are final.
const (
	Queued      State = "queued"      // in the stream; the device has not seen it
	Running     State = "running"     // the device has begun
	Done        State = "done"        // it ran and ended; Result.Exit says how
	Refused     State = "refused"     // not on the device's allow list, or no such program
	Interrupted State = "interrupted" // the agent ended while it ran; it may have had effects
	Cancelled   State = "cancelled"   // cancelled before or while it ran
	Expired     State = "expired"     // its time was over before the device saw it
	TimedOut    State = "timed_out"   // ran too long and was ended
)

// Final says whether a command in this state stays in it.
func (s State) Final() bool { return s != Queued && s != Running && s != "" }

// Result is where a command has got to on a device.
type Result struct {
	Command string    `json:"command"` // its id
	Device  string    `json:"device"`
	Args    []string  `json:"args"`
	State   State     `json:"state"`
	Exit    int       `json:"exit"`             // exit code when Done
	Stdout  []byte    `json:"stdout,omitempty"` // at most the device's limit of bytes
	Stderr  []byte    `json:"stderr,omitempty"` // the same
	Lost    int64     `json:"lost,omitempty"`   // bytes of output beyond the limits
	Issued  time.Time `json:"issued"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Error   string    `json:"error,omitempty"`
}

// Control is an order to one device. Exactly one field is set.
type Control struct {
	Cancel string  `json:"cancel,omitempty"` // id of a command to cancel
	Move   *string `json:"move,omitempty"`   // server URL to move to; empty moves back
}

// Controlled is the device's answer to a Control, and to advertise.
type Controlled struct {
	ID     string `json:"id"`
	OK     bool   `json:"ok"`
	Server string `json:"server,omitempty"` // URL it is on, or on its way to, without credentials
	Error  string `json:"error,omitempty"`
	// Warning says what the device misses where it is now, such as the bucket of its configuration. It obeyed all the same.
	Warning string `json:"warning,omitempty"`
}
