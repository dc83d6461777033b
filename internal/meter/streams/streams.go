// Package streams is the part of load that works on streams and key-value buckets: it publishes to them and reads from them.
package streams

import (
	"context"
	"fmt"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
)

// Prepared readies what a run needs on the server, before its clients connect; the function it returns undoes what it made.
type Prepared func(context.Context, *meter.Report) (cleanup func(), err error)

// group adds to a crew what runs on streams have in common.
type group struct{ *crew.Group }

// Plan adds the clients of a run on a stream or bucket to cg, k being the kind that its spec names, and says what has to be
// ready before they start. A kind that is not of streams is an error.
func Plan(cg *crew.Group, k crew.Kind, clients int) (Prepared, error) {
	g := &group{cg}
	switch g.Spec.Kind {
	case crew.ModeSync, crew.ModeAsync, crew.ModeAtomic, crew.ModeFast:
		g.Add(k, g.Spec.Engine, clients, g.Spec.Messages, func(ctx context.Context, w *crew.Worker) error { return crew.PublishTo(ctx, w, dialStore) })
		return g.prepareStream, nil
	case "js consume":
		return g.consumers(k, clients, (*reader).consumeWork, g.prepareConsumer), nil
	case "js fetch":
		return g.consumers(k, clients, (*reader).fetchWork, g.prepareConsumer), nil
	case "oldjs ordered", "oldjs push", "oldjs pull":
		return g.consumers(k, clients, (*reader).oldWork, g.prepareOld), nil
	case "js ordered":
		return g.consumers(k, clients, (*reader).orderedWork, g.prepareReading), nil
	case "js get sync":
		return g.consumers(k, clients, (*reader).getWork, g.prepareReading), nil
	case "js get batch":
		return g.consumers(k, clients, (*reader).getBatchWork, g.prepareReading), nil
	case "kv get":
		return g.consumers(k, clients, (*reader).kvGetWork, g.prepareBucket), nil
	case "kv put":
		g.Add(k, crew.NatsGo, clients, g.Spec.Messages, func(ctx context.Context, w *crew.Worker) error { return crew.PublishTo(ctx, w, dialPutter) })
		return g.prepareBucket, nil
	}
	return nil, fmt.Errorf("there is no benchmark %q", g.Spec.Kind)
}
