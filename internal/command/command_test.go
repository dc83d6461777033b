package command_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

type options struct {
	name  string
	count int64
	names bool
}

// OutputFormat is the format of --names.
func (o *options) OutputFormat() string {
	if o.names {
		return "names"
	}
	return ""
}

type result struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

func (r result) View(p *render.Page) {
	t := p.Table("Things", render.Column{Name: "Name"}, render.Column{Name: "Count"})
	t.Row(r.Name, r.Count)
}

func show(change func(*command.Verb[options])) command.Node {
	v := command.Verb[options]{
		Meta:   command.Meta{Name: "show", Aliases: []string{"s"}, Short: "Show a thing", Long: "It is shown."},
		Output: command.Value, Result: result{},
		Names:    command.Names{"name": command.Streams},
		Examples: []command.Example{{Line: "nats thing show a", About: "The first one"}},
		Bind: func(c *fisk.CmdClause, o *options) {
			c.Arg("name", "The thing").Required().StringVar(&o.name)
			c.Flag("count", "How many").Default("1").Int64Var(&o.count)
			c.Flag("names", "Names alone").UnNegatableBoolVar(&o.names)
		},
		Check: func(o *options) error {
			switch o.name {
			case "plain":
				return errors.New("plain is refused")
			case "hinted":
				return fail.NotFoundf("hinted is refused").WithHint("take another")
			}
			return nil
		},
		Run: func(_ context.Context, e *env.Env, o options) error { return e.Out.Print(result{o.name, o.count}) },
	}
	if change != nil {
		change(&v)
	}
	return v
}

func group(nodes func() []command.Node) command.Node {
	return command.Group{Meta: command.Meta{Name: "thing", Aliases: []string{"t"}, Short: "Things"}, Nodes: nodes}
}

func things(change func(*command.Verb[options])) command.Node {
	return group(func() []command.Node { return []command.Node{show(change)} })
}

func TestParse(t *testing.T) {
	t.Parallel()
	rows := []struct {
		line string
		want options
		err  string
	}{
		{"thing show a", options{name: "a", count: 1}, ""},
		{"t s a --count 3", options{name: "a", count: 3}, ""},
		{"thing show --names -- -a", options{name: "-a", count: 1, names: true}, ""},
		{"thing show", options{}, "required argument 'name'"},
		{"thing show plain", options{}, "plain is refused"},
		{"thing show hinted", options{}, "hinted is refused"},
	}
	for _, r := range rows {
		got, err := clitest.Parse[options](t, things(nil), r.line)
		switch {
		case r.err == "" && (err != nil || got != r.want):
			t.Errorf("%s: %+v, %v", r.line, got, err)
		case r.err != "" && (fail.CodeOf(err) != fail.Usage || !strings.Contains(err.Error(), r.err)):
			t.Errorf("%s: %v (code %d)", r.line, err, fail.CodeOf(err))
		}
	}
	_, err := clitest.Parse[options](t, things(nil), "thing show hinted")
	if fail.HintOf(err) != "take another" {
		t.Errorf("the hint is %q", fail.HintOf(err))
	}
}

// Options belong to one command line: nothing of an earlier one is left.
func TestOptionsAreFresh(t *testing.T) {
	t.Parallel()
	node := things(nil)
	if o, err := clitest.Parse[options](t, node, "thing show a --count 5 --names"); err != nil || o.count != 5 {
		t.Fatalf("%+v %v", o, err)
	}
	if o, err := clitest.Parse[options](t, node, "thing show b"); err != nil || o != (options{name: "b", count: 1}) {
		t.Errorf("%+v %v", o, err)
	}
}

// A command line pays for the branches that it may mean.
func TestBranchesAreBuiltWhenNamed(t *testing.T) {
	t.Parallel()
	built := 0
	node := group(func() []command.Node {
		built++
		return []command.Node{show(nil)}
	})
	for words, want := range map[string]int{"other a": 0, "thing show": 1, "t s": 1, "--x=thing": 0, "": 1} {
		built = 0
		s := command.NewSelection(strings.Fields(words)...)
		node.Attach(parent(t), s)
		if built != want || s.Whole() != (words == "") || s.Selected() {
			t.Errorf("%q built the group %d times, want %d", words, built, want)
		}
	}
}

// parent is a place to attach to.
func parent(t *testing.T) command.Parent {
	t.Helper()
	return clitest.Program().Application()
}

