package meter

import (
	"fmt"
	"io"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies is the distribution of all latencies of a side, or nil: that of the last side which has one, the receiving one
// where both do.
func (r *Report) Latencies() *Latency {
	for i := len(r.Sides) - 1; i >= 0; i-- {
		if l := r.Sides[i].Total.Latency; l != nil && l.Hist != nil && l.Hist.h != nil {
			return l
		}
	}
	return nil
}

// WriteHDR writes the latencies of the run for the tools around HdrHistogram. A name ending in .hgrm gives the table of
// percentiles in microseconds; any other the log format, one encoded interval for the whole run, in nanoseconds.
func (r *Report) WriteHDR(w io.Writer, name string) error {
	l := r.Latencies()
	if l == nil {
		return fmt.Errorf("hdr %s: the run measured no latencies", name)
	}
	if strings.HasSuffix(name, ".hgrm") {
		if _, err := l.Hist.h.PercentilesPrint(w, 5, 1000); err != nil {
			return fmt.Errorf("hdr %s: %w", name, err)
		}
		return nil
	}
	h := l.Hist.h.Clone()
	start := r.Started.UnixMilli()
	h.SetStartTimeMs(start)
	h.SetEndTimeMs(start + r.Sides[len(r.Sides)-1].Total.Duration.Milliseconds())
	log := hdrhistogram.NewHistogramLogWriter(w)
	log.SetBaseTime(0)
	for _, step := range []func() error{
		func() error { return log.OutputComment("[nats bench " + r.Bench + ": latency from " + l.Covers + "]") },
		log.OutputLogFormatVersion,
		func() error { return log.OutputStartTime(start) },
		log.OutputLegend,
		func() error { return log.OutputIntervalHistogram(h) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("hdr %s: %w", name, err)
		}
	}
	return nil
}
