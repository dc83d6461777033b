package render_test

import (
	"time"

	"github.com/natskit/natskit/internal/render"
)

// message is an item of a feed, as the commands that receive messages have it.
type message struct {
	Subject string `json:"subject"`
	Seq     uint64 `json:"seq,omitempty"`
	Body    string `json:"body"`
}

func (m *message) View(p *render.Page) {
	p.Line("[#%d] Received on %q", m.Seq, render.Subject(m.Subject))
	p.Text(m.Body)
}

func (m *message) LineItem() render.LineItem {
	return render.LineItem{
		Subject: m.Subject, Reply: "_INBOX.x", Payload: []byte(m.Body), Number: m.Seq, Size: len(m.Body), Time: time.Unix(1, 5).UTC(),
		Header: func(name string) string {
			if name == "X-N" {
				return "three"
			}
			return ""
		},
	}
}

type messages []message

func (m messages) View(p *render.Page) {
	for i := range m {
		m[i].View(p)
	}
}
