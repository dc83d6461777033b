package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device/journal"
	"github.com/natskit/natskit/internal/fleet/device/process"
)

// Defaults of Commands.
const (
	DefaultOutputLimit = 64 << 10
	DefaultTimeout     = 5 * time.Minute
)

// Commands is how a device runs commands: one after the other, each at most once.
type Commands struct {
	Journal     *journal.Journal // the caller closes it after Stop
	Allow       Allow            // what may be run
	Environ     []string         // the environment of what is run, without secrets
	OutputLimit int              // bytes kept of each output; 0 is DefaultOutputLimit
	Timeout     time.Duration    // the longest a command may run; 0 is DefaultTimeout
	// Notice is told of each state of a command after it is in the journal and before anything follows from it; nil is allowed.
	Notice func(fleet.Result)
}

var (
	errTimedOut  = errors.New("it ran too long")
	errCancelled = errors.New("it was cancelled")
)

const (
	ackWait   = 15 * time.Second // for the journal, after which the server offers a command again
	fetchWait = 30 * time.Second
	firstTell = 200 * time.Millisecond
	mostTell  = 5 * time.Second
)

// commands runs the commands of a device.
type commands struct {
	Commands
	d     *Device
	news  pulse // a result is to be told
	mu    sync.Mutex
	runs  string // id of the command that runs
	stop  context.CancelCauseFunc
	told  map[string]fleet.State // what was told of commands that are not over
	loose map[string]bool        // cancelled before they came
}

func newCommands(d *Device, o Commands) *commands {
	if o.OutputLimit <= 0 {
		o.OutputLimit = DefaultOutputLimit
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Notice == nil {
		o.Notice = func(fleet.Result) {}
	}
	return &commands{Commands: o, d: d, told: map[string]fleet.State{}, loose: map[string]bool{}}
}

// work finishes what an earlier run of the device left, then takes one command after the other.
func (c *commands) work() {
	ctx := c.d.ctx
	for _, e := range c.Journal.Entries() {
		if e.Result.State == fleet.Running {
			r := e.Result
			r.State, r.Ended, r.Error = fleet.Interrupted, c.d.o.Clock.Now(), "the agent ended while it ran"
			c.put(r)
		}
	}
	for _, e := range c.Journal.Entries() {
		if e.Result.State == fleet.Queued && ctx.Err() == nil {
			c.begin(e.Command)
		}
	}
	for attempt := 0; ctx.Err() == nil; {
		changed := c.d.changed.wait()
		l := c.d.online()
		if l == nil {
			attempt = 0
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		got, err := c.fetch(l, changed)
		switch {
		case got != nil:
			attempt = 0
			c.receive(got)
		case err == nil:
			attempt = 0
		default:
			pause(ctx, backoff(attempt, firstLook, mostLook), changed)
			attempt++
		}
	}
}

// fetch waits for a command until the connection changes; neither a message nor an error means that none came.
func (c *commands) fetch(l *link, changed <-chan struct{}) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(l.ctx, fetchWait)
	defer cancel()
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	id := c.d.o.Info.ID
	var consumer jetstream.Consumer
	var err error
	for _, js := range l.places() {
		consumer, err = js.CreateOrUpdateConsumer(ctx, c.d.o.Names.Commands(), jetstream.ConsumerConfig{
			Durable: id, FilterSubject: c.d.o.Names.Command(id), AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
			Description: "commands for device " + id,
		})
		if !missing(err) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	m, err := consumer.Next(jetstream.FetchContext(ctx))
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil, nil
	}
	return m, err
}

// receive notes a command, tells the server so, and runs it. One that has been here before is not run again.
func (c *commands) receive(m jetstream.Msg) {
	var cmd fleet.Command
	err := json.Unmarshal(m.Data(), &cmd)
	if err == nil {
		err = checkCommand(cmd.ID)
	}
	if err != nil {
		c.d.say("A command cannot be read: %s", err)
		_ = m.TermWithReason("the command cannot be read")
		return
	}
	fresh, err := c.Journal.Receive(cmd)
	if err != nil {
		c.d.say("Command %s is not taken: %s", cmd.ID, err)
		_ = m.NakWithDelay(ackWait)
		pause(c.d.ctx, mostLook, nil)
		return
	}
	ctx, cancel := context.WithTimeout(c.d.ctx, patience)
	_ = m.DoubleAck(ctx) // if that is lost it comes again and is known
	cancel()
	if fresh {
		c.Notice(fleet.Result{Command: cmd.ID, Device: c.d.o.Info.ID, Args: cmd.Args, State: fleet.Queued, Issued: cmd.Issued})
		c.begin(cmd)
		return
	}
	c.mu.Lock()
	loose := c.loose[cmd.ID]
	delete(c.loose, cmd.ID)
	c.mu.Unlock()
	if e, ok := c.Journal.Get(cmd.ID); loose && ok && e.Result.Args == nil {
		e.Result.Args, e.Result.Issued = cmd.Args, cmd.Issued
		c.put(e.Result)
	}
}

// begin runs a command that has not been begun, unless something forbids it.
func (c *commands) begin(cmd fleet.Command) {
	now := c.d.o.Clock.Now()
	r := fleet.Result{Command: cmd.ID, Device: c.d.o.Info.ID, Args: cmd.Args, Issued: cmd.Issued}
	var file string
	var err error
	switch {
	case !cmd.Expires.IsZero() && now.After(cmd.Expires):
		r.State, r.Ended, r.Error = fleet.Expired, now, "its time was over before the device saw it"
	case len(cmd.Args) == 0:
		r.State, r.Ended, r.Error = fleet.Refused, now, "the command names no program"
	default:
		if file, err = c.Allow.Program(cmd.Args[0]); err != nil {
			r.State, r.Ended, r.Error = fleet.Refused, now, err.Error()
		}
	}
	if r.State != "" {
		c.put(r)
		return
	}
	ctx, stop := context.WithCancelCause(c.d.ctx)
	defer stop(nil)
	c.mu.Lock()
	if e, ok := c.Journal.Get(cmd.ID); !ok || e.Result.State != fleet.Queued {
		c.mu.Unlock()
		return // cancelled
	}
	c.runs, c.stop = cmd.ID, stop
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.runs, c.stop = "", nil
		c.mu.Unlock()
	}()
	r.State, r.Started = fleet.Running, now
	if !c.put(r) {
		return // nothing runs that a crash would forget
	}
	limit := c.Timeout
	if cmd.Timeout > 0 {
		limit = min(limit, cmd.Timeout)
	}
	ctx, done := context.WithTimeoutCause(ctx, limit, errTimedOut)
	defer done()
	out, err := process.Run(ctx, append([]string{file}, cmd.Args[1:]...), c.Environ, c.OutputLimit)
	c.put(ended(r, out, err, c.d.o.Clock.Now()))
}

