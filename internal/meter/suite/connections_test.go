//go:build unix

package suite

import "fmt"

// connections says what a thousand connections take in the process of the benchmark.
func (s *suite) connections() {
	const many = 1000
	one := s.bench(s.ours, line{args: "pub suite", msgs: 500_000, size: 16})
	all := s.bench(s.ours, line{args: fmt.Sprintf("pub suite --clients %d", many), msgs: 500_000, size: 16})
	sub := s.bench(s.ours, line{args: fmt.Sprintf("pubsub suite --subscribers %d", many), msgs: 1000, size: 16})
	fmt.Printf("\n| connections | msgs/s | MiB resident | MiB for each more |\n|---|---:|---:|---:|\n")
	for _, r := range []struct {
		name string
		figures
		n int
	}{{"1 publisher", one, 0}, {fmt.Sprintf("%d publishers", many), all, many - 1}, {fmt.Sprintf("1 publisher, %d subscribers", many), sub, many}} {
		if r.fail != "" {
			s.t.Errorf("%s: %s", r.name, r.fail)
			continue
		}
		each := ""
		if r.n > 0 {
			each = fmt.Sprintf("%.2f", mib(r.rss-one.rss)/float64(r.n))
		}
		fmt.Printf("| %s | %s | %.1f | %s |\n", r.name, whole(r.rate), mib(r.rss), each)
	}
}
