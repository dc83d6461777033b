package kv

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func config(t *testing.T, srv *testkit.NATS, stream string) jetstream.StreamConfig {
	t.Helper()
	s, err := srv.JS().Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

func TestEdit(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "kv add SRC", "kv add B --description d --metadata a=b --max-bucket-size 1GB")
	before := config(t, srv, "KV_B")
	r := c.OK("kv edit B --history 3 --ttl 1h")
	says(t, r.Out, "History Kept: 3", "Maximum Age: 1h0m0s", "Description: d")
	says(t, r.Err, "Changed max_age from 0 to 3600000000000", "Changed max_msgs_per_subject from 1 to 3")
	after := config(t, srv, "KV_B")
	if after.MaxMsgsPerSubject != 3 || after.MaxAge != time.Hour || after.MaxBytes != before.MaxBytes || after.Metadata["a"] != "b" || after.Duplicates != before.Duplicates {
		t.Errorf("%+v", after)
	}
	says(t, c.OK("kv edit B --history 3").Err, "No difference")
	says(t, c.OK("kv edit B --ttl 0").Out, "Maximum Age: unlimited")
	says(t, c.OK("kv edit B --max-bucket-size=-1 --max-value-size 1KB").Out, "Maximum Bucket Size: unlimited", "Maximum Value Size: 1.0 KiB")
	says(t, c.OK("kv edit B --max-consumers 5").Out, "Maximum Consumers: 5")
	if n := config(t, srv, "KV_B").MaxConsumers; n != 5 {
		t.Errorf("%d consumers are allowed", n)
	}
	r = c.Fails(fail.Failure, "kv edit B --description new --dry-run")
	equal(t, r.Out, "- description: \"d\"\n+ description: \"new\"\n")
	if config(t, srv, "KV_B").Description != "d" {
		t.Error("a dry run changed the bucket")
	}
	equal(t, c.OK("kv edit B --description d --dry-run").Out, "")
	says(t, c.OK("kv edit B --source SRC --republish-destination 'r.>'").Out, "Source Bucket: SRC", "Republishing: > to r.>")
	c.OK("kv edit B --remove-source SRC --remove-republish --metadata x=y")
	if cfg := config(t, srv, "KV_B"); len(cfg.Sources) != 0 || cfg.RePublish != nil || cfg.Metadata["x"] != "y" || cfg.Metadata["a"] != "" {
		t.Errorf("%+v", cfg)
	}
	c.Fails(fail.NotFound, "kv edit B --remove-source NO", "NO")
	c.Fails(fail.NotFound, "kv edit NOPE --history 2", "bucket not found")
	c.OK("kv add M --mirror B")
	c.OK("kv edit M --no-mirror")
	c.OK("kv put M a b")
	if config(t, srv, "KV_M").Mirror != nil {
		t.Error("M is still a mirror")
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	_, c := fresh(t)
	c.Answers(prompttest.None()).Fails(fail.NotFound, "kv info", "no KV buckets found")
	c.OK("kv add CFG")
	c.OK("kv add OTHER")
	says(t, c.OK("kv status CFG").Out, "Information for Key-Value Store Bucket CFG")
	c.Answers(prompttest.None()).Fails(fail.Usage, "kv info", "<bucket>")
	says(t, c.Answers(prompttest.Scripted(t, "OTHER")).OK("kv info").Out, "Bucket Name: OTHER")
	r := c.Fails(fail.NotFound, "kv info CGF", "bucket not found", "did you mean CFG?")
	equal(t, r.Out, "")
}

func TestCreateAndUpdate(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG", "kv put CFG a v1")
	c.Fails(fail.Failure, "kv create CFG a x", "wrong last sequence: 1", "key exists", "10071")
	c.OK("kv del CFG a -f")
	equal(t, c.OK("kv create CFG a x").Out, "x\n")
	c.Fails(fail.Failure, "kv update CFG a v3 1", "wrong last sequence: 3", "key revision mismatch")
	equal(t, c.OK("kv get CFG a --raw").Out, "x")
	equal(t, c.OK("kv update CFG a v3 3 --jq .revision").Out, "4\n")
	equal(t, c.Stdin("piped").OK("kv update CFG a - 4 --jq .size").Out, "5\n")
	equal(t, c.OK("kv update CFG a '' 5 --jq .size").Out, "0\n")
	c.Fails(fail.Failure, "kv create CFG b x --ttl 1m", "10166")
	c.Fails(fail.Usage, "kv update CFG a v", "revision")
	c.Fails(fail.Usage, "kv update CFG a v x", "revision")
}

func TestPurge(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG --history 5", "kv put CFG k 1", "kv put CFG k 2", "kv put CFG t.a 1", "kv put CFG t.b 1", "kv add TTL --marker-ttl 1m", "kv put TTL a 1")
	c.Answers(prompttest.None()).Fails(fail.Usage, "kv purge CFG k", "--force")
	if r := c.OK("kv purge CFG k -f"); r.Out != "" {
		t.Errorf("says %q", r.Out)
	}
	equal(t, c.OK("kv history CFG k --jq '.[].op'").Out, "PURGE\n")
	c.Fails(fail.Failure, "kv purge CFG k -f --ttl 1h", "10166")
	c.OK("kv purge TTL a -f --ttl 1h")
	equal(t, c.OK("kv history TTL a --jq '.[].ttl'").Out, "1h0m0s\n")
	asked := c.Answers(prompttest.Scripted(t, true))
	says(t, asked.OK("kv purge CFG 't.*'").Out, "Purged 2 keys from CFG, 2 B")
	c.OK("kv put CFG t.a 1")
	says(t, c.Fails(fail.Partial, "kv purge CFG 't.*' -f --ttl 1h --json", "1 key was not removed").Out, `"failed": 1`, `"key": "t.a"`, "10166")
}

func TestCompact(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG --history 5", "kv put CFG a 1", "kv put CFG a 2", "kv del CFG a -f", "kv put CFG b 1")
	c.Answers(prompttest.None()).Fails(fail.Usage, "kv compact CFG", "--force")
	equal(t, c.OK("kv compact CFG --older-than 0 --dry-run").Out, "Would remove 1 key of CFG\n")
	equal(t, c.OK("kv compact CFG -f").Out, "Removed 0 keys of CFG: 2 messages\n1 younger marker stays: --older-than is 30m0s\n")
	equal(t, c.OK("kv history CFG a --jq '.[].op'").Out, "DELETE\n")
	equal(t, c.OK("kv compact CFG --older-than 0 -f --jq .removed").Out, "1\n")
	c.Fails(fail.NotFound, "kv history CFG a", "key not found")
	equal(t, c.OK("kv get CFG b --raw").Out, "1")
}

func TestSettingsViews(t *testing.T) {
	t.Parallel()
	viewtest.Golden(t, "edited", storecmd.Edited[bucketInfo]{Bucket: "CFG", DryRun: true, Changes: []store.Change{{Setting: "max_age", From: 0, To: 3600000000000}, {Setting: "placement", To: map[string]any{"cluster": "east"}}}})
	viewtest.Golden(t, "compacted", compacted{Bucket: "CFG", Compaction: store.Compaction{Removed: 1200, Kept: 3, Messages: 5000, Oldest: int64(time.Hour)}, age: 30 * time.Minute})
}
