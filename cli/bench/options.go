package bench

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/payload"
)

// common are the options of all benchmarks.
type common struct {
	clients  int64
	msgs     int64
	size     sizes
	progress bool
	csv      string
	engine   string
	warmup   time.Duration
	idle     time.Duration
	wait     time.Duration
	hdr      string
	reports  []string
	sleep    time.Duration
	agents   int64
	group    string
}

func (o *common) bind(c *fisk.CmdClause) {
	c.Flag("clients", "How many clients, each with a connection of its own").Default("1").SetValue(flagval.NewInt64(&o.clients).Min(0).Max(60_000))
	flagval.Int64Var(c.Flag("msgs", "How many messages").Default("100000"), &o.msgs)
	c.Flag("size", "Size of a payload, or a range such as 100B-2KB").Default("128B").SetValue(&o.size)
	c.Flag("progress", "Show how far the run is, on a terminal").Default("true").BoolVar(&o.progress)
	c.Flag("csv", "Write a row for each client to this file").PlaceHolder("FILE").StringVar(&o.csv)
	flagval.DurationVar(c.Flag("warmup", "Do not count what happens in the beginning").Default("0s").PlaceHolder("DURATION"), &o.warmup)
	flagval.DurationVar(c.Flag("idle", "Give up when nothing has happened for so long; 0 never does").Default("5s").PlaceHolder("DURATION"), &o.idle)
	flagval.DurationVar(c.Flag("wait", "Give up when the first message has not come by then; 0 never does").Default("1m").PlaceHolder("DURATION"), &o.wait)
	c.Flag("hdr", "Write the histogram of latencies: a table of percentiles to FILE.hgrm, else an HdrHistogram log").PlaceHolder("FILE").StringVar(&o.hdr)
	c.Flag("report", "Write the report to FILE.json, FILE.md or FILE.html").PlaceHolder("FILE").StringsVar(&o.reports)
	c.Flag("agents", "Run on this many machines where nats bench agent waits; --clients is divided among them").Default("0").SetValue(flagval.NewInt64(&o.agents).Min(0).Max(1000))
	c.Flag("group", "The group of these agents").Default("default").StringVar(&o.group)
}

// bindEngine is for the benchmarks that both engines can run.
func (o *common) bindEngine(c *fisk.CmdClause) {
	c.Flag("engine", "What speaks to the server: wire, or the client library nats.go").Default(crew.Wire).EnumVar(&o.engine, crew.Wire, crew.NatsGo)
}

func (o *common) bindSleep(c *fisk.CmdClause) {
	flagval.DurationVar(c.Flag("sleep", "Pause after each operation").Default("0s").PlaceHolder("DURATION"), &o.sleep)
}

func (o *common) check() error {
	if o.msgs <= 0 {
		return fail.Usagef("number of messages should be greater than 0")
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"warmup", o.warmup}, {"idle", o.idle}, {"wait", o.wait}, {"sleep", o.sleep}} {
		if d.value < 0 {
			return fail.Usagef("--%s %s: must not be negative", d.flag, d.value)
		}
	}
	if o.agents > o.clients {
		return fail.Usagef("--agents %d: every one needs a client, and --clients is %d", o.agents, o.clients)
	}
	if err := groupName(o.group); err != nil {
		return err
	}
	for _, name := range o.reports {
		if _, err := reportFormat(name); err != nil {
			return err
		}
	}
	return nil
}

// alone refuses --agents where one process does it all; what says what that is.
func (o *common) alone(what string) error {
	if o.agents > 0 {
		return fail.Usagef("--agents does not go with %s", what)
	}
	return nil
}

func groupName(name string) error {
	if flagval.CheckSubject(name, false) != nil || strings.Contains(name, ".") {
		return fail.Usagef("--group %q: a name of letters, digits, - and _", name)
	}
	return nil
}

// spec is the part of a run that these options describe.
func (o *common) spec(kind string) crew.Spec {
	return crew.Spec{
		Kind: kind, Engine: o.engine, Clients: int(o.clients), Messages: o.msgs, Warmup: o.warmup, Idle: o.idle, Wait: o.wait,
		Sleep: o.sleep, Size: o.size.low, SizeMax: o.size.high,
	}
}

// reportFormat is how a report file is written, by the end of its name.
func reportFormat(name string) (string, error) {
	for _, f := range []string{"json", "md", "html"} {
		if strings.HasSuffix(name, "."+f) {
			return f, nil
		}
	}
	return "", fail.Usagef("--report %s: the name must end in .json, .md or .html", name)
}

// sizes is a flag value: a size in bytes, or a range of them.
type sizes struct {
	text      string
	low, high int64
}

// Set reads "128B" or "100B-2KB".
func (s *sizes) Set(text string) error {
	if strings.HasPrefix(text, "-") {
		return fmt.Errorf("%q: a size must be greater than 0", text)
	}
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	var err error
	s.text = text
	if s.low, err = flagval.ParseBytes(low); err != nil {
		return err
	}
	if s.high, err = flagval.ParseBytes(high); err != nil {
		return err
	}
	if s.low <= 0 || s.high < s.low {
		return fmt.Errorf("%q: sizes must be greater than 0, the first no larger than the second", text)
	}
	return nil
}

// String is the text that was set.
func (s *sizes) String() string { return s.text }

// pacing are the options of a schedule.
type pacing struct {
	throughput int64
	duration   time.Duration
	ramp       string
	steps      string

	segments []crew.Pace
}

