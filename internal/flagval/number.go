package flagval

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ParseInt reads a whole number in base 10, exact to 64 bits, with an optional minus. Fractions, exponents, other bases and
// digit separators are errors; least and most bound it.
func ParseInt(s string, least, most int64) (int64, error) {
	text := strings.TrimSpace(s)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.HasPrefix(text, "+") || n < least || n > most {
		return 0, badNumber(s, err, strconv.FormatInt(least, 10), strconv.FormatInt(most, 10), least == math.MinInt64, most == math.MaxInt64)
	}
	return n, nil
}

// ParseUint is ParseInt for numbers that are not negative.
func ParseUint(s string, least, most uint64) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil || n < least || n > most {
		return 0, badNumber(s, err, strconv.FormatUint(least, 10), strconv.FormatUint(most, 10), false, most == math.MaxUint64)
	}
	return n, nil
}

func badNumber(s string, err error, least, most string, noLeast, noMost bool) error {
	wanted := "give a whole number"
	switch {
	case !noLeast && !noMost:
		wanted += " from " + least + " to " + most
	case !noLeast:
		wanted += " from " + least + " on"
	case !noMost:
		wanted += " up to " + most
	case errors.Is(err, strconv.ErrRange):
		wanted += " of at most 64 bits"
	}
	return fmt.Errorf("invalid number %q: %s", s, wanted)
}

// Whole is a validator for fisk's own Int64Var and Uint64Var, which alone would take 0x10, 010 for eight and 1_000. Use it
// where the command model must go on saying "integer"; otherwise NewInt64.
func Whole(least, most int64) func(string) error {
	return func(s string) error {
		n, err := ParseInt(s, least, most)
		if err == nil && strconv.FormatInt(n, 10) != s {
			err = fmt.Errorf("invalid number %q: write it as %d", s, n)
		}
		return err
	}
}

// Int64 is a flag value: a whole number.
type Int64 struct {
	p           *int64
	least, most int64
}

// NewInt64 is a value that sets p.
func NewInt64(p *int64) *Int64 { return &Int64{p: p, least: math.MinInt64, most: math.MaxInt64} }

// Min refuses anything below n.
func (v *Int64) Min(n int64) *Int64 { v.least = n; return v }

// Max refuses anything above n.
func (v *Int64) Max(n int64) *Int64 { v.most = n; return v }

// Set parses and stores s.
func (v *Int64) Set(s string) error {
	n, err := ParseInt(s, v.least, v.most)
	if err == nil {
		*v.p = n
	}
	return err
}

// String is the present value.
func (v *Int64) String() string {
	if v.p == nil {
		return ""
	}
	return strconv.FormatInt(*v.p, 10)
}

// Uint64 is a flag value: a whole number that is not negative.
type Uint64 struct {
	p           *uint64
	least, most uint64
}

// NewUint64 is a value that sets p.
func NewUint64(p *uint64) *Uint64 { return &Uint64{p: p, most: math.MaxUint64} }

// Min refuses anything below n.
func (v *Uint64) Min(n uint64) *Uint64 { v.least = n; return v }

// Max refuses anything above n.
func (v *Uint64) Max(n uint64) *Uint64 { v.most = n; return v }

// Set parses and stores s.
func (v *Uint64) Set(s string) error {
	n, err := ParseUint(s, v.least, v.most)
	if err == nil {
		*v.p = n
	}
	return err
}

// String is the present value.
func (v *Uint64) String() string {
	if v.p == nil {
		return ""
	}
	return strconv.FormatUint(*v.p, 10)
}

// ExistingFile is a flag value: the path of a file that can be found now. A leading ~/ is the user's home.
type ExistingFile struct{ p *string }

// NewExistingFile is a value that sets p to the path.
func NewExistingFile(p *string) *ExistingFile { return &ExistingFile{p} }

// Set checks and stores s.
func (v *ExistingFile) Set(s string) error {
	path := s
	if strings.HasPrefix(s, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return fmt.Errorf("path '%s': %w", s, err)
		}
		path = filepath.Join(home, s[2:])
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("path '%s' does not exist", s)
	case err != nil:
		return fmt.Errorf("path '%s' cannot be read: %w", s, errors.Unwrap(err))
	case info.IsDir():
		return fmt.Errorf("path '%s' is a directory, a file is wanted", s)
	}
	*v.p = path
	return nil
}

// String is the present path.
func (v *ExistingFile) String() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}
