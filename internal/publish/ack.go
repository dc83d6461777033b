// Package publish stores messages in JetStream from the client's side: acknowledgements as the server sends them, and a
// window of messages under way whose acknowledgements are reported in the order of sending.
package publish

import (
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// Ack is the server's word that a message is stored, in the spelling of the wire.
type Ack struct {
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"seq"`
	Domain    string `json:"domain,omitempty"`
	Duplicate bool   `json:"duplicate,omitempty"`
	Value     string `json:"val,omitempty"`   // the total of a counter
	Batch     string `json:"batch,omitempty"` // id of an atomic batch
	Count     int    `json:"count,omitempty"` // messages of that batch
}

// apiError is an error of the JetStream API as it stands in a response.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

// ParseAck reads the answer to a published message. A refusal is an error "description (code)"; an answer that is no
// acknowledgement at all says so.
func ParseAck(m *nats.Msg) (Ack, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return Ack{}, nats.ErrNoResponders
	}
	var r struct {
		Ack
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return Ack{}, fmt.Errorf("the answer is no acknowledgement of a stream: %w", err)
	}
	switch {
	case r.Error != nil:
		return Ack{}, r.Error.err()
	case r.Stream == "":
		return Ack{}, fmt.Errorf("the answer is no acknowledgement of a stream: it names none")
	}
	return r.Ack, nil
}

func (a *apiError) err() error {
	code := fail.Failure
	switch {
	case a.ErrCode == 10039 || a.ErrCode == 10076:
		code = fail.Unreachable
	case a.Code == 404:
		code = fail.NotFound
	}
	return fail.Newf(code, "%s (%d)", a.Description, a.ErrCode)
}
