package fleet

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ConfigHistory is how many revisions of each key the bucket of the configuration keeps.
const ConfigHistory = 64

// CommandsStream is the configuration of the stream of commands, which keeps them for maxAge.
func (n Names) CommandsStream(maxAge time.Duration, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: n.Commands(), Description: "commands for the devices of " + n.Service, Subjects: []string{n.Command("*")},
		Retention: jetstream.LimitsPolicy, MaxAge: maxAge, Replicas: max(replicas, 1), AllowDirect: true,
	}
}

// ResultsStream is the configuration of the stream of results: the last of each command on each device, for maxAge.
func (n Names) ResultsStream(maxAge time.Duration, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: n.Results(), Description: "what became of the commands for the devices of " + n.Service, Subjects: []string{n.Result("*", "*")},
		Retention: jetstream.LimitsPolicy, MaxMsgsPerSubject: 1, MaxAge: maxAge, Replicas: max(replicas, 1), AllowDirect: true,
	}
}
