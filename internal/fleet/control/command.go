package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/js"
)

// CheckCommand says what is wrong with the id of a command.
func CheckCommand(id string) error {
	if !fleet.IsToken(id, 64, true) {
		return fail.Usagef("command id %q: 1 to 64 letters, digits, _, = and - only", id)
	}
	return nil
}

// messageID tells a command for a device from all others, so that the stream takes it once.
func messageID(device, command string) string { return command + "." + device }

// ensure makes a stream when it is not there; one that is there stays as it is.
func (f *Fleet) ensure(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := f.JS.Stream(ctx, cfg.Name)
	if !missing(err) {
		return s, named(cfg.Name, err)
	}
	s, err = f.JS.CreateStream(ctx, cfg)
	if js.IsCode(err, 10026) { // the account allows fewer
		cfg.MaxConsumers = -1
		s, err = f.JS.CreateStream(ctx, cfg)
	}
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // someone was faster, with settings of his own
		s, err = f.JS.Stream(ctx, cfg.Name)
	}
	return s, named(cfg.Name, err)
}

func named(stream string, err error) error {
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	return nil
}

// OpenCommands makes the streams of commands and results, which keep both for maxAge, when they are not there.
func (f *Fleet) OpenCommands(ctx context.Context, maxAge time.Duration) error {
	if _, err := f.ensure(ctx, f.Names.CommandsStream(maxAge, f.Replicas)); err != nil {
		return err
	}
	_, err := f.ensure(ctx, f.Names.ResultsStream(maxAge, f.Replicas))
	return err
}

// Sent is a command in the stream of a device.
type Sent struct {
	Device    string
	Sequence  uint64
	Duplicate bool   // it was there already
	Error     string // the stream did not take it
}

