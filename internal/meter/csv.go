package meter

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"
)

// WriteCSV writes one row a client in the columns of the reference: the latency columns are there when any client measured
// some. MsgCount is the number of messages, MsgBytes the bytes of their payloads and headers, and ClientID the number of the
// client from 0 after P for a side that sends or S for one that receives. There is no row of totals.
func (r *Report) WriteCSV(w io.Writer) error {
	latencies := false
	for _, s := range r.Sides {
		latencies = latencies || s.Total.Latency != nil
	}
	out := csv.NewWriter(w)
	head := []string{"#RunID", "ClientID", "MsgCount", "MsgBytes", "MsgsPerSec", "BytesPerSec", "DurationSecs"}
	if latencies {
		head = append(head, "MinLatencyMicroSecs", "AvgLatencyMicroSecs", "MaxLatencyMicroSecs", "P50LatencyMicroSecs",
			"P90LatencyMicroSecs", "P99LatencyMicroSecs", "P99.9LatencyMicroSecs", "StdDevLatencyMicroSecs")
	}
	rows := [][]string{head}
	for _, s := range r.Sides {
		letter := "P"
		if s.Role == Consumer {
			letter = "S"
		}
		for i, c := range s.Clients {
			row := []string{r.RunID, letter + strconv.Itoa(i), strconv.FormatInt(c.Messages, 10), strconv.FormatInt(c.Bytes, 10),
				float(c.Rate), float(c.BytesPerSecond), seconds(c.Duration)}
			if latencies {
				row = append(row, c.Latency.columns()...)
			}
			rows = append(rows, row)
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("csv: %w", err)
	}
	return nil
}

func (l *Latency) columns() []string {
	if l == nil {
		return make([]string, 8)
	}
	us := func(d time.Duration) string { return float(float64(d) / 1000) }
	return []string{us(l.Min), float(l.Avg / 1000), us(l.Max), us(l.P50), us(l.P90), us(l.P99), us(l.P999), float(l.Stddev / 1000)}
}

func float(f float64) string { return strconv.FormatFloat(f, 'f', 6, 64) }
