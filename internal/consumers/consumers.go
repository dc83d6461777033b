// Package consumers is the JetStream API about consumers on top of js.Client: infos that keep what we do not know, lists that say
// what they lack, conditions that select consumers, differences between configurations, and the parsers of settings.
package consumers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
)

// Consumer is the state of a consumer as the server told it: the part this program knows and the document it came in.
type Consumer struct {
	api.ConsumerInfo
	// Raw is the info document of the server with every key it sent; MarshalJSON takes the envelope off.
	Raw json.RawMessage
}

// UnmarshalJSON keeps the document and decodes what is known of it.
func (c *Consumer) UnmarshalJSON(data []byte) error {
	c.Raw = slices.Clone(data)
	return json.Unmarshal(data, &c.ConsumerInfo)
}

// MarshalJSON is the server's document without the envelope of the response.
func (c Consumer) MarshalJSON() ([]byte, error) {
	if len(c.Raw) == 0 {
		return json.Marshal(c.ConsumerInfo)
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(c.Raw, &doc); err != nil {
		return nil, err
	}
	for _, k := range []string{"type", "total", "offset", "limit", "reset_seq"} {
		delete(doc, k)
	}
	return inOrder(doc, api.ConsumerInfo{})
}

// Config is the configuration as a document, with the keys this program does not know.
func (c Consumer) Config() (*jsconf.Config, error) {
	var doc struct {
		Config json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(c.Raw, &doc); err != nil {
		return nil, fmt.Errorf("consumer %s > %s: %w", c.Stream, c.Name, err)
	}
	return jsconf.ParseWire(doc.Config)
}

// IsPull reports whether messages are fetched rather than delivered to a subject.
func (c Consumer) IsPull() bool { return c.ConsumerInfo.Config.DeliverSubject == "" }

// IsEphemeral reports whether the consumer has no durable name.
func (c Consumer) IsEphemeral() bool { return c.ConsumerInfo.Config.Durable == "" }

// Info describes one consumer. What does not exist is fail.NotFound with near names as the hint.
func Info(ctx context.Context, c *js.Client, stream, name string) (Consumer, error) {
	return call(ctx, c, "CONSUMER.INFO.", stream, name, nil, 0)
}

// check refuses names that would make another API subject of the request.
func check(stream, name string) error {
	if err := jsconf.CheckName("stream", stream); err != nil {
		return err
	}
	return jsconf.CheckName("consumer", name)
}

// call sends a request about one consumer; the response is the consumer where the server describes it.
func call(ctx context.Context, c *js.Client, verb, stream, name string, req any, level int) (Consumer, error) {
	var out Consumer
	data, err := send(ctx, c, verb, stream, name, req, level)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return out, fmt.Errorf("consumer %s > %s: reading the response: %w", stream, name, err)
	}
	return out, nil
}

func send(ctx context.Context, c *js.Client, verb, stream, name string, req any, level int) ([]byte, error) {
	if err := check(stream, name); err != nil {
		return nil, err
	}
	var body []byte
	if req != nil {
		var err error
		if body, err = json.Marshal(req); err != nil {
			return nil, err
		}
	}
	data, err := c.Request(ctx, verb+stream+"."+name, body, level)
	return data, Explain(ctx, c, stream, name, err)
}

// Explain wraps err with the names of the consumer. When it or its stream does not exist the hint is the names that are near.
func Explain(ctx context.Context, c *js.Client, stream, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case js.IsCode(err, 10059):
		return c.StreamError(ctx, stream, err)
	case !js.IsCode(err, 10014):
		return fmt.Errorf("consumer %s > %s: %w", stream, name, err)
	}
	e := fail.NotFoundf("consumer %s > %s: %w", stream, name, err)
	names, lerr := Names(ctx, c, stream)
	if lerr != nil {
		return e
	}
	if h := fail.DidYouMean("", name, names); h != "" {
		return e.WithHint("%s", h)
	}
	return e.WithHint("nats consumer ls %s", stream)
}

// Names are the names of the stream's consumers, sorted.
func Names(ctx context.Context, c *js.Client, stream string) ([]string, error) {
	if err := jsconf.CheckName("stream", stream); err != nil {
		return nil, err
	}
	names := []string{}
	for offset := 0; ; {
		data, err := c.Request(ctx, "CONSUMER.NAMES."+stream, fmt.Appendf(nil, `{"offset":%d}`, offset), 0)
		if err != nil {
			return nil, c.StreamError(ctx, stream, err)
		}
		var r api.JSApiConsumerNamesResponse
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("consumers of %s: %w", stream, err)
		}
		names = append(names, r.Consumers...)
		if offset = r.Offset + r.Limit; r.Limit == 0 || offset >= r.Total {
			slices.Sort(names)
			return names, nil
		}
	}
}

