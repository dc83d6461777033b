package fleet

import (
	"errors"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// Selector tells whether an expression selects a device. It is made once and may be used by several goroutines.
// The zero value and the one of an empty expression select every device.
type Selector struct{ program *vm.Program }

// A BadExpression is an expression that does not compile or is no condition.
type BadExpression struct {
	Expr   string
	Column int // characters before the place that is wrong
	Reason string
}

func (e *BadExpression) Error() string { return "expression " + e.Expr + ": " + e.Reason }

// Compile makes a Selector of a condition in the language of expr-lang.org over the JSON names of Info, such as
// os.name == "Android" && memory > 4e9. The types are checked too. The error is a *BadExpression.
func Compile(expression string) (Selector, error) {
	if expression == "" {
		return Selector{}, nil
	}
	program, err := expr.Compile(expression, expr.Env(Info{}), expr.AsBool())
	if err != nil {
		bad := &BadExpression{Expr: expression, Reason: err.Error()}
		if at := (*file.Error)(nil); errors.As(err, &at) {
			bad.Column, bad.Reason = at.Column, at.Message
		}
		return Selector{}, bad
	}
	return Selector{program}, nil
}

// Match says whether the device is selected. An expression can fail on one device alone, by an index out of range for example.
func (s Selector) Match(d Info) (bool, error) {
	if s.program == nil {
		return true, nil
	}
	out, err := expr.Run(s.program, d)
	if err != nil {
		if at := (*file.Error)(nil); errors.As(err, &at) {
			return false, errors.New(at.Message)
		}
		return false, err
	}
	return out.(bool), nil
}

// Subset says whether the JSON value part is contained in whole: objects by their keys, arrays by having each element
// somewhere, everything else by being equal. Both are values as encoding/json decodes them. It is how device_info is filtered.
func Subset(part, whole any) bool {
	switch p := part.(type) {
	case map[string]any:
		w, ok := whole.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range p {
			if other, ok := w[k]; !ok || !Subset(v, other) {
				return false
			}
		}
		return true
	case []any:
		w, ok := whole.([]any)
		if !ok {
			return false
		}
		for _, v := range p {
			if !contains(w, v) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(part, whole)
	}
}

func contains(list []any, part any) bool {
	for _, v := range list {
		if Subset(part, v) {
			return true
		}
	}
	return false
}
