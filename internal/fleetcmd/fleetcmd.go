// Package fleetcmd is what the commands about a fleet have in common: flags, the way to the devices, and who is meant.
package fleetcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// NoDevices is the hint where nobody answers.
const NoDevices = "nats fleet agent makes this machine a device, nats fleet simulate --devices 10 makes ten"

// Service is which devices are meant: those of a service. Every command about a fleet has its flags.
type Service struct {
	Name   string
	Bucket string // of the configuration

	names fleet.Names
}

// Bind declares --service.
func (s *Service) Bind(c *fisk.CmdClause) {
	c.Flag("service", "The service name of the devices").Default(fleet.DefaultService).StringVar(&s.Name)
	s.Bucket = fleet.DefaultBucket
}

// BindBucket declares --bucket too, where the configuration matters.
func (s *Service) BindBucket(c *fisk.CmdClause) {
	s.Bind(c)
	c.Flag("bucket", "The bucket of the configuration").Default(fleet.DefaultBucket).StringVar(&s.Bucket)
}

// Check refuses names that no service or bucket can have.
func (s *Service) Check() error {
	var err error
	if s.names, err = fleet.NewNames(s.Name); err != nil {
		return err
	}
	return store.CheckBucket(s.Bucket)
}

// Names are the subjects, streams and buckets of the service.
func (s *Service) Names() fleet.Names { return s.names }

// On connects and lets do work with the fleet. The context that do gets ends when the server refuses something; the refusal is the
// error then.
func (s *Service) On(ctx context.Context, e *env.Env, do func(context.Context, *control.Fleet) error) error {
	ctx, end := e.Nats.Allowed(ctx)
	defer end()
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return err
	}
	js, err := e.Nats.JetStream(ctx)
	if err != nil {
		return err
	}
	f := &control.Fleet{
		Conn: nc, JS: js, Names: s.names, Bucket: s.Bucket, Clock: e.Clock,
		Strange: func(reason string) { e.IO.Warn("%s", reason) },
	}
	return contexts.Refusal(ctx, do(ctx, f))
}

// Asking says how long answers of devices are waited for.
type Asking struct {
	Expect int64
	idle   time.Duration
	idling bool
}

// Bind declares --idle.
func (a *Asking) Bind(c *fisk.CmdClause) {
	c.Flag("idle", "End when no further device has answered for this long").PlaceHolder("DURATION").Default("1s").IsSetByUser(&a.idling).
		SetValue(flagval.NewDuration(&a.idle).Positive())
}

// BindExpect declares --expect too.
func (a *Asking) BindExpect(c *fisk.CmdClause) {
	a.Bind(c)
	c.Flag("expect", "How many devices must answer; otherwise those that have been seen before").PlaceHolder("N").SetValue(flagval.NewInt64(&a.Expect).Min(1))
}

// Patience is how long to wait with the settings in force. Who says how many answers there must be is waiting for them, and not for a
// pause.
func (a *Asking) Patience(e *env.Env) control.Patience {
	p := control.Patience{Timeout: e.Nats.Effective().Timeout, Quiet: a.idle, Expect: int(a.Expect)}
	if a.Expect > 0 && !a.idling {
		p.Quiet = 0
	}
	return p
}

// Within is a flag for how long something is waited for.
type Within struct {
	given time.Duration
	set   bool
}

// Bind declares --within; usual is its default, or zero for that of --timeout.
func (w *Within) Bind(c *fisk.CmdClause, usual time.Duration) {
	says := "--timeout"
	if usual > 0 {
		says = render.HumaneDuration(usual)
		w.given = usual
	}
	c.Flag("within", "How long --wait waits; otherwise "+says).PlaceHolder("DURATION").IsSetByUser(&w.set).SetValue(flagval.NewDuration(&w.given).Positive())
}

// Set tells whether the flag was given.
func (w *Within) Set() bool { return w.set }

// Duration is how long to wait.
func (w *Within) Duration(e *env.Env) time.Duration {
	if w.given > 0 {
		return w.given
	}
	return e.Nats.Effective().Timeout
}

// Compile makes a selector of an expression. An expression that is wrong is a usage error that points at the place.
func Compile(expression string) (fleet.Selector, error) {
	sel, err := fleet.Compile(expression)
	bad := (*fleet.BadExpression)(nil)
	if !errors.As(err, &bad) {
		return sel, err
	}
	text := fmt.Sprintf("the expression is wrong at column %d: %s", bad.Column+1, strings.TrimSpace(bad.Reason))
	if !strings.ContainsAny(expression, "\n\r\t") && bad.Column <= utf8.RuneCountInString(expression) {
		text += "\n    " + expression + "\n    " + strings.Repeat(" ", bad.Column) + "^"
	}
	return sel, fail.Usagef("%s", text).WithHint("fields are %s; such as os.name == \"Android\" && memory > 4e9", strings.Join(Fields(), ", "))
}

// Sure asks before many devices are made to do something; in a protected context the name of the service must be typed.
func (s *Service) Sure(ctx context.Context, e *env.Env, force bool, what string) error {
	if e.Nats.Effective().Protected {
		return prompt.SureTyped(ctx, e.Prompt, force, what, s.Name)
	}
	return prompt.Sure(ctx, e.Prompt, force, what)
}

// Plural counts things: "1 device", "12,345 devices".
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return render.HumaneCount(uint64(n)) + " " + many
}

// List names up to ten of them, and how many more there are.
func List(ids []string) string {
	const most = 10
	if len(ids) <= most {
		return strings.Join(ids, ", ")
	}
	return strings.Join(ids[:most], ", ") + fmt.Sprintf(" and %d more", len(ids)-most)
}
