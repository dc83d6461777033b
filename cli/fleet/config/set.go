package config

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet/control"
)

type setOptions struct {
	scope
	change
	values  []string
	replace bool

	given map[string]any // of pairs
}

func setVerb() command.Node {
	return command.Verb[setOptions]{
		Meta: command.Meta{
			Name: "set", Short: "Change a configuration",
			Long: "What is given is merged into what there is, objects into objects: KEY=VALUE pairs, or one JSON object, as an argument or from standard input with -. In a pair the key may be a path with dots, and the value is JSON or else text. With --replace it takes the place of what there is. A change is only written over the revision it was made from: when somebody else was faster, it is merged into what he wrote, or with --replace refused. The first change makes the bucket.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: changed{},
		Examples: []command.Example{
			{Line: `nats fleet config set chart_color=#ff0000`, Says: `+  "chart_color": "#ff0000"`},
			{Line: `echo '{"interval":5}' | nats fleet config set - --replace --where 'os.name == "Android"' --name phones`, Says: "where.phones", About: "A rule for some devices, from standard input"},
			{Line: `nats fleet config set interval=9 --device d1 --wait`, Says: "Applied by 1 device", About: "Wait until it is in force"},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *setOptions) {
			c.Arg("value", "KEY=VALUE pairs, or one JSON object; - is standard input").Required().StringsVar(&o.values)
			o.scope.bind(c)
			o.change.bind(c)
			c.Flag("replace", "Put it in the place of what there is").UnNegatableBoolVar(&o.replace)
		},
		Check: func(o *setOptions) error {
			if err := o.scope.check(); err != nil {
				return err
			}
			return o.read()
		},
		Run: runSet,
	}
}

// read understands the pairs or the object that were given.
func (o *setOptions) read() error {
	if o.values[0] == "-" && len(o.values) == 1 {
		return nil
	}
	o.given = map[string]any{}
	for i, text := range o.values {
		if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") {
			if len(o.values) > 1 {
				return fail.Usagef("value %d: a JSON object stands alone: give it, or KEY=VALUE pairs", i+1)
			}
			var err error
			if o.given, err = control.Object([]byte(trimmed)); err != nil {
				return fail.Usagef("%w", err)
			}
			return nil
		}
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return fail.Usagef("value %q: KEY=VALUE or a JSON object is expected", text)
		}
		over, err := pair(strings.Split(key, "."), value)
		if err != nil {
			return fail.Usagef("value %q: %w", text, err)
		}
		o.given = control.Merge(o.given, over)
	}
	return nil
}

// pair is the object that says value at path.
func pair(path []string, value string) (map[string]any, error) {
	if path[0] == "" {
		return nil, errors.New("a part of the path is empty")
	}
	if len(path) > 1 {
		below, err := pair(path[1:], value)
		return map[string]any{path[0]: below}, err
	}
	d := json.NewDecoder(strings.NewReader(value))
	d.UseNumber()
	var v any
	if json.Valid([]byte(value)) && d.Decode(&v) == nil {
		return map[string]any{path[0]: v}, nil
	}
	return map[string]any{path[0]: value}, nil
}

func runSet(ctx context.Context, e *env.Env, o setOptions) error {
	if o.given == nil {
		text, err := e.Files.ReadFile("-")
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		if o.given, err = control.Object(text); err != nil {
			return fail.Usagef("standard input: %w", err)
		}
	}
	return o.on(ctx, e, func(ctx context.Context, f *control.Fleet, key string) error {
		return o.change.run(ctx, e, f, key, !o.replace, func(now control.Layer) (control.Layer, error) {
			where, err := o.expression(now)
			if err != nil {
				return now, err
			}
			doc := map[string]any{}
			if !o.replace && len(now.Config) > 0 {
				if doc, err = control.Object(now.Config); err != nil {
					return now, err
				}
			}
			text, err := encode(control.Merge(doc, o.given))
			return control.Layer{Where: where, Config: text}, err
		})
	})
}

// expression is that of the rule after the change.
func (s *scope) expression(now control.Layer) (string, error) {
	if _, rule := control.IsRule(now.Key); !rule || s.where != "" {
		return s.where, nil
	}
	if len(now.Config) == 0 {
		return "", fail.NotFoundf("bucket %s: there is no rule %s", s.service.Bucket, s.name).WithHint("say which devices a new one is for: --where EXPR")
	}
	return now.Where, nil
}

