package js

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jsconf"
)

// Header is one header line of a message, in the order of the message.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ParseHeaders reads a stored header block: the version line, then "Name: value" lines.
func ParseHeaders(block []byte) []Header {
	_, rest, _ := bytes.Cut(block, []byte("\r\n"))
	var out []Header
	for line := range bytes.SplitSeq(rest, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && len(name) > 0 {
			out = append(out, Header{string(name), strings.TrimPrefix(string(value), " ")})
		}
	}
	return out
}

// Message reads the message with sequence seq from the leader.
func (c *Client) Message(ctx context.Context, stream string, seq uint64) (api.StoredMsg, error) {
	m, err := c.message(ctx, stream, map[string]any{"seq": seq})
	if IsCode(err, 10037) {
		return m, fail.NotFoundf("message %d of stream %s: %w", seq, stream, err)
	}
	return m, err
}

// LastMessage reads the last message on subject from the leader.
func (c *Client) LastMessage(ctx context.Context, stream, subject string) (api.StoredMsg, error) {
	m, err := c.message(ctx, stream, map[string]any{"last_by_subj": subject})
	if IsCode(err, 10037) {
		return m, fail.NotFoundf("stream %s has no message on %s: %w", stream, subject, err)
	}
	return m, err
}

// NextMessage reads the first message at or after seq that matches filter, an empty filter matching all, from the leader.
func (c *Client) NextMessage(ctx context.Context, stream, filter string, seq uint64) (api.StoredMsg, error) {
	if filter == "" {
		filter = ">"
	}
	m, err := c.message(ctx, stream, map[string]any{"seq": max(seq, 1), "next_by_subj": filter})
	if IsCode(err, 10037) {
		return m, ErrNoMessages
	}
	return m, err
}

func (c *Client) message(ctx context.Context, stream string, req map[string]any) (api.StoredMsg, error) {
	type response struct {
		Message *api.StoredMsg `json:"message"`
	}
	if err := jsconf.CheckName("stream", stream); err != nil {
		return api.StoredMsg{}, err
	}
	r, err := call[response](ctx, c, "STREAM.MSG.GET."+stream, req, 0)
	switch {
	case IsCode(err, 10037):
		return api.StoredMsg{}, err
	case err != nil:
		return api.StoredMsg{}, c.StreamError(ctx, stream, err)
	case r.Message == nil:
		return api.StoredMsg{}, fmt.Errorf("stream %s: the response holds no message", stream)
	}
	return *r.Message, nil
}

// DeleteMessage removes one message. Unless noErase is set its bytes on disk are overwritten first, which takes longer.
func (c *Client) DeleteMessage(ctx context.Context, stream string, seq uint64, noErase bool) error {
	if err := jsconf.CheckName("stream", stream); err != nil {
		return err
	}
	_, err := call[struct{}](ctx, c, "STREAM.MSG.DELETE."+stream, api.JSApiMsgDeleteRequest{Seq: seq, NoErase: noErase}, 0)
	if IsCode(err, 10043, 10057) {
		return fail.NotFoundf("message %d of stream %s: %w", seq, stream, err)
	}
	return c.StreamError(ctx, stream, err)
}

// Purge is what to remove from a stream: everything, or what matches Subject, and of that what is below Seq or all but the
// last Keep messages.
type Purge struct {
	Subject string
	Seq     uint64
	Keep    uint64
}

// Check refuses a purge that no server takes.
func (p Purge) Check() error {
	if p.Seq > 0 && p.Keep > 0 {
		return fail.Usagef("--seq and --keep exclude each other")
	}
	if p.Subject != "" {
		if reason := jsconf.SubjectFault(p.Subject); reason != "" {
			return fail.Usagef("--subject: %q %s", p.Subject, reason)
		}
	}
	return nil
}

// Purge removes messages and returns how many.
func (c *Client) Purge(ctx context.Context, stream string, p Purge) (uint64, error) {
	type response struct {
		Purged uint64 `json:"purged"`
	}
	if err := p.Check(); err != nil {
		return 0, err
	}
	if err := jsconf.CheckName("stream", stream); err != nil {
		return 0, err
	}
	var req any
	if p != (Purge{}) {
		req = api.JSApiStreamPurgeRequest{Subject: p.Subject, Sequence: p.Seq, Keep: p.Keep}
	}
	r, err := call[response](ctx, c, "STREAM.PURGE."+stream, req, 0)
	return r.Purged, c.StreamError(ctx, stream, err)
}

