package contexts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// BrokenError is a file that is there and cannot be read as what it should be, with the place where it goes wrong.
type BrokenError struct {
	What   string // what the file is, such as `context "prod"`
	Path   string // the file
	Line   int    // from 1; 0 when the place is not known
	Column int    // in bytes, from 1
	Err    error  // what is wrong there
}

// Error reads `context "prod": /path/prod.json:3:14: invalid character …`.
func (e *BrokenError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s: %v", e.What, e.Path, e.Err)
	}
	return fmt.Sprintf("%s: %s:%d:%d: %v", e.What, e.Path, e.Line, e.Column, e.Err)
}

// Unwrap gives the JSON error to errors.As.
func (e *BrokenError) Unwrap() error { return e.Err }

// broken locates err, which came from decoding data, in the file at path.
func broken(what, path string, data []byte, err error) *BrokenError {
	b := &BrokenError{What: what, Path: path, Err: err}
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		b.Err = errors.New("the file is empty")
		return b
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
		if kind.Field != "" {
			// The library's own text may quote the value, which may be a secret.
			b.Err = fmt.Errorf("%q must be a %s, not a %s", kind.Field, kindName(kind.Type), strings.Fields(kind.Value)[0])
		}
	default:
		return b
	}
	before := data[:min(max(offset-1, 0), int64(len(data)))]
	b.Line = 1 + bytes.Count(before, []byte{'\n'})
	b.Column = len(before) - bytes.LastIndexByte(before, '\n')
	return b
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list"
	case reflect.String:
		return "string"
	}
	return t.String()
}
