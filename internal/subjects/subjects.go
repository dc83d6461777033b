// Package subjects lists the subjects of a stream. Servers tell them in pages, and gather and sort all of them anew for each page:
// a million take ten times as long as one page does. Where it comes to the same, a consumer reads them in one pass, without the
// messages.
package subjects

import (
	"cmp"
	"context"
	"errors"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
)

const (
	// few is the number of subjects up to which a page costs less than a consumer.
	few = 10_000
	// pageSize is how many subjects a server puts into a page.
	pageSize = 100_000
)

// Lister lists subjects over one connection.
type Lister struct {
	Client    *js.Client
	JetStream jetstream.JetStream
	// Allowed gives a context that ends when the server refuses something.
	Allowed func(context.Context) (context.Context, context.CancelFunc)
	// Names says that counts are not looked at; they may be too small then.
	Names bool
	// Twice says that a subject may be told twice, when it changes meanwhile; not to remember them spares memory.
	Twice bool
	// Few is the number of subjects up to which they are asked for in pages, 0 for the usual one.
	Few int

	ahead int // messages on their way at a time, 0 for the usual number
}

// Each calls each for the subjects of the stream that match filter, with their message counts, each subject once but for Twice, in no
// order that counts. total, which may be nil, is told first how many there may be. An error of each ends the listing.
func (l *Lister) Each(ctx context.Context, stream, filter string, total func(int), each func(subject string, messages uint64) error) error {
	s, err := l.Client.Info(ctx, stream)
	if err != nil {
		return err
	}
	limit := cmp.Or(l.Few, few)
	st := s.State
	if s.StreamInfo.Config.Retention != api.LimitsPolicy || st.NumSubjects <= limit || !l.Names && uint64(st.NumSubjects) != st.Msgs {
		return l.Client.Subjects(ctx, stream, filter, total, each)
	}
	p := &pass{lister: l, stream: s, filter: filter, seen: &set{}, each: each}
	switch filter {
	case "", ">":
		if total != nil {
			total(st.NumSubjects)
		}
		if !l.Twice {
			p.seen.room(st.NumSubjects)
		}
	default:
		// How many match is known with the first page: often that is all.
		if done, err := p.firstPage(ctx, total); done || err != nil {
			return err
		}
	}
	p.seen.full = l.Twice
	err = p.run(ctx)
	var trouble *broken
	if !errors.As(err, &trouble) {
		return err
	}
	return l.Client.Subjects(ctx, stream, filter, nil, p.once)
}
