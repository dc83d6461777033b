package asking

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestAnswerLooks(t *testing.T) {
	text := "body"
	viewtest.Golden(t, "answer", &Answer{
		Request: 1, Subject: "_INBOX.a", Headers: nats.Header{"B": {"2"}, "A": {"1"}}, RTT: 1500 * time.Microsecond, Size: 4, Data: &text, Time: viewtest.Now, body: []byte(text),
	})
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	var all []time.Duration
	for i := 200; i >= 1; i-- {
		all = append(all, time.Duration(i))
	}
	if got, want := fmt.Sprint(summarize(all)), fmt.Sprint(trips{1, 100, 198, 200}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := fmt.Sprint(summarize(all[:1])), fmt.Sprint(trips{200, 200, 200, 200}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
