package fleet

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ConfigHistory is how many revisions of each key the bucket of the configuration keeps.
const ConfigHistory = 64

// ManyDevices is how many consumers the streams take that each device has one of; servers allow 1,000 where nothing is said.
const ManyDevices = 100_000

// BucketStream is the configuration of the stream behind a key-value bucket that each device may watch.
func BucketStream(bucket, description string, history int64, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + bucket, Description: description, Subjects: []string{"$KV." + bucket + ".>"},
		MaxMsgsPerSubject: history, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: ManyDevices, Replicas: max(replicas, 1),
		Discard: jetstream.DiscardNew, DenyDelete: true, AllowRollup: true, AllowDirect: true, Duplicates: 2 * time.Minute,
	}
}

// CommandsStream is the configuration of the stream of commands, which keeps them for maxAge.
func (n Names) CommandsStream(maxAge time.Duration, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: n.Commands(), Description: "commands for the devices of " + n.Service, Subjects: []string{n.Command("*")},
		Retention: jetstream.LimitsPolicy, MaxAge: maxAge, MaxConsumers: ManyDevices, Replicas: max(replicas, 1), AllowDirect: true,
	}
}

// ResultsStream is the configuration of the stream of results: the last of each command on each device, for maxAge.
func (n Names) ResultsStream(maxAge time.Duration, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: n.Results(), Description: "what became of the commands for the devices of " + n.Service, Subjects: []string{n.Result("*", "*")},
		Retention: jetstream.LimitsPolicy, MaxMsgsPerSubject: 1, MaxAge: maxAge, Replicas: max(replicas, 1), AllowDirect: true,
	}
}
