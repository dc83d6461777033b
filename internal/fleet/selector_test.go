package fleet_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/natskit/natskit/internal/fleet"
)

func device() fleet.Info {
	return fleet.Info{ID: "d1", Model: "Pixel", OS: fleet.OS{Name: "Android", Version: "16"}, Memory: 8 << 30, CPUs: 8,
		Labels: map[string]string{"site": "north"}}
}

func TestSelector(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		``:                                         true,
		`os.name == "Android" && memory > 4e9`:     true,
		`os.name == "Android" && memory > 9e9`:     false,
		`labels.site == "north"`:                   true,
		`labels.none == "north"`:                   false,
		`labels["site"] in ["south", "north"]`:     true,
		`cpus >= 4 and not (model contains "pad")`: true,
		`id matches "^x"`:                          false,
	} {
		s, err := fleet.Compile(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := s.Match(device()); got != want || err != nil {
			t.Errorf("%s is %v (%v), want %v", expression, got, err, want)
		}
	}
}

func TestBadExpressionsTellWhere(t *testing.T) {
	t.Parallel()
	for expression, column := range map[string]int{
		`os.name = "x"`:           8,
		`memory > "x"`:            7,
		`os.nmae == "x"`:          3,
		`model`:                   0,
		`cpus > 1 && flavour > 2`: 12,
	} {
		_, err := fleet.Compile(expression)
		bad := (*fleet.BadExpression)(nil)
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v is no BadExpression", expression, err)
		} else if bad.Column != column || bad.Reason == "" {
			t.Errorf("%s: column %d %q, want %d", expression, bad.Column, bad.Reason, column)
		}
	}
}

func TestSubset(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		part, whole string
		want        bool
	}{
		{`{}`, `{"a":1}`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, true},
		{`{"a":1}`, `{"a":2}`, false},
		{`{"a":null}`, `{}`, false},
		{`{"os":{"name":"Android"}}`, `{"os":{"name":"Android","version":"16"}}`, true},
		{`{"os":{"name":"iOS"}}`, `{"os":{"name":"Android"}}`, false},
		{`{"tags":["b"]}`, `{"tags":["a","b"]}`, true},
		{`{"tags":["c"]}`, `{"tags":["a","b"]}`, false},
		{`{"a":{}}`, `{"a":1}`, false},
		{`"x"`, `"x"`, true},
	} {
		var part, whole any
		if err := errors.Join(json.Unmarshal([]byte(row.part), &part), json.Unmarshal([]byte(row.whole), &whole)); err != nil {
			t.Fatal(err)
		}
		if got := fleet.Subset(part, whole); got != row.want {
			t.Errorf("%s in %s: %v", row.part, row.whole, got)
		}
	}
}
