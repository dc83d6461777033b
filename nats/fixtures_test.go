package main

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

// streamed adds the stream S on the subject s.
func streamed(t *testing.T, srv *testkit.NATS) jetstream.JetStream {
	t.Helper()
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	return srv.JS()
}