func TestFormats(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, things(nil))
	rows := []struct{ line, format, want string }{
		{"thing show a --json", "", "{\n  \"name\": \"a\",\n  \"count\": 1\n}\n"},
		{"thing show a -j", "", "{\n  \"name\": \"a\",\n  \"count\": 1\n}\n"},
		{"thing show a --json --format json", "", "{\n  \"name\": \"a\",\n  \"count\": 1\n}\n"},
		{"thing show a --jq .count", "", "1\n"},
		{"thing show a --json --jq .name", "", "a\n"},
		{"thing show a --format csv", "", "Name,Count\na,1\n"},
		{"thing show a --names", "", "a\n"},
		{"thing show a --names --format names", "", "a\n"},
		{"thing show a", "csv", "Name,Count\na,1\n"},
		{"thing show a --names", "csv", "a\n"},
		{"thing show a --format 'template={{.name}}!'", "json", "a!"},
	}
	for _, r := range rows {
		if out := c.Env("NATS_FORMAT", r.format).OK(r.line).Out; strings.TrimSuffix(out, "\n") != strings.TrimSuffix(r.want, "\n") {
			t.Errorf("%s with NATS_FORMAT=%s prints %q, want %q", r.line, r.format, out, r.want)
		}
	}
	for _, line := range []string{"--json --format csv", "--format csv --jq .", "--names --json", "--format nope", "--format line=%s", "--json --format yaml --jq ."} {
		c.Fails(fail.Usage, "thing show a "+line)
	}
	for _, format := range []string{"line=%s", "nope", "text"} { // what the verb does not offer is no error of the environment
		if out := c.Env("NATS_FORMAT", format).OK("thing show a").Out; !strings.Contains(out, "│ a ") {
			t.Errorf("NATS_FORMAT=%s prints %q", format, out)
		}
	}
}

// What a verb writes says which formats it offers.
func TestOutputs(t *testing.T) {
	t.Parallel()
	for output, offers := range map[command.Output]bool{command.Value: true, command.Feed: true, command.Bytes: false, command.Screen: false, command.Check: false, command.Nothing: false} {
		node := show(func(v *command.Verb[options]) { v.Output = output })
		_, err := clitest.Parse[options](t, node, "show a --format json")
		if (err == nil) != offers {
			t.Errorf("output %d: %v", output, err)
		}
	}
	c := clitest.New(t, show(func(v *command.Verb[options]) { v.Output = command.Feed }))
	c.Fails(fail.Usage, "show a --format wide", "does not print wide")
	c.Fails(fail.Usage, "show a --format names")
}

// -j is --json only where the verb has no -j of its own.
func TestShortJSON(t *testing.T) {
	t.Parallel()
	node := show(func(v *command.Verb[options]) {
		v.Bind = func(c *fisk.CmdClause, o *options) { c.Flag("jump", "Jump").Short('j').UnNegatableBoolVar(&o.names) }
		v.Check = nil
	})
	if o, err := clitest.Parse[options](t, node, "show -j"); err != nil || !o.names {
		t.Errorf("%+v %v", o, err)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	var paths []string
	var leaf command.Doc
	things(func(v *command.Verb[options]) { v.Scope, v.Effect = command.System, command.Destroys }).Walk([]string{"top"}, func(d command.Doc) {
		paths = append(paths, d.Command())
		if !d.Group {
			leaf = d
		}
	})
	if !slices.Equal(paths, []string{"top thing", "top thing show"}) {
		t.Errorf("paths are %q", paths)
	}
	if leaf.Result != reflect.TypeFor[result]() || leaf.Names["name"] != command.Streams || leaf.Scope != command.System || leaf.Effect != command.Destroys || len(leaf.Examples) != 1 {
		t.Errorf("%+v", leaf)
	}
}

func TestTagsAndHelp(t *testing.T) {
	t.Parallel()
	tags := func(s command.Scope, e command.Effect) []string {
		app := clitest.Program(show(func(v *command.Verb[options]) { v.Scope, v.Effect = s, e })).Model()
		for _, c := range app.Commands {
			if c.Name == "show" {
				return c.Tags
			}
		}
		return nil
	}
	for _, r := range []struct {
		scope  command.Scope
		effect command.Effect
		want   []string
	}{
		{command.Local, command.Writes, nil}, {command.User, command.Reads, []string{"scope:user", "impact:ro"}},
		{command.User, command.Writes, []string{"scope:user", "impact:rw"}}, {command.System, command.Destroys, []string{"scope:system", "impact:rw"}},
	} {
		if got := tags(r.scope, r.effect); !slices.Equal(got, r.want) {
			t.Errorf("tags %q, want %q", got, r.want)
		}
	}
	help := clitest.New(t, things(nil)).OK("thing show --help").Out
	for _, want := range []string{"It is shown.", "Examples:", "# The first one", "nats thing show a", "--format", "--jq"} {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q:\n%s", want, help)
		}
	}
}

func TestHiddenAndDeprecated(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, show(func(v *command.Verb[options]) { v.Hidden, v.Instead = true, "display" }))
	if help := c.OK("--help").Out; strings.Contains(help, "Show a thing") {
		t.Errorf("a hidden command is listed: %s", help)
	}
	if r := c.OK("show a --json"); !strings.Contains(r.Err, "nats show is deprecated, use nats display") {
		t.Errorf("stderr %q", r.Err)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for kind, parent := range map[command.Kind]string{
		command.Contexts: "", command.Streams: "", command.Consumers: "stream", command.Subjects: "stream", command.Buckets: "", command.Keys: "bucket",
		command.ObjectStores: "", command.Objects: "bucket", command.Counters: "", command.Services: "", command.Instances: "service", command.Endpoints: "service",
		command.Plugins: "",
	} {
		if kind.Parent() != parent {
			t.Errorf("kind %d is part of a %q, want %q", kind, kind.Parent(), parent)
		}
		if local := kind == command.Contexts || kind == command.Plugins; kind.Remote() == local {
			t.Errorf("kind %d: remote is %v", kind, kind.Remote())
		}
	}
}
