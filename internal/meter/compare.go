package meter

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
)

// Comparison is two reports side by side.
type Comparison struct {
	Bench    string   `json:"bench"`
	Before   string   `json:"before"` // run ids
	After    string   `json:"after"`
	Rows     []Figure `json:"rows"`
	Warnings []string `json:"warnings"` // ways in which the runs are not alike
	Failed   []string `json:"failed"`   // conditions that hold, each with its figures
}

// Figure is one metric in both reports.
type Figure struct {
	Metric  string   `json:"metric"`
	Unit    string   `json:"unit,omitempty"`
	Before  float64  `json:"before"`
	After   float64  `json:"after"`
	Percent *float64 `json:"change_percent"` // null when the older figure is 0 and the newer is not
	Better  int      `json:"better"`         // 1 when the newer is better, -1 when it is worse, 0 when they are equal
}

// Compare puts b beside a, the older, and tests the conditions. A condition on a figure that one of the reports does not
// have is an error: a test that can't fail is no test.
func Compare(a, b *Report, conditions []Condition) (*Comparison, error) {
	if a.Bench != b.Bench {
		return nil, fmt.Errorf("the reports are of different benchmarks: %s and %s", a.Bench, b.Bench)
	}
	if len(a.Sides) != len(b.Sides) {
		return nil, fmt.Errorf("the reports have %d and %d sides", len(a.Sides), len(b.Sides))
	}
	c := &Comparison{Bench: a.Bench, Before: a.RunID, After: b.RunID, Warnings: []string{}, Failed: []string{}}
	for i := range a.Sides {
		for _, name := range Metrics() {
			if f, ok := figure(prefix(a, i)+name, name, &a.Sides[i], &b.Sides[i]); ok {
				c.Rows = append(c.Rows, f)
			}
		}
	}
	c.Warnings = append(c.Warnings, unlike(a, b)...)
	for _, cond := range conditions {
		f, err := find(a, b, cond)
		if err != nil {
			return nil, err
		}
		if text, hit := f.test(cond); hit {
			c.Failed = append(c.Failed, text)
		}
	}
	return c, nil
}

// prefix tells the sides of a run with several apart.
func prefix(r *Report, i int) string {
	if len(r.Sides) == 1 {
		return ""
	}
	if r.Sides[i].Role == Consumer {
		return "sub."
	}
	return "pub."
}

func figure(shown, name string, a, b *Side) (Figure, bool) {
	m, _ := lookup(name)
	before, okA := m.of(a)
	after, okB := m.of(b)
	if !okA || !okB {
		return Figure{}, false
	}
	f := Figure{Metric: shown, Unit: m.unit, Before: before, After: after}
	switch {
	case after > before:
		f.Better = m.better
	case after < before:
		f.Better = -m.better
	}
	if before != 0 {
		p := (after - before) / before * 100
		f.Percent = &p
	} else if after == 0 {
		p := 0.0
		f.Percent = &p
	}
	return f, true
}

// find is the figure that a condition is about: without a side's name that of the last side which has it.
func find(a, b *Report, c Condition) (Figure, error) {
	for i := len(a.Sides) - 1; i >= 0; i-- {
		side, name := splitSide(c.Metric)
		if side != "" && a.Sides[i].Role != side {
			continue
		}
		if f, ok := figure(c.Metric, name, &a.Sides[i], &b.Sides[i]); ok {
			return f, nil
		}
	}
	return Figure{}, fmt.Errorf("condition %q: the reports do not both have %s", c.Text, c.Metric)
}

func (f Figure) test(c Condition) (string, bool) {
	v := f.After
	switch {
	case c.Relative && f.Percent == nil:
		v = math.Inf(1) // from nothing to something is more than any percentage
	case c.Relative:
		v = *f.Percent
	case c.Change:
		v = f.After - f.Before
	}
	if !c.holds(v) {
		return "", false
	}
	return fmt.Sprintf("%s: %s went from %s to %s (%s)", c.Text, f.Metric, f.Text(f.Before), f.Text(f.After), f.ChangeText()), true
}

// Text writes a value of the figure with its unit for people.
func (f Figure) Text(v float64) string {
	switch f.Unit {
	case "ns":
		return Brief(time.Duration(v))
	case "B/s":
		return IEC(v) + "/s"
	case "/s":
		return rate(v) + "/s"
	}
	return Commas(int64(v))
}

// ChangeText writes the change in percent with its sign.
func (f Figure) ChangeText() string {
	if f.Percent == nil {
		return "new"
	}
	return fmt.Sprintf("%+.1f%%", *f.Percent)
}

// unlike lists what differs between the runs besides their figures.
func unlike(a, b *Report) []string {
	var out []string
	keys := map[string]bool{}
	for k := range a.Config {
		keys[k] = true
	}
	for k := range b.Config {
		keys[k] = true
	}
	for k := range keys {
		if va, vb := a.Config[k], b.Config[k]; !reflect.DeepEqual(va, vb) {
			out = append(out, fmt.Sprintf("%s differs: %v and %v", k, shown(va), shown(vb)))
		}
	}
	slices.Sort(out)
	for _, p := range [][3]string{
		{"engine", a.Engines(), b.Engines()},
		{"machine", fmt.Sprintf("%s/%s %d CPUs", a.Host.OS, a.Host.Arch, a.Host.CPUs), fmt.Sprintf("%s/%s %d CPUs", b.Host.OS, b.Host.Arch, b.Host.CPUs)},
		{"server", a.Host.Server, b.Host.Server},
		{"outcome", string(a.Outcome), string(b.Outcome)},
	} {
		if p[1] != p[2] {
			out = append(out, fmt.Sprintf("%s differs: %s and %s", p[0], p[1], p[2]))
		}
	}
	return out
}

func shown(v any) any {
	if v == nil {
		return "unset"
	}
	return v
}
