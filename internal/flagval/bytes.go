package flagval

import (
	"fmt"
	"strconv"
	"strings"
)

// byteUnits is what a number of bytes may be followed by, in any case; all are powers of 1024.
var byteUnits = map[string]uint64{
	"": 1, "B": 1,
	"K": 1 << 10, "KB": 1 << 10, "KIB": 1 << 10,
	"M": 1 << 20, "MB": 1 << 20, "MIB": 1 << 20,
	"G": 1 << 30, "GB": 1 << 30, "GIB": 1 << 30,
	"T": 1 << 40, "TB": 1 << 40, "TIB": 1 << 40,
}

const bytesForm = "give a number with an optional unit (B K M G T, also KB or KiB) such as 1024, 64KB or 1.5GB"

// ParseBytes reads a size in bytes: digits and an optional unit in any case, every unit a power of 1024. Fractions go with
// the units above a byte and are cut to whole bytes. Signs, spaces before the unit, unknown units and more than 8 EiB are
// errors.
func ParseBytes(s string) (int64, error) {
	text := strings.TrimSpace(s)
	number, unit, ok := leadingDecimal(text)
	if !ok {
		return 0, fmt.Errorf("invalid size %q: %s", s, bytesForm)
	}
	factor, known := byteUnits[strings.ToUpper(unit)]
	switch {
	case !known && strings.TrimLeft(unit, " \t") != unit:
		return 0, fmt.Errorf("invalid size %q: no space between the number and the unit", s)
	case !known:
		return 0, fmt.Errorf("invalid size %q: unknown unit %q, the units are B K M G T", s, unit)
	case number.fraction && factor == 1:
		return 0, fmt.Errorf("invalid size %q: a fraction of a byte", s)
	}
	n, ok := number.times(factor)
	if !ok {
		return 0, fmt.Errorf("invalid size %q: overflow, the largest is 9223372036854775807 bytes", s)
	}
	return n, nil
}

// Bytes is a flag value: a size in bytes.
type Bytes struct {
	p           *int64
	unlimited   bool
	least, most *int64
}

// NewBytes is a value that sets p.
func NewBytes(p *int64) *Bytes { return &Bytes{p: p} }

// Unlimited takes -1, "unlimited" and the empty text too, and sets -1 for them.
func (v *Bytes) Unlimited() *Bytes { v.unlimited = true; return v }

// Min refuses anything below n bytes.
func (v *Bytes) Min(n int64) *Bytes { v.least = &n; return v }

// Max refuses anything above n bytes, for settings that the server keeps in 32 bits.
func (v *Bytes) Max(n int64) *Bytes { v.most = &n; return v }

// Set parses and stores s.
func (v *Bytes) Set(s string) error {
	if v.unlimited && isUnlimited(s) {
		*v.p = -1
		return nil
	}
	n, err := ParseBytes(s)
	switch {
	case err != nil && v.unlimited:
		return fmt.Errorf("%w, or -1 for no limit", err)
	case err != nil:
		return err
	case v.least != nil && n < *v.least:
		return fmt.Errorf("invalid size %q: must be at least %d bytes", s, *v.least)
	case v.most != nil && n > *v.most:
		return fmt.Errorf("invalid size %q: must be at most %d bytes", s, *v.most)
	}
	*v.p = n
	return nil
}

// String is the present value in bytes; -1 is unlimited.
func (v *Bytes) String() string {
	if v.p == nil {
		return ""
	}
	return strconv.FormatInt(*v.p, 10)
}
