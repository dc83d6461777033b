package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/js"
)

// source is what a stream and its consumers are like before a backup.
type source struct {
	stream    js.Stream
	consumers []consumers.Consumer // none when they are not wanted
}

func look(ctx context.Context, c *js.Client, s js.Stream, withConsumers bool) (source, error) {
	src := source{stream: s}
	if !withConsumers { // the count in the state lags behind in a cluster: only the list is asked
		return src, nil
	}
	cov, err := consumers.List(ctx, c, s.StreamInfo.Config.Name, func(one consumers.Consumer) error {
		src.consumers = append(src.consumers, one)
		return nil
	})
	if err == nil {
		err = cov.Err("consumers")
	}
	slices.SortFunc(src.consumers, func(a, b consumers.Consumer) int { return strings.Compare(a.Name, b.Name) })
	return src, err
}

// fingerprint is equal for two looks at a stream when a backup of the second would hold what a backup of the first holds.
func (s source) fingerprint(withConsumers bool) (string, error) {
	type seen struct {
		Name                 string
		Created              time.Time
		Config               json.Marshaler
		Delivered, Acked     position
		Pending, Redelivered int
	}
	cfg, err := s.stream.Config()
	if err != nil {
		return "", err
	}
	st := s.stream.State
	doc := struct {
		Config                                json.Marshaler
		Created                               time.Time
		Messages, Bytes, First, Last, Deleted uint64
		WithConsumers                         bool
		Consumers                             []seen
	}{cfg.StripReserved(), s.stream.Created, st.Msgs, st.Bytes, st.FirstSeq, st.LastSeq, uint64(st.NumDeleted), withConsumers, nil}
	for _, one := range s.consumers {
		cfg, err := one.Config()
		if err != nil {
			return "", err
		}
		doc.Consumers = append(doc.Consumers, seen{
			one.Name, one.Created, cfg.StripReserved(), positionOf(one.Delivered), positionOf(one.AckFloor), one.NumAckPending, one.NumRedelivered,
		})
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func positionOf(s api.SequenceInfo) position { return position{s.Consumer, s.Stream} }

// standing is a consumer in an archive or beside it: the configuration and how far it has come, in the form of the server.
type standing struct {
	Config json.RawMessage `json:"config"`
	State  standingState   `json:"state"`
}

type standingState struct {
	Delivered position `json:"delivered"`
	AckFloor  position `json:"ack_floor"`
}

type position struct {
	Consumer uint64 `json:"consumer_seq"`
	Stream   uint64 `json:"stream_seq"`
}

// standingOf is the consumer at its acknowledgement floor: what is not acknowledged is delivered again, as the server itself
// does it where it does not know which messages are pending. No position is behind last, the end of the backup.
func standingOf(one consumers.Consumer, last uint64) (standing, error) {
	cfg, err := one.Config()
	if err != nil {
		return standing{}, err
	}
	if cfg.Text("name") == "" {
		if err := cfg.Set(one.Name, "name"); err != nil {
			return standing{}, err
		}
	}
	raw, err := consumers.Ordered(cfg.StripReserved())
	if err != nil {
		return standing{}, err
	}
	s := standing{Config: raw, State: standingState{
		Delivered: position{one.Delivered.Consumer, min(one.Delivered.Stream, last)},
		AckFloor:  position{one.AckFloor.Consumer, min(one.AckFloor.Stream, last)},
	}}
	if one.NumAckPending > 0 {
		s.State.Delivered = s.State.AckFloor
	}
	return s, nil
}

// standings are the consumers of the source that want selects.
func (s source) standings(last uint64, want func(api.ConsumerConfig) bool) ([]standing, error) {
	var list []standing
	for _, one := range s.consumers {
		if !want(one.ConsumerInfo.Config) {
			continue
		}
		st, err := standingOf(one, last)
		if err != nil {
			return nil, err
		}
		list = append(list, st)
	}
	return list, nil
}
