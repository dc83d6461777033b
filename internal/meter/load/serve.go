package load

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/wire"
)

// The service that answers requests, as service discovery shows it.
const (
	serviceName    = "nats-bench-service"
	serviceVersion = "1.0.0"
	serviceAbout   = "answers the requests of nats bench service request"
	serviceGroup   = "q"
)

var okReply = []byte("ok")

// serve is the work of a service server: it answers until it is stopped.
func serve(ctx context.Context, w *crew.Worker) error {
	s := &server{w: w, spec: w.Group.Spec}
	if s.spec.Engine == crew.NatsGo {
		return s.natsGo(ctx)
	}
	return s.wire(ctx)
}

type server struct {
	w    *crew.Worker
	spec *crew.Spec

	id      string
	began   time.Time
	handled int64
	busy    time.Duration
	out     *wire.Writer
	sids    map[int]string // of the discovery subscriptions: their verb
	work    int            // sid of the endpoint
	unread  int64          // requests of the read under way
	size    int64
}

// wire answers with the wire engine, discovery included.
func (s *server) wire(ctx context.Context) error {
	c, err := s.w.Group.DialWire(ctx)
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", s.w.Number(), err)
	}
	defer func() {
		st := c.Stats()
		s.w.Extra.WireBytes = int64(st.InBytes + st.OutBytes)
		_ = c.Close()
	}()
	s.id, s.began, s.sids, s.out = nuid.Next(), time.Now().UTC(), map[int]string{}, c.Writer()
	for _, verb := range []micro.Verb{micro.PingVerb, micro.InfoVerb, micro.StatsVerb} {
		for _, name := range [][2]string{{"", ""}, {serviceName, ""}, {serviceName, s.id}} {
			subject, err := micro.ControlSubject(verb, name[0], name[1])
			if err != nil {
				return err
			}
			sid, err := c.Subscribe(subject, "")
			if err != nil {
				return err
			}
			s.sids[sid] = verb.String()
		}
	}
	if s.work, err = c.Subscribe(s.spec.Subject, serviceGroup); err != nil {
		return fmt.Errorf("subscribing to %s: %w", s.spec.Subject, err)
	}
	if err := c.Ping(ctx); err != nil {
		return fmt.Errorf("subscribing to %s: %w", s.spec.Subject, err)
	}
	s.w.Set(meter.Serving)
	if err := s.w.Ready(ctx); err != nil {
		return err
	}
	err = c.Read(ctx, wire.Handler{
		Msg: func(m *wire.Msg) error { return s.answer(ctx, m) },
		Idle: func() error {
			s.settle()
			return s.out.Flush()
		},
	})
	s.settle()
	return err
}

// answer replies to one message. Replies are written together when all that arrived has been answered.
func (s *server) answer(ctx context.Context, m *wire.Msg) error {
	if m.Sid != s.work {
		if len(m.Reply) == 0 {
			return nil
		}
		body, err := json.Marshal(s.discovery(s.sids[m.Sid]))
		if err != nil {
			return err
		}
		return s.out.PubBytes(m.Reply, nil, nil, body)
	}
	if s.spec.Sleep > 0 {
		if err := s.out.Flush(); err != nil {
			return err
		}
		before := time.Now()
		if err := crew.Pause(ctx, s.spec.Sleep); err != nil {
			return err
		}
		s.busy += time.Since(before)
	}
	s.unread++
	s.size += int64(len(m.Header) + len(m.Payload))
	if len(m.Reply) == 0 {
		return nil
	}
	return s.out.PubBytes(m.Reply, nil, nil, okReply)
}

// settle counts what was answered since the last time.
func (s *server) settle() {
	if s.unread > 0 {
		s.handled += s.unread
		s.w.Add(s.unread, s.size, s.w.Run().Now())
		s.unread, s.size = 0, 0
	}
}

func (s *server) discovery(verb string) any {
	id := micro.ServiceIdentity{Name: serviceName, ID: s.id, Version: serviceVersion, Metadata: map[string]string{}}
	switch strings.ToUpper(verb) {
	case "PING":
		return micro.Ping{ServiceIdentity: id, Type: micro.PingResponseType}
	case "INFO":
		return micro.Info{ServiceIdentity: id, Type: micro.InfoResponseType, Description: serviceAbout,
			Endpoints: []micro.EndpointInfo{{Name: "default", Subject: s.spec.Subject, QueueGroup: serviceGroup, Metadata: map[string]string{}}}}
	}
	e := &micro.EndpointStats{Name: "default", Subject: s.spec.Subject, QueueGroup: serviceGroup, NumRequests: int(s.handled + s.unread), ProcessingTime: s.busy}
	if e.NumRequests > 0 {
		e.AverageProcessingTime = s.busy / time.Duration(e.NumRequests)
	}
	return micro.Stats{ServiceIdentity: id, Type: micro.StatsResponseType, Started: s.began, Endpoints: []*micro.EndpointStats{e}}
}

// natsGo answers with the micro framework of nats.go.
func (s *server) natsGo(ctx context.Context) error {
	failed := make(chan error, 1)
	c, err := s.w.Group.DialNats(ctx, func(err error) {
		select {
		case failed <- err:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", s.w.Number(), err)
	}
	defer func() {
		s.w.Extra.WireBytes = c.WireBytes()
		c.Shut()
	}()
	var mu sync.Mutex // a handler may still be at work when the client has given up
	over := false
	defer func() {
		mu.Lock()
		over = true
		mu.Unlock()
	}()
	svc, err := micro.AddService(c.Conn, micro.Config{Name: serviceName, Version: serviceVersion, Description: serviceAbout,
		Endpoint: &micro.EndpointConfig{Subject: s.spec.Subject, Handler: micro.HandlerFunc(func(r micro.Request) {
			if crew.Pause(ctx, s.spec.Sleep) != nil {
				return
			}
			_ = r.Respond(okReply) // an error shows on the connection
			mu.Lock()
			defer mu.Unlock()
			if !over {
				s.w.Add(1, int64(len(r.Data())+crew.HeaderSize(nats.Header(r.Headers()))), s.w.Run().Now())
			}
		})}})
	if err != nil {
		return fmt.Errorf("service on %s: %w", s.spec.Subject, err)
	}
	if err := c.Settle(ctx, s.w.Group.World.Timeout); err != nil {
		return err
	}
	s.w.Set(meter.Serving)
	if err := s.w.Ready(ctx); err != nil {
		return err
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	_ = svc.Stop()
	return err
}
