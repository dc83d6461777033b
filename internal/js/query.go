package js

import (
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
)

// Query selects streams. All conditions that are set must hold.
type Query struct {
	Server     string         // regular expression: the leader or a replica
	Cluster    string         // regular expression
	Empty      bool           // no messages
	Idle       *time.Duration // no message for longer than that
	Created    *time.Duration // older than that
	Consumers  *int64         // that many or fewer
	Subject    string         // a configured subject is a subset of it
	Replicas   int64          // that many or fewer
	Sourced    bool
	Mirrored   bool
	Leader     string // exact server name
	APILevel   int64  // requires that level or more
	Invert     bool   // turns each condition round, but not the expression
	Expression string // a boolean over config, state, info and Info
}

// Compile makes a function of the query that tells whether a stream is selected, as of now. A bad expression or regular
// expression is a usage error.
func (q Query) Compile(now time.Time) (func(api.StreamInfo) (bool, error), error) {
	var tests []func(api.StreamInfo) bool
	add := func(on bool, t func(api.StreamInfo) bool) {
		if on {
			tests = append(tests, t)
		}
	}
	server, err := pattern("server-name", q.Server)
	if err != nil {
		return nil, err
	}
	cluster, err := pattern("cluster", q.Cluster)
	if err != nil {
		return nil, err
	}
	expression, err := CompileExpression(q.Expression)
	if err != nil {
		return nil, err
	}
	add(q.Created != nil, func(s api.StreamInfo) bool { return now.Sub(s.Created) >= *q.Created })
	add(q.Idle != nil, func(s api.StreamInfo) bool { return now.Sub(s.State.LastTime) > *q.Idle })
	add(q.Empty, func(s api.StreamInfo) bool { return s.State.Msgs == 0 })
	add(q.Consumers != nil, func(s api.StreamInfo) bool { return int64(s.State.Consumers) <= *q.Consumers })
	add(cluster != nil, func(s api.StreamInfo) bool { return s.Cluster != nil && cluster.MatchString(s.Cluster.Name) })
	add(q.Subject != "", func(s api.StreamInfo) bool { return subjectWithin(s.Config.Subjects, q.Subject) })
	add(server != nil, func(s api.StreamInfo) bool { return onServer(s.Cluster, server) })
	add(q.Replicas > 0, func(s api.StreamInfo) bool { return int64(s.Config.Replicas) <= q.Replicas })
	add(q.Sourced, func(s api.StreamInfo) bool { return len(s.Config.Sources) > 0 })
	add(q.Mirrored, func(s api.StreamInfo) bool { return s.Config.Mirror != nil })
	add(q.Leader != "", func(s api.StreamInfo) bool { return s.Cluster != nil && s.Cluster.Leader == q.Leader })
	add(q.APILevel > 0, func(s api.StreamInfo) bool { return int64(LevelOf(s.Config.Metadata)) >= q.APILevel })
	return func(s api.StreamInfo) (bool, error) {
		for _, t := range tests {
			if t(s) == q.Invert {
				return false, nil
			}
		}
		return expression.Test("stream "+s.Config.Name, s)
	}, nil
}

// Narrow is a subject by which the server can leave out streams that cannot be meant, empty when it cannot.
func (q Query) Narrow() string {
	if q.Invert {
		return ""
	}
	return q.Subject
}

func pattern(flag, text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fail.Usagef("--%s: %w", flag, err)
	}
	return re, nil
}

func subjectWithin(subjects []string, of string) bool {
	for _, s := range subjects {
		if jsm.SubjectIsSubsetMatch(s, of) {
			return true
		}
	}
	return false
}

func onServer(c *api.ClusterInfo, re *regexp.Regexp) bool {
	if c == nil {
		return false
	}
	for _, r := range c.Replicas {
		if re.MatchString(r.Name) {
			return true
		}
	}
	return c.Leader != "" && re.MatchString(c.Leader)
}

// LevelOf is the API level that the server says an asset requires, from its metadata; 0 when it says none.
func LevelOf(metadata map[string]string) int {
	n, err := strconv.Atoi(metadata[api.JsMetaRequiredServerLevel])
	if err != nil {
		return 0
	}
	return n
}
