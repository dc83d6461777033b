package js

import (
	"context"
	"fmt"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jsconf"
)

// Create makes a stream of the configuration; where an identical one is there already, that is returned. A server that is too old
// for what the configuration asks refuses, instead of ignoring what it does not know.
func (c *Client) Create(ctx context.Context, cfg *jsconf.Config) (Stream, error) {
	return c.store(ctx, "CREATE", cfg)
}

// Update replaces the configuration of the stream it names.
func (c *Client) Update(ctx context.Context, cfg *jsconf.Config) (Stream, error) {
	return c.store(ctx, "UPDATE", cfg)
}

func (c *Client) store(ctx context.Context, verb string, cfg *jsconf.Config) (Stream, error) {
	var s Stream
	name := cfg.Text("name")
	if err := jsconf.CheckName("stream", name); err != nil {
		return s, err
	}
	typed, err := cfg.Stream()
	if err != nil {
		return s, err
	}
	raw, err := cfg.MarshalJSON()
	if err != nil {
		return s, err
	}
	level := jsconf.RequiredLevel(typed)
	data, err := c.Request(ctx, "STREAM."+verb+"."+name, raw, level)
	if err != nil {
		return s, c.levelError(ctx, name, level, err)
	}
	return s, s.UnmarshalJSON(data)
}

// levelError explains why a server refused a configuration that needs a higher API level than it has.
func (c *Client) levelError(ctx context.Context, stream string, level int, err error) error {
	err = c.StreamError(ctx, stream, err)
	if level == 0 || !IsCode(err, 10185) {
		return err
	}
	return fail.Hint(err, "these settings need a server of JetStream API level %d: nats account info shows the level", level)
}

// Delete removes the stream with all its messages and consumers.
func (c *Client) Delete(ctx context.Context, stream string) error {
	if err := jsconf.CheckName("stream", stream); err != nil {
		return err
	}
	_, err := c.Request(ctx, "STREAM.DELETE."+stream, nil, 0)
	return c.StreamError(ctx, stream, err)
}

// Account is the JetStream account: limits, use and the API level of the meta leader.
func (c *Client) Account(ctx context.Context) (api.JetStreamAccountStats, error) {
	s, err := call[api.JetStreamAccountStats](ctx, c, "INFO", nil, 0)
	if err != nil {
		return s, fmt.Errorf("reading the JetStream account: %w", err)
	}
	return s, nil
}

// MaxBytesRequired reports whether streams of the account must have a size limit.
func MaxBytesRequired(s api.JetStreamAccountStats) bool {
	if s.Limits.MaxBytesRequired {
		return true
	}
	for _, t := range s.Tiers {
		if t.Limits.MaxBytesRequired {
			return true
		}
	}
	return false
}

// NeedLevel fails when the meta leader's API level is below level; what is the thing that needs it.
func (c *Client) NeedLevel(ctx context.Context, level int, what string) error {
	s, err := c.Account(ctx)
	if err != nil {
		return err
	}
	if s.API.Level < level {
		return fmt.Errorf("%s needs JetStream API level %d, the server has %d", what, level, s.API.Level)
	}
	return nil
}

// StepDown asks the leader of the stream to hand over, to the preferred server when one is named.
func (c *Client) StepDown(ctx context.Context, stream, preferred string) error {
	var req any
	level := 0
	if preferred != "" {
		req, level = api.JSApiStreamLeaderStepDownRequest{Placement: &api.Placement{Preferred: preferred}}, 1
	}
	return c.order(ctx, "STREAM.LEADER.STEPDOWN.", stream, req, level)
}

// RemovePeer takes a server out of the stream's group for good.
func (c *Client) RemovePeer(ctx context.Context, stream, peer string) error {
	return c.order(ctx, "STREAM.PEER.REMOVE.", stream, api.JSApiStreamRemovePeerRequest{Peer: peer}, 0)
}

// Evacuate moves the stream and its consumers off a server.
func (c *Client) Evacuate(ctx context.Context, stream, peer string) error {
	return c.order(ctx, "STREAM.PEER.EVACUATE.", stream, api.JSApiStreamEvacuatePeerRequest{Peer: peer}, 0)
}

// CancelMove ends a move of the stream that is under way.
func (c *Client) CancelMove(ctx context.Context, stream string) error {
	return c.order(ctx, "STREAM.CANCEL_MOVE.", stream, nil, 0)
}

func (c *Client) order(ctx context.Context, verb, stream string, req any, level int) error {
	if err := jsconf.CheckName("stream", stream); err != nil {
		return err
	}
	_, err := call[struct{}](ctx, c, verb+stream, req, level)
	return c.StreamError(ctx, stream, err)
}
