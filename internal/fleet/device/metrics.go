package device

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/fleet"
)

// rttEvery is after how many metrics the round trip to the server is measured again.
const rttEvery = 5

// measure queues a metric at every interval.
func (d *Device) measure() {
	if d.o.Delay > 0 {
		select {
		case <-d.o.Clock.After(d.o.Delay):
		case <-d.quiet.Done():
			return
		}
	}
	select {
	case <-d.joined:
	case <-d.quiet.Done():
		return
	}
	tick := d.o.Clock.NewTicker(d.o.Interval)
	defer tick.Stop()
	var seq uint64
	var instance string
	for n := 0; ; n++ {
		info := d.Info()
		if info.Instance != instance {
			instance, seq = info.Instance, 0
		}
		seq++
		if n%rttEvery == 0 {
			d.wg.Go(d.ping)
		}
		d.metric(info, seq)
		select {
		case <-tick.C():
		case <-d.quiet.Done():
			return
		}
	}
}

// metric makes one metric and queues it.
func (d *Device) metric(info fleet.Info, seq uint64) {
	now := d.o.Clock.Now()
	m := fleet.Metric{
		Seq: seq, Time: now, Nickname: info.Nickname, Device: info, Uptime: now.Sub(d.begun).Seconds(),
		RTT: float64(d.rtt.Load()) / 1e6, Config: d.State().Revision,
	}
	m.Sent, m.Received = d.Traffic()
	if d.o.Usage != nil {
		m.Load, m.MemUsed = d.o.Usage()
	}
	data, err := json.Marshal(m)
	if err != nil {
		d.say("A metric cannot be made: %s", err)
		return
	}
	subject := ""
	if l := d.online(); l != nil {
		subject = l.metrics()
	}
	d.out.add(subject, info.ID+"."+info.Instance+"."+strconv.FormatUint(seq, 10), data)
}

// ping measures the round trip to the server.
func (d *Device) ping() {
	l := d.online()
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	begun := time.Now()
	if l.nc.FlushWithContext(ctx) == nil {
		d.rtt.Store(int64(time.Since(begun)))
	}
}

// metrics is the subject of the metrics that are made on this connection.
func (l *link) metrics() string {
	id, err := l.nc.GetClientID()
	if err != nil {
		return fleet.Metrics(l.nc.ConnectedServerName(), "")
	}
	return fleet.Metrics(l.nc.ConnectedServerName(), strconv.FormatUint(id, 10))
}

// before says whether the message of id a was made before that of id b. Those of other devices or instances were.
func before(a, b string) bool {
	ai, bi := strings.LastIndexByte(a, '.'), strings.LastIndexByte(b, '.')
	if ai < 0 || bi < 0 || a[:ai] != b[:bi] {
		return true
	}
	an, aerr := strconv.ParseUint(a[ai+1:], 10, 64)
	bn, berr := strconv.ParseUint(b[bi+1:], 10, 64)
	return aerr != nil || berr != nil || an < bn
}
