package crew

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/payload"
)

// Source makes the messages of one publisher: their subjects, sizes and bodies.
type Source struct {
	base    int // length of the subject without its number
	subject []byte
	digits  int
	multi   Multi
	body    []byte
	low     int64 // smallest size
	vary    int64 // sizes from low to low+vary
	offset  int64
	step    int64
	stamp   bool
	id      uint32
	random  *mathrand.Rand
	headers *payload.HeaderTemplate
	values  payload.Values
}

// NewSource makes the messages of the publisher w. An error is that of a template in a header.
func NewSource(spec *Spec, w *Worker) (*Source, error) {
	headers, err := payload.CompileHeader(spec.Header, payload.ForPublish)
	if err != nil {
		return nil, err
	}
	s := &Source{multi: spec.Multi, stamp: spec.Stamp, id: meter.PublisherID(spec.FirstPublisher, spec.FirstClient+w.Index), low: spec.Size, headers: headers, offset: w.Share.Offset, step: 1}
	if !spec.Bounded() { // nobody knows how many each will send: they take turns
		s.offset, s.step = int64(spec.FirstClient+w.Index), int64(spec.All())
	}
	s.random = mathrand.New(mathrand.NewPCG(uint64(s.id), mathrand.Uint64()))
	s.subject = []byte(spec.Subject)
	if s.multi.On {
		s.subject = append(s.subject, '.')
		if s.multi.Max > 0 {
			s.digits = len(strconv.FormatInt(s.multi.Max, 10))
		}
	}
	s.base = len(s.subject)
	s.vary = max(spec.SizeMax-spec.Size, 0)
	if len(spec.Payload) > 0 {
		s.low, s.vary = int64(len(spec.Payload)), 0
		s.body = append([]byte(nil), spec.Payload...)
		return s, nil
	}
	s.body = make([]byte, s.low+s.vary)
	if spec.Random {
		_, _ = rand.Read(s.body) // never fails
	}
	return s, nil
}

// Constant reports that all messages are the same bytes.
func (s *Source) Constant() bool {
	return !s.multi.On && !s.stamp && s.vary == 0 && s.headers.Literal()
}

// stampOnly reports that messages differ in their stamps alone.
func (s *Source) stampOnly() bool {
	return s.stamp && !s.multi.On && s.vary == 0 && s.headers.Literal()
}

// Header is the header of this publisher's message i, nil without one. Count in its templates is the number of the message among
// those of all publishers, from 1.
func (s *Source) Header(i int64) (nats.Header, error) {
	s.values.Next(int(s.offset + i*s.step + 1))
	return s.headers.Expand(&s.values)
}

// SubjectOf is the subject of this publisher's message i; it is valid until the next call.
func (s *Source) SubjectOf(i int64) []byte {
	if !s.multi.On {
		return s.subject
	}
	n := s.offset + i*s.step
	switch {
	case s.multi.Random && s.multi.Max > 0:
		n = s.random.Int64N(s.multi.Max)
	case s.multi.Random:
		n = s.random.Int64()
	case s.multi.Max > 0:
		n %= s.multi.Max
	}
	s.subject = s.subject[:s.base]
	for width, left := 1, n; width < s.digits; width++ {
		if left /= 10; left == 0 {
			s.subject = append(s.subject, '0')
		}
	}
	s.subject = strconv.AppendInt(s.subject, n, 10)
	return s.subject
}

// BodyOf is the body of message i, stamped with sent (nanoseconds since 1970) where bodies are stamped; it is valid until the
// next call.
func (s *Source) BodyOf(i, sent int64) []byte {
	b := s.body
	if s.vary > 0 {
		b = b[:s.low+s.random.Int64N(s.vary+1)]
	}
	if s.stamp {
		meter.PutStamp(b, sent, s.id, uint64(i))
	}
	return b
}

// Subscription is the subject that receives what publishers of the spec send.
func (s *Spec) Subscription() string {
	if s.Multi.On {
		return s.Subject + ".*"
	}
	return s.Subject
}