// ended is the result of a command that ran.
func ended(r fleet.Result, out process.Outcome, err error, at time.Time) fleet.Result {
	r.State, r.Ended, r.Exit, r.Stdout, r.Stderr, r.Lost = fleet.Done, at, out.Exit, out.Stdout, out.Stderr, out.Lost
	r.Error = out.Signal
	switch {
	case errors.Is(err, errTimedOut):
		r.State = fleet.TimedOut
	case errors.Is(err, errCancelled):
		r.State = fleet.Cancelled
	case errors.Is(err, context.Canceled):
		r.State, err = fleet.Interrupted, errors.New("the agent ended while it ran")
	case err != nil:
		r.State = fleet.Refused
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// put notes a result and has it told; false when the journal does not take it.
func (c *commands) put(r fleet.Result) bool {
	if err := c.Journal.Put(r); err != nil {
		c.d.say("Command %s: %s", r.Command, err)
		return false
	}
	c.Notice(r)
	c.news.signal()
	return true
}

// cancel ends a command that runs or keeps one from running that has not begun, be it here or on its way.
func (c *commands) cancel(id string) error {
	if err := checkCommand(id); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs == id {
		c.stop(errCancelled)
		return nil
	}
	e, ok := c.Journal.Get(id)
	switch {
	case ok && e.Result.State.Final():
		return fmt.Errorf("command %s is over: %s", id, e.Result.State)
	case c.Journal.Known(id):
		return fmt.Errorf("command %s is over", id)
	}
	r := fleet.Result{Command: id, Device: c.d.o.Info.ID, Args: e.Command.Args, Issued: e.Command.Issued, State: fleet.Cancelled,
		Ended: c.d.o.Clock.Now(), Error: errCancelled.Error()}
	if !ok {
		c.loose[id] = true
	}
	if !c.put(r) {
		return fmt.Errorf("command %s: the journal cannot be written", id)
	}
	return nil
}

// tell publishes what became of commands until somebody has stored it.
func (c *commands) tell() {
	ctx := c.d.ctx
	for attempt := 0; ctx.Err() == nil; {
		news, changed := c.news.wait(), c.d.changed.wait()
		l := c.d.online()
		if l == nil {
			attempt = 0
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if c.tellAll(l) {
			attempt = 0
			select {
			case <-news:
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		pause(ctx, backoff(attempt, firstTell, mostTell), changed)
		attempt++
	}
}

// tellAll publishes the last state of each command that is not told; false when that has to be tried again.
func (c *commands) tellAll(l *link) bool {
	whole := true
	for _, e := range c.Journal.Entries() {
		r := e.Result
		if r.State == fleet.Queued || c.told[r.Command] == r.State && !r.State.Final() {
			continue
		}
		data, err := json.Marshal(r)
		if err != nil {
			c.d.say("The result of command %s cannot be written: %s", r.Command, err)
			continue
		}
		ctx, cancel := context.WithTimeout(l.ctx, patience)
		_, err = l.js.PublishMsg(ctx, &nats.Msg{Subject: c.d.o.Names.Result(r.Device, r.Command), Data: data},
			jetstream.WithMsgID(r.Device+"."+r.Command+"."+string(r.State)), jetstream.WithRetryAttempts(0))
		cancel()
		if err != nil {
			whole = false
			continue
		}
		if !r.State.Final() {
			c.told[r.Command] = r.State
			continue
		}
		delete(c.told, r.Command)
		if err := c.Journal.Told(r.Command); err != nil {
			c.d.say("Command %s: %s", r.Command, err)
			whole = false
		}
	}
	return whole
}

// checkCommand says what is wrong with the id of a command: it is one token of a subject.
func checkCommand(id string) error {
	if fleet.CheckID(id) != nil {
		return fmt.Errorf("command id %q: 1 to 64 letters, digits, _, = and - only", id)
	}
	return nil
}
