package device

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fleet"
)

var errStopped = errors.New("the device has been stopped")

// move goes to the server at target, home when it is empty. The new connection is made before the old one is given up; tell gets
// the outcome while the old one still is there.
func (d *Device) move(target string, tell func(fleet.Controlled)) {
	d.moving.Lock()
	defer d.moving.Unlock()
	old := d.current()
	if d.ctx.Err() != nil {
		return
	}
	at := bare(target)
	a := fleet.Controlled{ID: d.o.Info.ID, OK: true, Server: at}
	if at == old.away {
		if at == "" {
			a.Server = bare(old.nc.ConnectedUrl())
		}
		a.Warning = d.Info().Trouble
		tell(a)
		return
	}
	err := checkServers(target)
	var next *link
	if err == nil {
		next, err = d.reach(target)
	}
	if err != nil {
		a.OK, a.Server, a.Error = false, bare(old.nc.ConnectedUrl()), err.Error()
		d.say("Not moved to %s: %s", at, err)
		tell(a)
		return
	}
	// Both would answer the same requests: the old service goes first.
	if old.svc != nil {
		_ = old.svc.Stop()
	}
	if err := next.serve(); err != nil {
		next.close()
		if rerr := old.serve(); rerr != nil {
			err = errors.Join(err, rerr)
		}
		a.OK, a.Server, a.Error = false, bare(old.nc.ConnectedUrl()), err.Error()
		tell(a)
		return
	}
	d.swap(old, next)
	if at == "" {
		a.Server = bare(next.nc.ConnectedUrl())
	}
	a.Warning = next.lacks()
	d.say("Moved to %s", next.where())
	tell(a)
	old.close()
}

// reach connects to target, home when it is empty, with the same credentials unless the URL has some.
func (d *Device) reach(target string) (*link, error) {
	o := d.o.Conn
	if target != "" {
		o = d.o.abroad(target)
	}
	l, err := d.dial(o, bare(target), false)
	if err != nil {
		return nil, err
	}
	if d.ctx.Err() != nil {
		l.close()
		return nil, errStopped
	}
	return l, nil
}

// checkServers refuses what is no list of server URLs, without quoting a secret in it.
func checkServers(target string) error {
	for s := range strings.SplitSeq(target, ",") {
		if s = strings.TrimSpace(s); s == "" && target == "" {
			return nil // home
		}
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return fmt.Errorf("%q is no URL of a server", bare(s))
		}
	}
	return nil
}

// abroad is how to connect to the servers at target.
func (o *Options) abroad(target string) nats.Options {
	out := o.Conn
	if o.Away != nil {
		out = *o.Away
	}
	var known *url.Userinfo
	for _, s := range append([]string{out.Url}, out.Servers...) {
		if u, err := url.Parse(s); err == nil && u.User != nil {
			known = u.User
			break
		}
	}
	out.Servers, out.Url, out.InProcessServer = nil, "", nil
	for s := range strings.SplitSeq(target, ",") {
		s = strings.TrimSpace(s)
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		switch {
		case err != nil: // the client says what is wrong with it
		case u.User != nil:
			out.UserJWT, out.SignatureCB, out.Nkey, out.User, out.Password, out.Token, out.UserInfo, out.TokenHandler = nil, nil, "", "", "", "", nil, nil
		case known != nil:
			u.User = known
			s = u.String()
		}
		out.Servers = append(out.Servers, s)
	}
	return out
}

// swap makes next the link of the device.
func (d *Device) swap(old, next *link) {
	d.mu.Lock()
	st := old.nc.Stats()
	d.sent, d.received = d.sent+st.OutMsgs, d.received+st.InMsgs
	d.link = next
	d.info.Trouble = ""
	d.mu.Unlock()
	d.settle(next)
	d.out.forget()
	next.begin()
	d.changed.signal()
}

// lacks says what the device misses on this link; empty for nothing.
func (l *link) lacks() string {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	if _, err := l.js.KeyValue(ctx, l.d.o.Bucket); err != nil {
		return l.absent(err)
	}
	return ""
}

// strand waits for a server the device was moved to; when it stays away the device goes home.
func (d *Device) strand(l *link) {
	woken := l.joined.wait()
	for attempt := 0; ; attempt++ {
		wait := d.o.Grace
		if attempt > 0 {
			wait = backoff(attempt-1, firstRetry, mostRetry)
		}
		select {
		case <-d.o.Clock.After(wait):
		case <-woken:
			return
		case <-l.ctx.Done():
			return
		}
		if l.nc.IsConnected() || d.current() != l {
			return
		}
		if attempt == 0 {
			d.say("%s stays away: going home", l.away)
		}
		home := false
		d.move("", func(a fleet.Controlled) { home = a.OK })
		if home {
			return
		}
	}
}

// reconnectable reports whether publishing failed because there is no connection at the moment.
func reconnectable(err error) bool {
	return errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrConnectionClosed)
}
