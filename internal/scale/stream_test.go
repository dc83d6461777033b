package scale

import (
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func BenchmarkStreams(b *testing.B) { streams(newSite(b)) }
func TestStreams(t *testing.T)      { streams(newSite(t)) }

// streams lists, reports and searches ten thousand streams.
func streams(s *site) {
	n := scaled(10_000)
	next := make(chan int)
	var makers sync.WaitGroup
	for range 8 {
		makers.Go(func() {
			for i := range next {
				cfg := jetstream.StreamConfig{Name: fmt.Sprintf("STREAM_%05d", i), Subjects: []string{fmt.Sprintf("some.%05d.>", i)}, Storage: jetstream.MemoryStorage}
				if _, err := s.js.CreateStream(s.tb.Context(), cfg); err != nil {
					s.tb.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	makers.Wait()
	s.cost("ls", s.run(nil, nil, "stream", "ls"), 150)
	s.cost("ls-names", s.run(nil, nil, "stream", "ls", "-n"), 150)
	s.cost("ls-details", s.run(nil, nil, "stream", "ls", "--details", "--json"), 300)
	s.cost("report", s.run(nil, nil, "stream", "report"), 150)
	s.cost("find", s.run(nil, nil, "stream", "find", "--expression", "config.name endsWith '7'", "-n"), 150)
	s.cost("find-subject", s.run(nil, nil, "stream", "find", "--subject", "some.00007.>", "-n"), 60)
}

func BenchmarkSubjects(b *testing.B) { subjects(newSite(b)) }
func TestSubjects(t *testing.T)      { subjects(newSite(t)) }

// subjects lists a million subjects of a stream.
func subjects(s *site) {
	n := scaled(1_000_000)
	s.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"some.>"}})
	s.fill("some.subject.%07d", n, 16)
	s.cost("subjects", s.run(nil, nil, "stream", "subjects", "S"), 150)
	s.cost("subjects-names", s.run(nil, nil, "stream", "subjects", "S", "--names"), 150)
	s.cost("subjects-unsorted", s.run(nil, nil, "stream", "subjects", "S", "--sort", "none"), 80) // the process itself, 8 MB that tell which were listed, and as much before they are collected
	s.cost("subjects-json", s.run(nil, nil, "stream", "subjects", "S", "--json"), 150)
}

func BenchmarkSearch(b *testing.B) { search(newSite(b)) }
func TestSearch(t *testing.T)      { search(newSite(t)) }

// search reads five million messages of 128 bytes, for what is in none of them and to print them all.
func search(s *site) {
	n := scaled(5_000_000)
	s.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"some"}})
	s.fill("some", n, 128)
	bare := s.bareRead("S", n)
	grep := s.run(nil, nil, "stream", "grep", "S", "needle[0-9]+")
	s.share("grep", grep, bare)
	s.cost("grep", grep, 100)
	cat := s.run(nil, nil, "stream", "cat", "S")
	s.share("cat", cat, bare)
	s.cost("cat", cat, 100)
	raw := s.run(nil, nil, "stream", "cat", "S", "--raw")
	s.share("cat-raw", raw, bare)
	s.cost("cat-raw", raw, 100)
}
