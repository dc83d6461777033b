package jsconf

import (
	"encoding/json"
	"strings"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
)

// StreamSchema is the schema that stream configurations are validated against.
const StreamSchema = "io.nats.jetstream.api.v1.stream_configuration"

// ValidateStream checks a stream configuration without a server, against the schema and the rules that the schema cannot say.
// The reasons are empty when nothing is wrong.
func ValidateStream(c *Config) ([]string, error) {
	cfg, err := c.Stream()
	if err != nil {
		return []string{err.Error()}, nil
	}
	raw, err := json.Marshal(c.doc)
	if err != nil {
		return nil, err
	}
	reasons, err := CheckSchema(StreamSchema, raw)
	if err != nil {
		return nil, err
	}
	return append(reasons, streamRules(cfg)...), nil
}

func streamRules(cfg api.StreamConfig) []string {
	var out []string
	for _, s := range cfg.Subjects {
		if reason := SubjectFault(s); reason != "" {
			out = append(out, "subjects: "+s+" "+reason)
		}
		if s == ">" && !cfg.NoAck {
			out = append(out, "subjects: a stream on > would capture its own acknowledgements: pass --no-ack")
		}
	}
	switch {
	case cfg.Mirror != nil && len(cfg.Subjects) > 0:
		out = append(out, "subjects: a mirror has no subjects of its own")
	case cfg.Mirror != nil && len(cfg.Sources) > 0:
		out = append(out, "sources: a mirror has no further sources")
	}
	if cfg.DiscardNewPer && cfg.Discard != api.DiscardNew {
		out = append(out, "discard_new_per_subject: needs discard new: pass --discard new")
	}
	if cfg.RollupAllowed && cfg.DenyPurge {
		out = append(out, "allow_rollup_hdrs: a roll-up purges, which deny_purge refuses")
	}
	if cfg.Duplicates > 0 && cfg.MaxAge > 0 && cfg.Duplicates > cfg.MaxAge {
		out = append(out, "duplicate_window: is longer than the maximum age of messages")
	}
	return out
}

// SubjectFault says what is wrong with a subject as an interest, empty when nothing is: empty tokens, spaces, > before the end.
func SubjectFault(s string) string {
	if s == "" {
		return "is empty"
	}
	if strings.ContainsAny(s, " \t\r\n\x00") {
		return "contains a space"
	}
	tokens := strings.Split(s, ".")
	for i, t := range tokens {
		switch {
		case t == "":
			return "has an empty token"
		case t == ">" && i < len(tokens)-1:
			return "has > before its end"
		}
	}
	return ""
}

// CheckName refuses what cannot be the name of a stream or a consumer; what is "stream" or "consumer".
func CheckName(what, name string) error {
	if name == "" {
		return fail.Usagef("the %s name is empty", what)
	}
	if !jsm.IsValidName(name) || strings.ContainsAny(name, "\t\r\n") {
		return fail.Usagef("%s name %q: names do not contain >, *, dots, slashes or spaces", what, name)
	}
	return nil
}
