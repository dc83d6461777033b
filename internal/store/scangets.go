package store

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/js/follow"
)

// gets reads what is there without a consumer and a connection of its own: the last message of each subject in two rounds, so that
// memory grows with the subjects and not with what is in them.
func (s *scan) gets(ctx context.Context) error {
	stream, err := s.c.js.Stream(ctx, s.spec.stream)
	if err != nil {
		return err
	}
	r := js.Range{UpTo: stream.CachedInfo().State.LastSeq}
	if r.UpTo == 0 || s.spec.from == fromNew {
		return unlessStop(s.end())
	}
	if s.spec.from == fromSeq {
		r.Seq = s.spec.seq
	}
	if len(s.spec.filters) == 1 {
		r.Filter = s.spec.filters[0]
	}
	read := func(each func(*js.DirectMessage) error) error {
		return s.c.gets().Read(ctx, s.spec.stream, r, true, func(m *js.DirectMessage) error {
			if len(s.spec.filters) > 1 && !slices.ContainsFunc(s.spec.filters, func(f string) bool { return jsm.SubjectIsSubsetMatch(m.Subject, f) }) {
				return nil
			}
			return each(m)
		})
	}
	var last map[string]uint64
	if s.spec.from == fromLast {
		last = map[string]uint64{}
		if err := read(func(m *js.DirectMessage) error { last[m.Subject] = m.Sequence; return nil }); err != nil {
			return err
		}
	}
	err = read(func(m *js.DirectMessage) error {
		if last != nil && last[m.Subject] != m.Sequence {
			return nil
		}
		msg := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
		if s.spec.headersOnly {
			if msg.Header == nil {
				msg.Header = nats.Header{}
			}
			msg.Header.Set(sizeHeader, strconv.Itoa(len(m.Data)))
			msg.Data = nil
		}
		return s.fn(scanned{msg: msg, seq: m.Sequence, time: m.Time, pending: m.Pending})
	})
	if err != nil {
		return err
	}
	return unlessStop(s.end())
}

func unlessStop(err error) error {
	if errors.Is(err, follow.ErrStop) {
		return nil
	}
	return err
}
