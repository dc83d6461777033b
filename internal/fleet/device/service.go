package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/micro"

	"github.com/natskit/natskit/internal/fleet"
)

// serve registers the service on the link.
func (l *link) serve() error {
	d := l.d
	svc, err := micro.AddService(l.nc, micro.Config{
		Name: d.o.Names.Service, Version: serviceVersion(d.o.Info.Version), Description: "Edge device",
		Metadata: map[string]string{"device": d.o.Info.ID, "nickname": d.o.Info.Nickname},
	})
	if err != nil {
		return wrap(err, "service %s", d.o.Names.Service)
	}
	d.mu.Lock()
	l.svc = svc
	d.info.Instance = svc.Info().ID
	own := d.info.Instance
	d.mu.Unlock()
	for _, e := range []struct {
		name, subject string
		shared        bool // one of all devices answers
		handle        micro.HandlerFunc
	}{
		{"device_info", d.o.Names.Info(), false, l.tellInfo},
		{"nickname", d.o.Names.Nickname(), true, l.tellNickname},
		{"advertise", d.o.Names.Advertise(), false, l.advertised},
		{"query", d.o.Names.Query(), false, l.queried},
		{"control", d.o.Names.Control(d.o.Info.ID), false, l.controlled},
	} {
		opts := []micro.EndpointOpt{micro.WithEndpointSubject(e.subject)}
		if !e.shared {
			// A group of its own: every device answers, and a service always has one.
			opts = append(opts, micro.WithEndpointQueueGroup(own))
		}
		if err := svc.AddEndpoint(e.name, e.handle, opts...); err != nil {
			return wrap(err, "endpoint %s", e.name)
		}
	}
	if l.nc.IsConnected() {
		d.settle(l)
		_ = l.flush(l.ctx) // a server that is slow learns of the service a little later
	}
	return nil
}

func (l *link) tellInfo(r micro.Request) {
	text, err := json.Marshal(l.d.Info())
	if err != nil {
		l.answer(r.Error("500", err.Error(), nil))
		return
	}
	if filter := strings.TrimSpace(string(r.Data())); filter != "" {
		var part, whole any
		if err := json.Unmarshal([]byte(filter), &part); err != nil {
			l.answer(r.Error("400", "the filter is no JSON: "+err.Error(), nil))
			return
		}
		if _, ok := part.(map[string]any); !ok {
			l.answer(r.Error("400", "the filter is no JSON object", nil))
			return
		}
		if err := json.Unmarshal(text, &whole); err != nil || !fleet.Subset(part, whole) {
			return // others are meant
		}
	}
	l.answer(r.Respond(text))
}

func (l *link) tellNickname(r micro.Request) { l.answer(r.Respond([]byte(l.d.o.Info.Nickname))) }

func (l *link) queried(r micro.Request) {
	var q fleet.Query
	if err := json.Unmarshal(r.Data(), &q); len(r.Data()) > 0 && err != nil {
		l.answer(r.Error("400", "the query is no JSON: "+err.Error(), nil))
		return
	}
	info := l.d.Info()
	a := fleet.Answer{ID: info.ID}
	selector, err := l.d.o.Selectors.Get(q.Expr)
	if err == nil {
		a.Match, err = selector.Match(info)
	}
	if err != nil {
		a.Error = err.Error()
	}
	if a.Match {
		a.Info = &info
	}
	l.answer(r.RespondJSON(a))
}

func (l *link) advertised(r micro.Request) {
	target := strings.TrimSpace(string(r.Data()))
	l.relocate(target, r.Reply())
}

func (l *link) controlled(r micro.Request) {
	var c fleet.Control
	err := json.Unmarshal(r.Data(), &c)
	if err == nil && (c.Cancel == "") == (c.Move == nil) {
		err = errors.New("exactly one of cancel and move is needed")
	}
	switch {
	case err != nil:
		l.answer(r.Error("400", "the order cannot be read: "+err.Error(), nil))
	case c.Move != nil:
		l.relocate(strings.TrimSpace(*c.Move), r.Reply())
	default:
		a := fleet.Controlled{ID: l.d.o.Info.ID, OK: true}
		if l.d.commands == nil {
			a.OK, a.Error = false, "this device takes no commands"
		} else if err := l.d.commands.cancel(c.Cancel); err != nil {
			a.OK, a.Error = false, err.Error()
		}
		l.answer(r.RespondJSON(a))
	}
}

// relocate moves the device beside the handler, and answers on this link when it is done.
func (l *link) relocate(target, reply string) {
	l.d.spawn(func() {
		l.d.move(target, func(a fleet.Controlled) {
			if reply == "" {
				return
			}
			text, err := json.Marshal(a)
			if err == nil {
				err = errors.Join(l.nc.Publish(reply, text), l.flush(l.d.ctx))
			}
			l.answer(err)
		})
	})
}

// answer tells of an answer that could not be sent.
func (l *link) answer(err error) {
	if err != nil && l.ctx.Err() == nil && !errors.Is(err, micro.ErrArgRequired) {
		l.d.say("An answer could not be sent: %s", fmt.Sprint(err))
	}
}
