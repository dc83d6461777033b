package device

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"
)

var errNoStream = errors.New("no stream takes the subject")

// api is the prefix of requests to JetStream of a domain.
func (l *link) api(domain string) string {
	if domain == "" || domain == l.nc.ConnectedDomain() {
		return apiOf("")
	}
	return apiOf(domain)
}

func apiOf(domain string) string {
	if domain == "" {
		return "$JS.API."
	}
	return "$JS." + domain + ".API."
}

// question asks JetStream something that the libraries cannot ask of any domain.
func question(ctx context.Context, nc *nats.Conn, subject string, body map[string]string, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ackPatience)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subject, text)
	if err != nil {
		return err
	}
	return json.Unmarshal(m.Data, answer)
}

// taker is the stream that takes a subject; errNoStream when JetStream says that there is none, other errors when nobody could say.
func taker(ctx context.Context, nc *nats.Conn, api, subject string) (string, error) {
	var answer struct {
		Streams []string `json:"streams"`
		Error   *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := question(ctx, nc, api+"STREAM.NAMES", map[string]string{"subject": subject}, &answer); err != nil {
		return "", err
	}
	switch {
	case answer.Error != nil:
		return "", errors.New(answer.Error.Description)
	case len(answer.Streams) == 0:
		return "", errNoStream
	}
	return answer.Streams[0], nil
}

// stored reports whether a stream has a message, or one that came after it: it is asked when the message was sent so long ago
// that the stream may have forgotten its id.
func stored(ctx context.Context, nc *nats.Conn, api, stream, subject, id string) bool {
	var answer struct {
		Message *struct {
			Header []byte `json:"hdrs"`
		} `json:"message"`
	}
	if question(ctx, nc, api+"STREAM.MSG.GET."+stream, map[string]string{"last_by_subj": subject}, &answer) != nil || answer.Message == nil {
		return false
	}
	for line := range strings.SplitSeq(string(answer.Message.Header), "\r\n") {
		if name, last, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, nats.MsgIdHdr) {
			return !before(strings.TrimSpace(last), id)
		}
	}
	return false
}
