package js

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"gopkg.in/yaml.v3"

	"github.com/natskit/natskit/internal/fail"
)

// Expression is a condition over what a server tells of a stream or consumer: config, state and info by the keys of the info
// document, and Info, the value of the client library. No expression, which is nil, holds for everything.
type Expression struct{ program *vm.Program }

// CompileExpression reads the text of --expression; what is not a condition is a usage error. A blank text is none.
func CompileExpression(text string) (*Expression, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	shape := map[string]any{"config": map[string]any{}, "state": map[string]any{}, "info": map[string]any{}, "Info": map[string]any{}}
	p, err := expr.Compile(text, expr.Env(shape), expr.AsBool())
	if err != nil {
		return nil, fail.Usagef("--expression: %w", err)
	}
	return &Expression{p}, nil
}

// Test tells whether the expression holds for info, the struct of an info document. Where the document has no state of its own,
// as that of consumers, state is the whole. Asking for a part that is not there, such as the leader on a single server, is false
// and no error. name is what errors call the thing.
func (x *Expression) Test(name string, info any) (bool, error) {
	if x == nil {
		return true, nil
	}
	doc, _ := plainOf(reflect.ValueOf(info)).(map[string]any)
	if doc["cluster"] == nil {
		doc["cluster"] = map[string]any{"name": "", "leader": "", "replicas": []any{}}
	}
	state, separate := doc["state"]
	if !separate {
		state = doc
	}
	out, err := expr.Run(x.program, map[string]any{"config": doc["config"], "state": state, "info": doc, "Info": info})
	if err != nil {
		if strings.Contains(err.Error(), "cannot fetch") && strings.Contains(err.Error(), "<nil>") {
			return false, nil
		}
		return false, fail.Usagef("--expression on %s: %w", name, err)
	}
	yes, ok := out.(bool)
	if !ok {
		return false, fail.Usagef("--expression gives %v for %s, not true or false", out, name)
	}
	return yes, nil
}

// plainOf turns structs into maps for expressions, zero values included: by their JSON keys, and by the lower-cased names of their
// fields, which are known from elsewhere (num_pending and numpending). Durations and enumerations are words, whole numbers int,
// and what a nil pointer would point to is nil.
func plainOf(v reflect.Value) any {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		return plainOf(v.Elem())
	}
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
	case reflect.Struct:
		return plainFields(v)
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

func plainFields(v reflect.Value) map[string]any {
	out := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		value := plainOf(v.Field(i))
		if _, taken := out[strings.ToLower(f.Name)]; !taken {
			out[strings.ToLower(f.Name)] = value
		}
		out[name] = value
	}
	return out
}