func (o *pacing) bind(c *fisk.CmdClause) {
	c.Flag("throughput", "Messages a second that all clients send together; latencies then count from when a message was meant to be sent").
		Default("0").PlaceHolder("THROUGHPUT").SetValue(flagval.NewInt64(&o.throughput).Min(0))
	flagval.DurationVar(c.Flag("duration", "Run for so long instead of for a number of messages").Default("0s").PlaceHolder("DURATION"), &o.duration)
	c.Flag("ramp", "Go evenly from one rate to another over --duration: 1000-50000").PlaceHolder("FROM-TO").StringVar(&o.ramp)
	c.Flag("steps", "Hold each of these rates for an equal part of --duration: 1000,5000,20000").PlaceHolder("RATES").StringVar(&o.steps)
}

// check makes the schedule. With a rate and a duration the run has a number of messages.
func (o *pacing) check() error {
	given := 0
	for _, set := range []bool{o.throughput > 0, o.ramp != "", o.steps != ""} {
		if set {
			given++
		}
	}
	switch {
	case o.duration < 0:
		return fail.Usagef("--duration must not be negative")
	case given > 1:
		return fail.Usagef("--throughput, --ramp and --steps exclude each other")
	case o.throughput > 0:
		o.segments = []crew.Pace{{From: float64(o.throughput), To: float64(o.throughput), For: o.duration}}
	case (o.ramp != "" || o.steps != "") && o.duration == 0:
		return fail.Usagef("--ramp and --steps need --duration")
	}
	if o.ramp != "" {
		from, to, ok := strings.Cut(o.ramp, "-")
		rates, err := parseRates(from, to)
		if !ok || err != nil {
			return fail.Usagef("--ramp %s: write it as two rates, such as 1000-50000", o.ramp)
		}
		o.segments = []crew.Pace{{From: rates[0], To: rates[1], For: o.duration}}
	}
	if o.steps != "" {
		rates, err := parseRates(strings.Split(o.steps, ",")...)
		if err != nil {
			return fail.Usagef("--steps %s: write it as rates with commas, such as 1000,5000,20000", o.steps)
		}
		for _, r := range rates {
			o.segments = append(o.segments, crew.Pace{From: r, To: r, For: o.duration / time.Duration(len(rates))})
		}
	}
	if o.segments != nil && o.total() == 0 {
		return fail.Usagef("the rate and the duration make no message at all")
	}
	return nil
}

func parseRates(texts ...string) ([]float64, error) {
	var out []float64
	for _, t := range texts {
		v, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
		if err != nil || v < 0 || v > 1e9 {
			return nil, fmt.Errorf("%q is not a rate", t)
		}
		out = append(out, v)
	}
	return out, nil
}

// total is how many messages the schedule has, -1 when it has no end.
func (o *pacing) total() int64 {
	var g []meter.Segment
	for _, p := range o.segments {
		g = append(g, meter.Segment{From: p.From, To: p.To, For: p.For})
	}
	s, err := meter.NewSchedule(g...)
	if err != nil {
		return 0
	}
	return s.Total()
}

// apply puts the schedule into a run.
func (o *pacing) apply(s *crew.Spec) {
	s.Segments, s.Duration = o.segments, o.duration
	switch {
	case o.segments != nil && o.duration > 0:
		s.Messages = o.total()
	case o.duration > 0:
		s.Messages = 0
	}
}

// body are the options of what is sent.
type body struct {
	payload string
	header  nats.Header
	random  bool
}

func (o *body) bind(c *fisk.CmdClause) {
	flagval.ExistingFileVar(c.Flag("payload", "Send the contents of this file").PlaceHolder("FILE"), &o.payload)
	flagval.HeaderVar(c.Flag("header", "Header to put on each message; templates such as {{Count}} and {{ID}} are filled in for each").Short('H').PlaceHolder("K:V"), &o.header)
	c.Flag("random", "Send bytes that do not compress instead of zeroes").UnNegatableBoolVar(&o.random)
}

// checkHeader refuses headers whose templates do not compile.
func (o *body) checkHeader() error {
	_, err := payload.CompileHeader(o.header, payload.ForPublish)
	return err
}

// multi are the options that spread messages over subjects.
type multi struct {
	on     bool
	most   int64
	random bool
}

func (o *multi) bind(c *fisk.CmdClause) {
	c.Flag("multisubject", "Publish to SUBJECT.N, another N for each message").UnNegatableBoolVar(&o.on)
	c.Flag("multisubjectmax", "N stays below this; 0 is no limit").Default("100000").SetValue(flagval.NewInt64(&o.most).Min(0))
	c.Flag("multisubjectrandomize", "Choose N at random instead of counting up").UnNegatableBoolVar(&o.random)
}

func (o *multi) spec() crew.Multi { return crew.Multi{On: o.on, Max: o.most, Random: o.random} }

// publishable refuses a subject that nothing can be published to.
func publishable(subject string) error {
	if err := flagval.CheckSubject(subject, false); err != nil {
		return fail.Usagef("%w: %s", nats.ErrBadSubject, err)
	}
	return nil
}

// subscribable refuses a subject that nothing can be subscribed to.
func subscribable(subject string) error {
	if err := flagval.CheckSubject(subject, true); err != nil {
		return fail.Usagef("%w: %s", nats.ErrBadSubject, err)
	}
	return nil
}

// stampable refuses payloads too small for a stamp.
func stampable(latency bool, size int64, payload string) error {
	switch {
	case latency && payload != "":
		return fail.Usagef("--latency writes into the payload: leave --payload out")
	case latency && size < meter.StampSize:
		return fail.Usagef("--latency needs a --size of at least %d bytes", meter.StampSize)
	}
	return nil
}
