// Package cluster is the commands about the servers that keep a stream.
package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
)

// Command is `nats stream cluster`. all is the group's --all; query declares the flags of conditions on a command and returns
// what reads them.
func Command(all *bool, query func(*fisk.CmdClause) func() (js.Query, error)) command.Node {
	return command.Group{
		Meta: command.Meta{Name: "cluster", Aliases: []string{"c"}, Short: "Manage the servers that keep a stream"},
		Nodes: func() []command.Node {
			return []command.Node{
				stepDownVerb(all),
				balanceVerb(query),
				evacuateVerb(all),
				cancelMoveVerb(all),
				peerRemoveVerb(all),
			}
		},
	}
}

// clustered is the stream that was named or chosen, which several servers must keep.
func clustered(ctx context.Context, e *env.Env, c *js.Client, all bool, name string) (js.Stream, error) {
	s, err := jscmd.Pick(ctx, e, c, all, name)
	if err != nil {
		return s, err
	}
	if s.Cluster == nil || s.Cluster.Name == "" {
		return s, fmt.Errorf("stream %s is not in a cluster", s.StreamInfo.Config.Name)
	}
	return s, nil
}

// peers are the servers that keep the stream, the leader first.
func peers(s js.Stream) []string {
	var out []string
	if s.Cluster == nil {
		return nil
	}
	if s.Cluster.Leader != "" {
		out = append(out, s.Cluster.Leader)
	}
	for _, r := range s.Cluster.Replicas {
		out = append(out, r.Name)
	}
	return out
}

// pollEvery is the pause between two looks at a stream that is changing.
const pollEvery = 250 * time.Millisecond

// await looks at the stream until it is as wanted. While it changes it may have no leader to answer: that is not an error. what
// says what is waited for when the time is over.
func await(ctx context.Context, e *env.Env, c *js.Client, name string, within time.Duration, what string, done func(js.Stream) bool) (js.Stream, error) {
	begin := e.Clock.Now()
	told := begin
	for {
		s, err := c.Info(ctx, name)
		switch {
		case err == nil && done(s):
			return s, nil
		case ctx.Err() != nil:
			return s, context.Cause(ctx)
		case fail.CodeOf(err) == fail.NotFound:
			return s, err
		}
		now := e.Clock.Now()
		if now.Sub(begin) >= within {
			return s, fail.Newf(fail.NoAnswer, "stream %s: %s did not happen within %s%s", name, what, within, obstacle(s)).WithHint("nats stream info %s shows how far it is", name)
		}
		if now.Sub(told) >= 10*time.Second {
			told = now
			e.Say("Still waiting for %s%s", what, obstacle(s))
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-e.Clock.After(pollEvery):
		}
	}
}

// obstacle is what the servers say that they wait for themselves, after a colon; empty when they say nothing.
func obstacle(s js.Stream) string {
	if s.Cluster == nil || s.Cluster.Desired == nil || s.Cluster.Desired.Status == nil || s.Cluster.Desired.Status.Description == "" {
		return ""
	}
	return ": " + s.Cluster.Desired.Status.Description
}

// checkPeer refuses a name that is no peer of the stream, with those that are.
func checkPeer(s js.Stream, peer string) error {
	list := peers(s)
	if slices.Contains(list, peer) || peerID(s, peer) {
		return nil
	}
	return fail.NotFoundf("stream %s has no peer %s (10040)", s.StreamInfo.Config.Name, peer).WithHint("its peers are %s", strings.Join(list, ", "))
}

// peerID reports whether the name is the id of a peer.
func peerID(s js.Stream, id string) bool {
	for _, r := range s.Cluster.Replicas {
		if r.Peer == id {
			return true
		}
	}
	return false
}
