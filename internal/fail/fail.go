// Package fail owns the kinds of failure, the exit code of each, and the hints that go with them.
package fail

import (
	"context"
	"errors"
	"fmt"
)

// Code is the exit status of the process; Table says what each one means.
type Code int

// The exit codes. They are a contract with scripts: new ones may be added, none changes its meaning.
const (
	OK          Code = 0
	Failure     Code = 1
	Usage       Code = 2
	Unreachable Code = 3
	NotFound    Code = 4
	NoAnswer    Code = 5
	Declined    Code = 6
	Partial     Code = 7
	Interrupted Code = 130
	Terminated  Code = 143
)

// Row describes one exit code for the documentation and for JSON errors.
type Row struct {
	Code    Code   `json:"code"`
	Kind    string `json:"kind"`
	Meaning string `json:"meaning"`
	From    string `json:"from"`
}

// Table is the list of exit codes, the only one: documentation and tests read it.
var Table = []Row{
	{OK, "ok", "done (also: the reader of our pipe went away)", "no error, EPIPE"},
	{Failure, "failure", "the operation failed", "anything not listed below"},
	{Usage, "usage", "the command line is wrong, or input is missing and there is no terminal to ask on", "parsing, checks, missing answers"},
	{Unreachable, "unreachable", "no connection, or not allowed", "no servers, authorisation, TLS, DNS, permissions"},
	{NotFound, "not_found", "the named thing does not exist", "stream, consumer, bucket, key, object, message, service, context"},
	{NoAnswer, "no_answer", "nobody answered in time", "timeouts, no responders"},
	{Declined, "declined", "you said no", "a declined confirmation"},
	{Partial, "partial", "part of it worked", "some servers silent, some messages lost, some streams failed"},
	{Interrupted, "interrupted", "interrupted before the work was done", "SIGINT"},
	{Terminated, "terminated", "terminated before the work was done", "SIGTERM, SIGHUP"},
}

// Kind is the word that JSON errors carry for the code; an unlisted code is a "failure".
func (c Code) Kind() string {
	for _, r := range Table {
		if r.Code == c {
			return r.Kind
		}
	}
	return "failure"
}

// Error is a failure with its exit code and what the user might type next.
type Error struct {
	Code Code
	Err  error
	Hint string
}

// Error is the text without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// WithHint returns e with the line that would help; it names something to type.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// Newf makes an error of the given code; %w wraps as in fmt.Errorf.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// Usagef is a command line that cannot be carried out as it stands.
func Usagef(format string, args ...any) *Error { return Newf(Usage, format, args...) }

// NotFoundf is a named thing that does not exist.
func NotFoundf(format string, args ...any) *Error { return Newf(NotFound, format, args...) }

// Partialf is work of which only a part was done.
func Partialf(format string, args ...any) *Error { return Newf(Partial, format, args...) }

// Hint adds a hint to any error and keeps its code.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Code: CodeOf(err), Err: err, Hint: fmt.Sprintf(format, args...)}
}

// HintOf is the outermost hint in the chain of err, else what is known to help against an error of the libraries, or empty.
func HintOf(err error) string {
	for inner := err; inner != nil; {
		var e *Error
		if !errors.As(inner, &e) {
			break
		}
		if e.Hint != "" {
			return e.Hint
		}
		inner = e.Err
	}
	if err == nil {
		return ""
	}
	return wayOut(err)
}

// The causes with which the process cancels a command's context.
var (
	ErrInterrupted = &Error{Code: Interrupted, Err: errors.New("interrupted")}
	ErrTerminated  = &Error{Code: Terminated, Err: errors.New("terminated")}
)

// Difference is the end of a dry run or a diff that found something: exit code 1 and nothing to say on stderr.
var ErrDifference = &Error{Code: Failure, Err: errors.New("there are differences")}

// IsSilent reports whether the result already said all there is to say, so that no error line is printed.
func IsSilent(err error) bool {
	var s *silent
	return errors.Is(err, ErrDifference) || errors.As(err, &s)
}

type silent struct{ code Code }

func (s *silent) Error() string { return "exit code " + fmt.Sprint(int(s.code)) }

// Silently ends the process with code and no error line: for commands whose output already is the verdict, such as monitoring checks.
func Silently(code Code) error {
	if code == OK {
		return nil
	}
	return &Error{Code: code, Err: &silent{code}}
}

// Ended is for commands whose normal end is an interrupt: it is nil when ctx was cancelled by a signal, else err.
func Ended(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrInterrupted) || errors.Is(cause, ErrTerminated) {
		return nil
	}
	return err
}
