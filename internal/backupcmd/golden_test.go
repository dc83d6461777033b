package backupcmd

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestGoldens(t *testing.T) {
	t.Parallel()
	saved := newSavedStream("./ORDERS", backup.Saved{Stream: "ORDERS", Messages: 12345, Bytes: 1 << 21, Consumers: 2, Received: 3 << 19, Chunks: 12, Unpacked: 5 << 19})
	saved.Elapsed = int64(12 * time.Millisecond)
	viewtest.Golden(t, "stream", saved)
	dry, same, copied := saved, saved, saved
	dry.DryRun, same.Unchanged, copied.Copied = true, true, true
	copied.Stream, copied.Notes = "DATA", []string{"1 consumers in memory were saved at their acknowledgement floor"}
	viewtest.Golden(t, "stream_dry", dry)
	viewtest.Golden(t, "stream_unchanged", same)
	viewtest.Golden(t, "stream_copied", copied)
	viewtest.Golden(t, "account", savedAccount{
		Target: "./backup", Streams: []savedStream{saved, copied, same}, Warnings: []mishap{{"DATA", copied.Notes[0]}}, Failures: []mishap{{"LOST", "its servers did not answer"}},
		Messages: 37035, Bytes: 3 << 21, Consumers: 6,
	})
	viewtest.Golden(t, "account_dry", savedAccount{Target: "./backup", DryRun: true, Streams: []savedStream{dry}, Warnings: []mishap{}, Failures: []mishap{}, Messages: 12345, Bytes: 1 << 21, Consumers: 2})
	one := intent{Stream: "ORDERS", From: "./ORDERS", DryRun: true, Messages: 12345, Bytes: 1 << 21, Archive: 3 << 19, Consumers: 2, Status: "would be restored"}
	viewtest.Golden(t, "restore_dry", one)
	done := one
	done.DryRun, done.Status = false, "restored"
	viewtest.Golden(t, "restore_account", restoredAccount{
		From: "./backup", Streams: []restoredStream{{done, int64(time.Second)}}, Warnings: []mishap{{"ORDERS", "3 of 4 messages are in the stream"}},
		Failures: []mishap{{"DATA", "the stream exists already"}}, Missing: []mishap{{"LOST", "its servers did not answer"}},
	})
	var s js.Stream
	if err := json.Unmarshal([]byte(`{"config":{"name":"ORDERS","subjects":["orders.>"],"retention":"limits","max_consumers":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0,"max_msgs_per_subject":-1,"max_msg_size":-1,"discard":"old","storage":"file","num_replicas":1,"duplicate_window":120000000000},"created":"2026-01-02T15:00:00Z","state":{"messages":5,"bytes":190,"first_seq":1,"first_ts":"2026-01-02T14:00:00Z","last_seq":5,"last_ts":"2026-01-02T15:00:00Z","consumer_count":2}}`), &s); err != nil {
		t.Fatal(err)
	}
	viewtest.Golden(t, "restore", restored{backup.Restored{Stream: s, Notes: []string{"5 of 6 messages are in the stream"}}, 12 * time.Millisecond})
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		failed, all int
		code        fail.Code
	}{{0, 0, fail.OK}, {0, 3, fail.OK}, {1, 3, fail.Partial}, {3, 3, fail.Failure}} {
		if code := fail.CodeOf(outcome("work", row.failed, row.all)); code != row.code {
			t.Errorf("%+v: %d", row, code)
		}
	}
}

func TestSelecting(t *testing.T) {
	t.Parallel()
	list, err := checkOnly([]string{"KV_*,ORDERS", "X?"})
	if err != nil || len(list) != 3 {
		t.Fatalf("%v, %v", list, err)
	}
	only, all := selecting(list), selecting(nil)
	for name, want := range map[string]bool{"KV_CFG": true, "ORDERS": true, "ORDERS2": false, "X1": true, "X": false} {
		if only(name) != want || !all(name) {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
