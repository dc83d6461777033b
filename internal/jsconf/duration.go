package jsconf

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/jsm.go"
)

// ParseDuration reads concatenated numbers with units: ns us µs ms s m h, d (24h), w (7d), M (30d), y (365d), or a bare 0.
// Unlike the library's it refuses anything between, before or after them, and what does not fit.
func ParseDuration(text string) (time.Duration, error) {
	s := strings.TrimSpace(text)
	if s == "0" || s == "-0" {
		return 0, nil
	}
	if !regexp.MustCompile(`^[-+]?(\d+(\.\d+)?(ns|us|µs|μs|ms|s|m|h|d|D|w|W|M|y|Y))+$`).MatchString(s) {
		return 0, fmt.Errorf("%q is no duration: write 90s, 1h30m or 7d", text)
	}
	d, err := jsm.ParseDuration(strings.ReplaceAll(strings.ReplaceAll(s, "μ", "u"), "µ", "u"))
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: %w", text, err)
	}
	return d, nil
}
