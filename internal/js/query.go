package js

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"gopkg.in/yaml.v3"

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
	program, err := compileExpression(q.Expression)
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
		if program == nil {
			return true, nil
		}
		return evaluate(program, s)
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

func compileExpression(text string) (*vm.Program, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	shape := map[string]any{"config": map[string]any{}, "state": map[string]any{}, "info": map[string]any{}, "Info": map[string]any{}}
	p, err := expr.Compile(text, expr.Env(shape), expr.AsBool())
	if err != nil {
		return nil, fail.Usagef("--expression: %w", err)
	}
	return p, nil
}

// evaluate runs the expression over what is known of the stream. Asking for a part that the stream does not have, such as the
// leader on a single server, is false and no error.
func evaluate(p *vm.Program, s api.StreamInfo) (bool, error) {
	info, _ := plainOf(reflect.ValueOf(s)).(map[string]any)
	if info["cluster"] == nil {
		info["cluster"] = map[string]any{"name": "", "leader": "", "replicas": []any{}}
	}
	out, err := expr.Run(p, map[string]any{"config": info["config"], "state": info["state"], "info": info, "Info": s})
	if err != nil {
		if strings.Contains(err.Error(), "cannot fetch") && strings.Contains(err.Error(), "<nil>") {
			return false, nil
		}
		return false, fail.Usagef("--expression on stream %s: %w", s.Config.Name, err)
	}
	yes, ok := out.(bool)
	if !ok {
		return false, fail.Usagef("--expression gives %v for stream %s, not true or false", out, s.Config.Name)
	}
	return yes, nil
}

// plainOf turns structs into maps by their JSON keys, zero values included, for expressions: durations and enumerations as
// words, whole numbers as int.
func plainOf(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case time.Time:
		return x
	case yaml.Marshaler:
		word, err := x.MarshalYAML()
		if err != nil {
			return fmt.Sprint(x)
		}
		return word
	case json.Marshaler:
		return fmt.Sprint(x)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return plainOf(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		t := v.Type()
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if t.Field(i).IsExported() && name != "" && name != "-" {
				out[name] = plainOf(v.Field(i))
			}
		}
		return out
	case reflect.Slice:
		out := make([]any, 0, v.Len())
		for i := range v.Len() {
			out = append(out, plainOf(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = plainOf(v.MapIndex(k))
		}
		return out
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := v.Uint(); u > 1<<62 {
			return u
		}
		return int(v.Uint())
	}
	return v.Interface()
}