// List calls each for every consumer of the stream, page by page in the server's order. each may return js.ErrStop.
func List(ctx context.Context, c *js.Client, stream string, each func(Consumer) error) (js.Coverage, error) {
	type response struct {
		api.JSApiIterableResponse
		Consumers []Consumer        `json:"consumers"`
		Missing   []string          `json:"missing"`
		Offline   map[string]string `json:"offline"`
	}
	cov := js.Coverage{Offline: map[string]string{}}
	if err := jsconf.CheckName("stream", stream); err != nil {
		return cov, err
	}
	for offset := 0; ; {
		data, err := c.Request(ctx, "CONSUMER.LIST."+stream, fmt.Appendf(nil, `{"offset":%d}`, offset), 0)
		if err != nil {
			return cov, c.StreamError(ctx, stream, err)
		}
		var r response
		if err := json.Unmarshal(data, &r); err != nil {
			return cov, fmt.Errorf("consumers of %s: %w", stream, err)
		}
		cov.Total = r.Total
		cov.Rows += len(r.Consumers)
		cov.Missing = append(cov.Missing, r.Missing...)
		maps.Copy(cov.Offline, r.Offline)
		for _, con := range r.Consumers {
			if err := each(con); errors.Is(err, js.ErrStop) {
				return cov, nil
			} else if err != nil {
				return cov, err
			}
		}
		if offset = r.Offset + r.Limit; r.Limit == 0 || offset >= r.Total {
			return cov, nil
		}
	}
}

// Actions that Store takes: a consumer that is there already is an error, is changed, must be there.
const (
	Create         = "create"
	CreateOrUpdate = ""
	Update         = "update"
)

// Store makes or changes the consumer that the configuration names. A server that is too old for what the configuration asks
// refuses, instead of ignoring what it does not know.
func Store(ctx context.Context, c *js.Client, stream, action string, cfg *jsconf.Config) (Consumer, error) {
	name := NameOf(cfg)
	typed, err := Typed(cfg)
	if err != nil {
		return Consumer{}, err
	}
	level, err := typed.RequiredApiLevel()
	if err != nil {
		return Consumer{}, err
	}
	if err := check(stream, name); err != nil {
		return Consumer{}, err
	}
	raw, err := Ordered(cfg)
	if err != nil {
		return Consumer{}, err
	}
	body, err := json.Marshal(struct {
		Stream string          `json:"stream_name"`
		Config json.RawMessage `json:"config"`
		Action string          `json:"action"`
	}{stream, raw, action})
	if err != nil {
		return Consumer{}, err
	}
	tail := "CONSUMER.CREATE." + stream + "." + name
	if typed.FilterSubject != "" {
		tail += "." + typed.FilterSubject
	}
	data, err := c.Request(ctx, tail, body, level)
	if err != nil {
		err = Explain(ctx, c, stream, name, err)
		if level > 0 && js.IsCode(err, 10185) {
			err = fail.Hint(err, "these settings need a server of JetStream API level %d: nats account info shows the level", level)
		}
		return Consumer{}, err
	}
	var out Consumer
	return out, json.Unmarshal(data, &out)
}

// NameOf is the name that a configuration gives its consumer.
func NameOf(cfg *jsconf.Config) string {
	if n := cfg.Text("name"); n != "" {
		return n
	}
	return cfg.Text("durable_name")
}

// Typed is the configuration as far as it is known.
func Typed(cfg *jsconf.Config) (api.ConsumerConfig, error) {
	var out api.ConsumerConfig
	err := cfg.Decode(&out)
	return out, err
}

// Delete removes the consumer.
func Delete(ctx context.Context, c *js.Client, stream, name string) error {
	_, err := send(ctx, c, "CONSUMER.DELETE.", stream, name, nil, 0)
	return err
}

// Pause stops deliveries until the moment; the zero time resumes them.
func Pause(ctx context.Context, c *js.Client, stream, name string, until time.Time) (api.JSApiConsumerPauseResponse, error) {
	var req any
	if !until.IsZero() {
		req = api.JSApiConsumerPauseRequest{PauseUntil: until}
	}
	var out api.JSApiConsumerPauseResponse
	data, err := send(ctx, c, "CONSUMER.PAUSE.", stream, name, req, 1)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(data, &out)
}

// Unpin takes the pinned client off a priority group.
func Unpin(ctx context.Context, c *js.Client, stream, name, group string) error {
	_, err := send(ctx, c, "CONSUMER.UNPIN.", stream, name, api.JSApiConsumerUnpinRequest{Group: group}, 1)
	return err
}

// Reset sets the consumer back to its acknowledgement floor, or to deliver from sequence seq of the stream when it is above 0.
func Reset(ctx context.Context, c *js.Client, stream, name string, seq uint64) (Consumer, error) {
	return call(ctx, c, "CONSUMER.RESET.", stream, name, api.JSApiConsumerResetRequest{Seq: seq}, 0)
}

// StepDown asks the leader of the consumer to hand over, to the preferred server when one is named.
func StepDown(ctx context.Context, c *js.Client, stream, name, preferred string) error {
	var req any
	level := 0
	if preferred != "" {
		req, level = api.JSApiConsumerLeaderStepdownRequest{Placement: &api.Placement{Preferred: preferred}}, 1
	}
	_, err := send(ctx, c, "CONSUMER.LEADER.STEPDOWN.", stream, name, req, level)
	return err
}

// Evacuate moves the consumer off a server.
func Evacuate(ctx context.Context, c *js.Client, stream, name, peer string) error {
	_, err := send(ctx, c, "CONSUMER.PEER.EVACUATE.", stream, name, api.JSApiConsumerEvacuatePeerRequest{Peer: peer}, 0)
	return err
}

// Ordered is a configuration as JSON with its keys in the order of the type, unknown ones at the end.
func Ordered(cfg *jsconf.Config) ([]byte, error) {
	var doc map[string]json.RawMessage
	if err := cfg.Decode(&doc); err != nil {
		return nil, err
	}
	return inOrder(doc, api.ConsumerConfig{})
}

// Indented is Ordered as people read it.
func Indented(cfg *jsconf.Config) ([]byte, error) {
	raw, err := Ordered(cfg)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, raw, "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}
