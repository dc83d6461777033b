package jsconf

import (
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
)

// Source is a stream that another copies from, as a mirror or as one of several sources.
type Source struct {
	doc map[string]any
	// Given is true when the whole source was written as JSON, so that there is nothing left to ask.
	Given bool
}

// NewSource is a source of which the name alone is known.
func NewSource(name string) Source { return Source{doc: map[string]any{"name": name}} }

// ParseSource reads the value of --mirror or --source: a stream name, or a JSON object with name, opt_start_seq, opt_start_time,
// filter_subject, subject_transforms, external and consumer. flag names it in errors.
func ParseSource(flag, text string) (Source, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		if err := CheckName("stream", text); err != nil {
			return Source{}, fail.Usagef("--%s: %w", flag, err)
		}
		return NewSource(text), nil
	}
	root, err := parse([]byte(text))
	if err != nil {
		return Source{}, fail.Usagef("--%s: %w", flag, err)
	}
	d := decoder{file: "--" + flag}
	doc, _ := d.value(root, reflect.TypeFor[api.StreamSource](), "", nil).(map[string]any)
	if len(d.problems) > 0 {
		return Source{}, fail.Usagef("%s", strings.Join(d.problems, "\n"))
	}
	s := Source{doc: doc, Given: true}
	if s.Name() == "" {
		return Source{}, fail.Usagef("--%s: the JSON has no name", flag)
	}
	if s.doc["filter_subject"] != nil && s.doc["subject_transforms"] != nil {
		return Source{}, fail.Usagef("--%s: filter_subject and subject_transforms exclude each other", flag)
	}
	return s, nil
}

// Name is the name of the stream to copy from.
func (s Source) Name() string {
	name, _ := s.doc["name"].(string)
	return name
}

func (s Source) with(v any, path ...string) Source {
	c := &Config{doc: s.doc}
	if s.doc == nil {
		c.doc = map[string]any{}
	} else {
		c = c.Clone()
	}
	if err := c.Set(v, path...); err != nil {
		return s
	}
	return Source{doc: c.doc, Given: s.Given}
}

// StartingAt copies from sequence seq on.
func (s Source) StartingAt(seq uint64) Source { return s.with(seq, "opt_start_seq") }

// StartingSince copies messages not older than t.
func (s Source) StartingSince(t time.Time) Source {
	return s.with(t.UTC().Format(time.RFC3339Nano), "opt_start_time")
}

// Transformed copies only what matches a filter, under the subject that the destination makes of it where there is one.
func (s Source) Transformed(t []api.SubjectTransformConfig) Source {
	return s.with(t, "subject_transforms")
}

// External reaches the stream through the API prefix of another account or domain; deliver may be empty.
func (s Source) External(apiPrefix, deliver string) Source {
	return s.with(api.ExternalStream{ApiPrefix: apiPrefix, DeliverPrefix: deliver}, "external")
}

// Durable copies through a consumer that exists.
func (s Source) Durable(name, deliver string) Source {
	return s.with(api.StreamConsumerSource{Name: name, DeliverSubject: deliver}, "consumer")
}
