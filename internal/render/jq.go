package render

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/itchyny/gojq"

	"github.com/natskit/natskit/internal/fail"
)

func compileJQ(expression string) (*gojq.Code, error) {
	query, err := gojq.Parse(expression)
	if err != nil {
		return nil, fail.Usagef("jq expression %q: %w", expression, err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, fail.Usagef("jq expression %q: %w", expression, err)
	}
	return code, nil
}

// renderJQ writes each result of the expression on a line, strings without quotes.
func (r *Renderer) renderJQ(b *bytes.Buffer, v Viewer) error {
	t, err := r.tree(v)
	if err != nil {
		return err
	}
	results := r.jq.Run(t)
	for {
		v, ok := results.Next()
		if !ok {
			return nil
		}
		if err, ok := v.(error); ok {
			var halt *gojq.HaltError
			if errors.As(err, &halt) && halt.Value() == nil {
				return nil
			}
			return fmt.Errorf("jq expression %q: %w", r.o.Format.Arg, err)
		}
		if s, ok := v.(string); ok {
			b.WriteString(s)
		} else {
			text, err := gojq.Marshal(v)
			if err != nil {
				return fmt.Errorf("jq expression %q: %w", r.o.Format.Arg, err)
			}
			b.Write(text)
		}
		b.WriteByte('\n')
	}
}
