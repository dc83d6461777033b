package events

import (
	"encoding/json"
	"regexp"
	"strconv"
)

// remembered is how many ids of past events are kept to recognise one that comes again on another subject.
const remembered = 4096

// sieve says which messages are shown.
type sieve struct {
	text, kind *regexp.Regexp
	stream     string
	once       bool // ids are looked at

	seen map[string]bool
	ring []string
	next int
}

func newSieve(o eventsOptions) (*sieve, error) {
	s := &sieve{stream: o.streamName, once: o.stream == "", seen: map[string]bool{}}
	var err error
	if s.text, err = regexp.Compile("(?i)" + o.filter); err != nil {
		return nil, err
	}
	if o.kind != "" {
		s.kind, err = regexp.Compile("(?i)" + o.kind)
	}
	return s, err
}

// passes reports whether a message is to be shown; one that was told before is not.
func (s *sieve) passes(m message) bool {
	if !s.text.Match(m.data) {
		return false
	}
	var head head
	_ = json.Unmarshal(m.data, &head) // what is no event has none of them
	if s.kind != nil && !s.kind.MatchString(head.Type) || s.stream != "" && s.stream != head.Stream {
		return false
	}
	id := head.identity()
	return !s.once || id == "" || s.first(id)
}

// head is what a sieve looks at of an event.
type head struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Stream string `json:"stream"`
	Server struct {
		ID string `json:"id"`
	} `json:"server"`
	Client struct {
		ID uint64 `json:"id"`
	} `json:"client"`
}

// identity is the same for events that tell of the same; empty when that is not known. A failed authentication is told as an
// error and as the end of the connection, by two events with ids of their own; but a connection ends once.
func (h head) identity() string {
	if h.Type == "io.nats.server.advisory.v1.client_disconnect" && h.Server.ID != "" && h.Client.ID != 0 {
		return h.Type + " " + h.Server.ID + " " + strconv.FormatUint(h.Client.ID, 10)
	}
	if h.ID == "" {
		return ""
	}
	return h.Type + " " + h.ID
}

// first reports whether an id is new, and remembers it in place of the oldest.
func (s *sieve) first(id string) bool {
	if s.seen[id] {
		return false
	}
	if len(s.ring) < remembered {
		s.ring = append(s.ring, id)
	} else {
		delete(s.seen, s.ring[s.next])
		s.ring[s.next] = id
		s.next = (s.next + 1) % remembered
	}
	s.seen[id] = true
	return true
}
