package errors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/schemas"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
)

// entry is one error as the list holds it: the known part and the document it came in, so that what we do not know survives.
type entry struct {
	server.ErrorsData
	raw json.RawMessage
}

// lowest is the first number that an error of the server may have.
const lowest = 10000

// load reads the list in the file, or the built-in one when there is no name. It is read when it is needed, never before.
func load(e *env.Env, file string) ([]entry, error) {
	var data []byte
	var err error
	if file == "" {
		file = "the built-in list of errors"
		data, err = schemas.Load("server/errors.json")
	} else {
		data, err = e.Files.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return parse(file, data)
}

func parse(file string, data []byte) ([]entry, error) {
	var raws []json.RawMessage
	if err := json.Unmarshal(data, &raws); err != nil {
		return nil, fmt.Errorf("reading %s: it is no list of errors: %w", file, err)
	}
	out := make([]entry, 0, len(raws))
	for i, raw := range raws {
		x := entry{raw: raw}
		if err := json.Unmarshal(raw, &x.ErrorsData); err != nil {
			return nil, fmt.Errorf("reading %s: error %d of the list: %w", file, i+1, err)
		}
		out = append(out, x)
	}
	return out, nil
}

// encode writes the list as the server's sources hold it.
func encode(list []entry) ([]byte, error) {
	raws := make([]json.RawMessage, 0, len(list))
	for _, x := range list {
		raws = append(raws, x.raw)
	}
	return indented(raws)
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

// reasons is what is wrong with one error, nothing when it is as it should be.
func reasons(x server.ErrorsData) []string {
	var out []string
	say := func(bad bool, format string, args ...any) {
		if bad {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	say(x.ErrCode < lowest, "error_code must be %d or more", lowest)
	say(x.Code == 0, "code, the HTTP code, is required")
	say(x.Constant == "", "constant is required")
	say(x.Description == "", "description is required")
	tokens, balanced := braces(x.Description)
	say(!balanced, "the braces in the description %q do not match", x.Description)
	if balanced && len(tokens) > 0 {
		rest := x.Description
		for _, t := range tokens {
			rest = strings.Replace(rest, t, "", 1)
		}
		say(strings.TrimSpace(rest) == "" && x.Comment == "", "a description that is a token alone needs a comment")
		say(x.Constant != "" && !strings.HasSuffix(x.Constant, "F"), "the constant %s must end in F: the description holds tokens", x.Constant)
	}
	return out
}

// braces finds the {tokens} of a description; balanced is false when a brace has no partner or stands within another pair.
func braces(text string) (tokens []string, balanced bool) {
	open := -1
	for i, r := range text {
		switch r {
		case '{':
			if open >= 0 {
				return tokens, false
			}
			open = i
		case '}':
			if open < 0 {
				return tokens, false
			}
			tokens = append(tokens, text[open:i+1])
			open = -1
		}
	}
	return tokens, open < 0
}

// strict decodes one error that a person wrote: every key must be known, or stand in the error as it was.
func strict(data []byte, before json.RawMessage) (entry, error) {
	var keys, old map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return entry{}, fmt.Errorf("this is no JSON object: %w", err)
	}
	if len(before) > 0 {
		if err := json.Unmarshal(before, &old); err != nil {
			return entry{}, err
		}
	}
	known := fields()
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if _, was := old[k]; was || slices.Contains(known, k) {
			continue
		}
		err := fmt.Errorf("unknown key %q", k)
		if hint := fail.DidYouMean("", k, known); hint != "" {
			err = fmt.Errorf("unknown key %q: %s", k, hint)
		}
		return entry{}, err
	}
	x := entry{raw: bytes.TrimSpace(data)}
	if err := json.Unmarshal(data, &x.ErrorsData); err != nil {
		return entry{}, err
	}
	return x, nil
}

// fields are the keys that an error has.
func fields() []string {
	t := reflect.TypeFor[server.ErrorsData]()
	out := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		out = append(out, t.Field(i).Tag.Get("json"))
	}
	return out
}