// encode is a document as it is written: without HTML escapes.
func encode(doc map[string]any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

type unsetOptions struct {
	scope
	change
	keys  []string
	force bool
}

func unsetVerb() command.Node {
	return command.Verb[unsetOptions]{
		Meta: command.Meta{
			Name: "unset", Short: "Take keys out of a configuration, or all of it",
			Long: "Keys may be paths with dots. Without one the whole document goes, a rule with its expression, after a question; revert brings it back.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: changed{},
		Examples: []command.Example{
			{Line: "nats fleet config unset chart_color", Says: `-  "chart_color": "#ff0000"`, Needs: []string{"fleet config set chart_color=#ff0000 interval=5"}},
			{Line: "nats fleet config unset --device d1 --force", Says: "device.d1", About: "All that was said for one device", Needs: []string{"fleet config set interval=5 --device d1"}},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *unsetOptions) {
			c.Arg("field", "What to take out; everything when none is given").StringsVar(&o.keys)
			o.scope.bind(c)
			o.change.bind(c)
			c.Flag("force", "Act without asking").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: func(o *unsetOptions) error { return o.scope.check() },
		Run: func(ctx context.Context, e *env.Env, o unsetOptions) error {
			return o.on(ctx, e, func(ctx context.Context, f *control.Fleet, key string) error {
				if len(o.keys) == 0 && !o.dry {
					if err := o.service.Sure(ctx, e, o.force, "remove the whole configuration "+key); err != nil {
						return err
					}
				}
				return o.change.run(ctx, e, f, key, true, func(now control.Layer) (control.Layer, error) { return o.without(now) })
			})
		},
	}
}

// without is a layer with keys taken out.
func (o *unsetOptions) without(now control.Layer) (control.Layer, error) {
	if len(now.Config) == 0 {
		return now, o.nothing(now.Key)
	}
	if len(o.keys) == 0 {
		return control.Layer{}, nil
	}
	doc, err := control.Object(now.Config)
	if err != nil {
		return now, err
	}
	for _, k := range o.keys {
		if !remove(doc, k) {
			names := []string{}
			for name := range doc {
				names = append(names, name)
			}
			err := fail.NotFoundf("configuration %s has no %s", now.Key, k)
			if hint := fail.DidYouMean("", k, names); hint != "" {
				return now, err.WithHint("%s", hint)
			}
			return now, err
		}
	}
	text, err := encode(doc)
	return control.Layer{Where: now.Where, Config: text}, err
}

// remove takes out what stands at a path, or under that very name.
func remove(doc map[string]any, path string) bool {
	if _, ok := doc[path]; ok {
		delete(doc, path)
		return true
	}
	head, rest, deep := strings.Cut(path, ".")
	below, ok := doc[head].(map[string]any)
	return deep && ok && remove(below, rest)
}

type revertOptions struct {
	scope
	change
	to uint64
}

func revertVerb() command.Node {
	return command.Verb[revertOptions]{
		Meta: command.Meta{
			Name: "revert", Short: "Go back to an earlier revision",
			Long: "What stood there is written again, as a new revision. Without a revision it is the one before the latest.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: changed{},
		Examples: []command.Example{
			{Line: "nats fleet config revert", Says: `+  "interval": 5`, Needs: []string{"fleet config set interval=5", "fleet config set interval=9"}},
			{Line: "nats fleet config revert 1 --dry-run --jq .unchanged", Says: "true", About: "What it would change", Needs: []string{"fleet config set interval=5"}},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *revertOptions) {
			c.Arg("revision", "The revision to go back to").SetValue(flagval.NewUint64(&o.to).Min(1))
			o.scope.bind(c)
			o.change.bind(c)
		},
		Check: func(o *revertOptions) error { return o.scope.check() },
		Run: func(ctx context.Context, e *env.Env, o revertOptions) error {
			return o.on(ctx, e, func(ctx context.Context, f *control.Fleet, key string) error {
				then, err := o.then(ctx, f, key)
				if err != nil {
					return err
				}
				return o.change.run(ctx, e, f, key, false, func(control.Layer) (control.Layer, error) { return then, nil })
			})
		},
	}
}

// then is the layer at the revision that is meant.
func (o *revertOptions) then(ctx context.Context, f *control.Fleet, key string) (control.Layer, error) {
	all, err := f.History(ctx, key)
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrKeyNotFound) {
		return control.Layer{}, o.nothing(key)
	}
	if err != nil {
		return control.Layer{}, err
	}
	at := len(all) - 2
	if o.to > 0 {
		for at = len(all) - 1; at >= 0 && all[at].Revision != o.to; at-- {
		}
	}
	if at < 0 {
		if o.to == 0 {
			return control.Layer{}, fail.NotFoundf("configuration %s has no earlier revision", key)
		}
		return control.Layer{}, fail.NotFoundf("configuration %s has no revision %d", key, o.to).WithHint("nats fleet config history lists the revisions that are kept")
	}
	if all[at].Error != "" {
		return control.Layer{}, fail.Newf(fail.Failure, "configuration %s, revision %d: %s", key, all[at].Revision, all[at].Error)
	}
	return all[at].Layer, nil
}