// Toll is what a removal would take: messages, and their bytes on the server. Estimated says that the bytes are the messages'
// share of the stream, because the server does not count bytes by subject or sequence.
type Toll struct {
	Messages  uint64 `json:"messages"`
	Bytes     uint64 `json:"bytes"`
	Estimated bool   `json:"bytes_estimated,omitempty"`
}

// PurgeToll counts what the purge would remove, without removing it.
func (c *Client) PurgeToll(ctx context.Context, s Stream, p Purge) (Toll, error) {
	var t Toll
	if err := p.Check(); err != nil {
		return t, err
	}
	name := s.StreamInfo.Config.Name
	matching := s.State.Msgs
	if p.Subject != "" && p.Subject != ">" {
		matching = 0
		if err := c.Subjects(ctx, name, p.Subject, nil, func(_ string, n uint64) error {
			matching += n
			return nil
		}); err != nil {
			return t, err
		}
	}
	switch {
	case p.Keep > 0:
		t.Messages = matching - min(p.Keep, matching)
	case p.Seq > 0:
		below, err := c.countBelow(ctx, s, p, matching)
		if err != nil {
			return t, err
		}
		t.Messages = below
	default:
		t.Messages = matching
	}
	t.Bytes = s.State.Bytes
	if t.Messages != s.State.Msgs && s.State.Msgs > 0 {
		t.Bytes = uint64(float64(s.State.Bytes) * float64(t.Messages) / float64(s.State.Msgs))
		t.Estimated = t.Messages > 0
	}
	return t, nil
}

// countBelow counts the messages below p.Seq of those that match. What a direct get says is pending from there on is the rest;
// where direct gets are not allowed and there is no filter, arithmetic over the deleted sequences answers.
func (c *Client) countBelow(ctx context.Context, s Stream, p Purge, matching uint64) (uint64, error) {
	switch {
	case p.Seq <= s.State.FirstSeq:
		return 0, nil
	case p.Seq > s.State.LastSeq:
		return matching, nil
	case p.Subject == "" || p.Subject == ">":
		gaps, err := c.Gaps(ctx, s.StreamInfo.Config.Name)
		if err != nil {
			return 0, err
		}
		n := p.Seq - s.State.FirstSeq
		for _, g := range gaps {
			if g[0] < p.Seq {
				n -= min(g[1], p.Seq-1) - g[0] + 1
			}
		}
		return n, nil
	case s.StreamInfo.Config.AllowDirect:
		left, err := c.countFrom(ctx, s.StreamInfo.Config.Name, p.Subject, p.Seq)
		return matching - min(left, matching), err
	}
	var n uint64
	for seq := uint64(1); ; {
		m, err := c.NextMessage(ctx, s.StreamInfo.Config.Name, p.Subject, seq)
		if err == ErrNoMessages || err == nil && m.Sequence >= p.Seq {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		n++
		seq = m.Sequence + 1
	}
}

func (c *Client) countFrom(ctx context.Context, stream, filter string, seq uint64) (uint64, error) {
	var n uint64
	err := c.Direct(ctx, stream, DirectRequest{Seq: seq, NextFor: filter, Batch: 1}, func(m *DirectMessage) error {
		n = m.Pending + 1
		return nil
	})
	if err == ErrNoMessages {
		return 0, nil
	}
	return n, err
}

// Gap is a run of sequences, first and last included, that are no longer in the stream.
type Gap [2]uint64

// MarshalJSON writes the pair as [first, last].
func (g Gap) MarshalJSON() ([]byte, error) { return json.Marshal([2]uint64(g)) }

// Gaps are the runs of deleted messages between the first and the last message, ascending.
func (c *Client) Gaps(ctx context.Context, stream string) ([]Gap, error) {
	type response struct {
		State struct {
			Deleted []uint64 `json:"deleted"`
		} `json:"state"`
	}
	if err := jsconf.CheckName("stream", stream); err != nil {
		return nil, err
	}
	r, err := call[response](ctx, c, "STREAM.INFO."+stream, map[string]bool{"deleted_details": true}, 0)
	if err != nil {
		return nil, c.StreamError(ctx, stream, err)
	}
	return GapsOf(r.State.Deleted), nil
}

// GapsOf folds ascending sequences into runs.
func GapsOf(deleted []uint64) []Gap {
	gaps := []Gap{}
	for _, seq := range deleted {
		if n := len(gaps); n > 0 && gaps[n-1][1]+1 == seq {
			gaps[n-1][1] = seq
			continue
		}
		gaps = append(gaps, Gap{seq, seq})
	}
	return gaps
}
