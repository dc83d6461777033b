package stream

import (
	"strconv"

	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// subjectWriter writes subjects row by row: as the lines of a text, or as one JSON document.
type subjectWriter struct {
	out   *render.Renderer
	names bool
	json  bool
	// visible says that it is a terminal that is written to, which must not be told what to do.
	visible bool
	rows    int
	line    []byte
}

// add writes one row; the first is on its way at once.
func (w *subjectWriter) add(r subjectRow) error {
	w.rows++
	w.line = w.line[:0]
	if w.visible {
		r.subject = term.Visible(r.subject, false)
	}
	switch {
	case w.json:
		if w.rows > 1 {
			w.line = append(w.line, ',')
		} else {
			w.line = append(w.line, w.brackets()[0])
		}
		w.line = appendSubject(append(w.line, "\n  "...), r, w.names, " ")
	case w.names:
		w.line = append(append(w.line, r.subject...), '\n')
	default:
		w.line = append(append(w.line, r.subject...), ": "...)
		w.line = append(append(w.line, render.HumaneCount(r.count)...), '\n')
	}
	if _, err := w.out.Bytes().Write(w.line); err != nil {
		return err
	}
	if w.rows == 1 {
		return w.out.Flush()
	}
	return nil
}

// end writes what stands behind the last row.
func (w *subjectWriter) end() error {
	if w.json {
		if _, err := w.out.Bytes().Write([]byte{'\n', w.brackets()[1], '\n'}); err != nil {
			return err
		}
	}
	return w.out.Flush()
}

func (w *subjectWriter) brackets() string {
	if w.names {
		return "[]"
	}
	return "{}"
}

// appendSubject appends a member of the JSON object, or with names alone an element of the list.
func appendSubject(dst []byte, r subjectRow, names bool, space string) []byte {
	dst = render.AppendJSONString(dst, r.subject)
	if names {
		return dst
	}
	return strconv.AppendUint(append(append(dst, ':'), space...), r.count, 10)
}