// Send queues a command for each device, and hands over what became of it in their order. The streams must be open.
func (f *Fleet) Send(ctx context.Context, c fleet.Command, devices []string, each func(Sent) error) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	pending := make([]jetstream.PubAckFuture, 0, len(devices))
	for _, id := range devices {
		m := &nats.Msg{Subject: f.Names.Command(id), Data: body, Header: nats.Header{}}
		future, err := f.JS.PublishMsgAsync(m, jetstream.WithMsgID(messageID(id, c.ID)), jetstream.WithExpectStream(f.Names.Commands()))
		if err != nil {
			return fmt.Errorf("command for %s: %w", id, err)
		}
		pending = append(pending, future)
	}
	late := f.Clock.After(f.patience())
	for i, id := range devices {
		s := Sent{Device: id}
		select {
		case ack := <-pending[i].Ok():
			s.Sequence, s.Duplicate = ack.Sequence, ack.Duplicate
		case err := <-pending[i].Err():
			s.Error = err.Error()
		case <-late:
			return fail.Newf(fail.NoAnswer, "stream %s: no acknowledgement of the command for %s in time", f.Names.Commands(), id)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := each(s); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long a server is waited for when nothing else says.
func (f *Fleet) patience() time.Duration {
	if d := f.JS.Options().DefaultTimeout; d > 0 {
		return max(4*d, 10*time.Second)
	}
	return 10 * time.Second
}

// A Queued is a command as it waits in the stream for a device.
type Queued struct {
	Device   string
	Sequence uint64
	Time     time.Time
	fleet.Command
}

// queued hands over the commands in the stream, oldest first; id is that of one, empty for all.
func (f *Fleet) queued(ctx context.Context, id string, each func(Queued) error) error {
	c := js.New(f.JS)
	s, err := c.Info(ctx, f.Names.Commands())
	if fail.CodeOf(err) == fail.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	prefix := f.Names.Command("")
	return c.Scan(ctx, s, js.Range{}, func(m *js.DirectMessage) error {
		q := Queued{Device: strings.TrimPrefix(m.Subject, prefix), Sequence: m.Sequence, Time: m.Time}
		if id != "" && m.Header.Get(jetstream.MsgIDHeader) != messageID(q.Device, id) {
			return nil
		}
		if err := json.Unmarshal(m.Data, &q.Command); err != nil || fleet.CheckID(q.Device) != nil || id != "" && q.ID != id {
			f.strange("stream %s: message %d is no command", f.Names.Commands(), m.Sequence)
			return nil
		}
		return each(q)
	})
}

// results hands over the last result of each command on each device; id is that of one command, empty for all.
func (f *Fleet) results(ctx context.Context, id string, each func(fleet.Result) error) error {
	c := js.New(f.JS)
	s, err := c.Info(ctx, f.Names.Results())
	if fail.CodeOf(err) == fail.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	r := js.Range{}
	if id != "" {
		r.Filter = f.Names.Result("*", id)
	}
	return c.Scan(ctx, s, r, func(m *js.DirectMessage) error {
		if res, ok := f.readResult(m.Subject, m.Data); ok {
			return each(res)
		}
		return nil
	})
}

// readResult reads what a device published of a command; what does not belong on its subject is strange.
func (f *Fleet) readResult(subject string, data []byte) (fleet.Result, bool) {
	r := fleet.Result{}
	if err := json.Unmarshal(data, &r); err != nil || f.Names.Result(r.Device, r.Command) != subject {
		f.strange("what was published on %s is no result", subject)
		return r, false
	}
	return r, true
}

// Progress is where a command has got to on one device.
type Progress struct {
	fleet.Result
	Sequence uint64 // of the message in the stream of commands; 0 when it is no longer there
}

// A Status is where a command has got to.
type Status struct {
	ID      string
	Args    []string
	Issued  time.Time
	Expires time.Time
	Devices []Progress // sorted by device
}

// Counts is how many devices are in each state.
func (s Status) Counts() map[fleet.State]int {
	out := map[fleet.State]int{}
	for _, d := range s.Devices {
		out[d.State]++
	}
	return out
}

// Final tells whether nothing more will happen.
func (s Status) Final() bool {
	return !slices.ContainsFunc(s.Devices, func(p Progress) bool { return !p.State.Final() })
}

// Commands are the commands that the streams know, newest first.
func (f *Fleet) Commands(ctx context.Context) ([]Status, error) { return f.statuses(ctx, "") }

// Command is one command with all its devices.
func (f *Fleet) Command(ctx context.Context, id string) (Status, error) {
	found, err := f.statuses(ctx, id)
	if err != nil {
		return Status{}, err
	}
	if len(found) == 0 {
		return Status{}, fail.NotFoundf("command %s: there is none, or it is too old to be kept", id).WithHint("nats fleet command ls shows the commands that are kept")
	}
	return found[0], nil
}

func (f *Fleet) statuses(ctx context.Context, id string) ([]Status, error) {
	type place struct{ command, device string }
	all, at := map[string]*Status{}, map[place]Progress{}
	of := func(id string, args []string, issued time.Time) *Status {
		s := all[id]
		if s == nil {
			s = &Status{ID: id, Args: args, Issued: issued}
			all[id] = s
		}
		return s
	}
	err := f.queued(ctx, id, func(q Queued) error {
		of(q.ID, q.Args, q.Issued).Expires = q.Expires
		r := fleet.Result{Command: q.ID, Device: q.Device, Args: q.Args, State: fleet.Queued, Issued: q.Issued}
		at[place{q.ID, q.Device}] = Progress{r, q.Sequence}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = f.results(ctx, id, func(r fleet.Result) error {
		if s := of(r.Command, r.Args, r.Issued); len(r.Args) == 0 { // cancelled before the device saw it
			r.Args, r.Issued = s.Args, s.Issued
		}
		k := place{r.Command, r.Device}
		at[k] = Progress{r, at[k].Sequence}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for k, p := range at {
		all[k.command].Devices = append(all[k.command].Devices, p)
	}
	out := make([]Status, 0, len(all))
	for _, s := range all {
		slices.SortFunc(s.Devices, func(a, b Progress) int { return cmp.Compare(a.Device, b.Device) })
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Status) int { return cmp.Or(b.Issued.Compare(a.Issued), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// Follow hands over what becomes of a command on each of the devices, as it comes, until all have come to an end, or the time is
// over. What it returns are the devices that had not come to an end. What was there before comes too.
func (f *Fleet) Follow(ctx context.Context, id string, devices []string, within time.Duration, each func(fleet.Result) error) ([]string, error) {
	waiting := map[string]bool{}
	for _, d := range devices {
		waiting[d] = true
	}
	late := f.Clock.After(within)
	consumer, err := f.JS.OrderedConsumer(ctx, f.Names.Results(), jetstream.OrderedConsumerConfig{FilterSubjects: []string{f.Names.Result("*", id)}})
	if err != nil {
		return devices, named(f.Names.Results(), err)
	}
	came, done := make(chan jetstream.Msg, 64), make(chan struct{})
	reading, err := consumer.Consume(func(m jetstream.Msg) {
		select {
		case came <- m:
		case <-done:
		}
	})
	if err != nil {
		return devices, named(f.Names.Results(), err)
	}
	defer func() {
		close(done)
		reading.Stop()
		<-reading.Closed()
	}()
	for len(waiting) > 0 {
		select {
		case m := <-came:
			r, ok := f.readResult(m.Subject(), m.Data())
			if !ok || !waiting[r.Device] {
				continue
			}
			if r.State.Final() {
				delete(waiting, r.Device)
			}
			if err := each(r); err != nil {
				return keys(waiting), err
			}
		case <-late:
			return keys(waiting), nil
		case <-ctx.Done():
			return keys(waiting), context.Cause(ctx)
		}
	}
	return nil, nil
}
