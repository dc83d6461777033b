// Package sub is the command that receives messages: live from the subjects, or from a stream.
package sub

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/payload"
)

// Command is `nats subscribe`.
func Command() command.Node { return subVerb() }

type subOptions struct {
	subjects []string
	queue    string
	inbox    bool
	count    uint64
	wait     time.Duration
	ignore   []string
	ack      bool
	match    bool
	backlog  int64

	raw          bool
	delimiter    string
	delimiterSet bool
	translate    string
	headersOnly  bool
	subjectsOnly bool
	dump         string
	timestamp    bool
	delta        bool

	reportSubjects bool
	reportSubs     bool
	reportTop      int64
	graph          bool

	stream         string
	durable        string
	direct         bool
	all            bool
	newOnly        bool
	last           bool
	lastPerSubject bool
	since          flagval.Since
	startSeq       uint64
	toEnd          bool

	translator *payload.Command
}

func subVerb() command.Node {
	return command.Verb[subOptions]{
		Meta: command.Meta{
			Name: "subscribe", Aliases: []string{"sub"}, Short: "Receive messages",
			Long: `Without further flags the messages that are published to the subjects from now on are shown. With --stream, or any flag that says where in a stream to start, they are read from the stream: nothing in it is changed unless --durable names a consumer, whose messages are acknowledged once they are shown.

A reader that is slower than the subject loses nothing at first: what it has not taken is kept in memory, then on disk. What does not fit there (--backlog) is dropped and counted, and the command ends with 7.

--raw writes bodies alone, byte for byte, each followed by a line break if it has none; --delimiter TEXT puts TEXT there instead, \0 say, or nothing. --format 'line=%s %p\n' makes a line of each message.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: record{},
		Names: command.Names{"stream": command.Streams, "durable": command.Consumers},
		Examples: []command.Example{
			{Line: "nats sub 'orders.*'", Says: "Subscribing on orders.*", About: "All orders from now on"},
			{Line: "nats sub 'orders.*' --format 'line=%s %p\\n'", Says: "Subscribing on", About: "One line for each"},
			{Line: "nats sub --stream ORDERS --all --terminate-at-end", Says: "[#1] Received JetStream message", About: "Everything that a stream holds, then end",
				Needs: []string{"stream add ORDERS --subjects 'orders.*' --defaults", "pub orders.1 new -J"}},
		},
		Bind: bindSub, Check: checkSub, Run: runSub,
	}
}

func bindSub(c *fisk.CmdClause, o *subOptions) {
	c.Arg("subjects", "Subjects to subscribe to, wildcards allowed").StringsVar(&o.subjects)
	c.Flag("queue", "Share the messages with the other members of a queue group").StringVar(&o.queue)
	c.Flag("durable", "Read a stream by this durable consumer and acknowledge what was shown").StringVar(&o.durable)
	c.Flag("raw", "Write the bodies alone, byte for byte").Short('r').UnNegatableBoolVar(&o.raw)
	c.Flag("delimiter", `What stands after each body with --raw, instead of a line break where there is none; knows \n \t \0 \xHH`).PlaceHolder("TEXT").IsSetByUser(&o.delimiterSet).StringVar(&o.delimiter)
	c.Flag("translate", "Put each body through a command first, without a shell").PlaceHolder("COMMAND").StringVar(&o.translate)
	c.Flag("ack", "Acknowledge messages that come from a stream").BoolVar(&o.ack)
	c.Flag("match-replies", "Show each request together with its reply").UnNegatableBoolVar(&o.match)
	c.Flag("inbox", "Subscribe to a new inbox").Short('i').UnNegatableBoolVar(&o.inbox)
	c.Flag("count", "End after this many messages").PlaceHolder("N").Validator(flagval.Whole(0, 1<<62)).Uint64Var(&o.count)
	c.Flag("dump", "Write each message as JSON to a file in this directory; - is standard output, each ended by NUL").PlaceHolder("DIRECTORY").StringVar(&o.dump)
	c.Flag("headers-only", "Show no bodies").UnNegatableBoolVar(&o.headersOnly)
	c.Flag("subjects-only", "Show neither headers nor bodies").UnNegatableBoolVar(&o.subjectsOnly)
	c.Flag("start-sequence", "Start at this sequence of the stream").PlaceHolder("SEQUENCE").Validator(flagval.Whole(0, 1<<62)).Uint64Var(&o.startSeq)
	c.Flag("all", "Start at the first message of the stream").UnNegatableBoolVar(&o.all)
	c.Flag("new", "Start with the next message of the stream").UnNegatableBoolVar(&o.newOnly)
	c.Flag("last", "Start with the last message of the stream").UnNegatableBoolVar(&o.last)
	flagval.SinceVar(c.Flag("since", "Start with the messages since: a duration, an RFC 3339 time, unix seconds or a sequence").PlaceHolder("SINCE"), &o.since)
	c.Flag("last-per-subject", "Start with the last message of each subject").UnNegatableBoolVar(&o.lastPerSubject)
	c.Flag("terminate-at-end", "End when the stream has nothing more").Short('T').UnNegatableBoolVar(&o.toEnd)
	c.Flag("stream", "The stream to read").PlaceHolder("STREAM").StringVar(&o.stream)
	c.Flag("backlog", "How much may wait for a slow reader, in memory and then on disk, before messages are dropped").Default("1GB").PlaceHolder("SIZE").SetValue(flagval.NewBytes(&o.backlog).Min(1))
	flagval.SubjectsVar(c.Flag("ignore-subject", "Show nothing of these subjects, wildcards allowed").Short('I').PlaceHolder("SUBJECT"), &o.ignore)
	c.Flag("wait", "End after this long without a message").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.wait).Min(0))
	c.Flag("report-subjects", "Count the messages of each subject instead").UnNegatableBoolVar(&o.reportSubjects)
	c.Flag("report-subscriptions", "Count the messages of each subscription instead").UnNegatableBoolVar(&o.reportSubs)
	c.Flag("report-top", "How many rows the live report has").Default("10").Validator(flagval.Whole(1, 1<<20)).Int64Var(&o.reportTop)
	c.Flag("timestamp", "Show when each message was received, or stored").Short('t').UnNegatableBoolVar(&o.timestamp)
	c.Flag("delta-time", "Show the time since the start, or the age of a stored message").Short('d').UnNegatableBoolVar(&o.delta)
	c.Flag("graph", "Draw the rate of each subject, four at most").UnNegatableBoolVar(&o.graph)
	c.Flag("direct", "Read the stream by direct gets, without a consumer").UnNegatableBoolVar(&o.direct)
}

// OutputFormat claims the text format for what is no feed of messages, so that asking for another one is an error.
func (o *subOptions) OutputFormat() string {
	if o.raw || o.dump != "" || o.graph {
		return "text"
	}
	return ""
}

// fromStream reports whether any flag asks for a stream.
func (o *subOptions) fromStream() bool {
	return o.stream != "" || o.durable != "" || o.direct || len(o.starts()) > 0
}

// starts are the flags given that say where to start.
func (o *subOptions) starts() []string {
	var out []string
	for _, f := range []struct {
		given bool
		name  string
	}{
		{o.startSeq > 0, "--start-sequence"}, {o.last, "--last"}, {o.all, "--all"}, {o.newOnly, "--new"},
		{o.since.Given, "--since"}, {o.lastPerSubject, "--last-per-subject"},
	} {
		if f.given {
			out = append(out, f.name)
		}
	}
	return out
}

func (o *subOptions) report() bool { return o.reportSubjects || o.reportSubs }

func checkSub(o *subOptions) error {
	if len(o.subjects) == 0 && o.stream == "" && !o.inbox {
		return fail.Usagef("nothing to subscribe to: no subject, no --stream, no --inbox").WithHint("nats sub 'orders.>'")
	}
	for _, s := range o.subjects {
		if err := flagval.CheckSubject(s, true); err != nil {
			return fail.Usagef("nats: invalid subject: %w", err)
		}
	}
	rules := []struct {
		broken bool
		why    string
	}{
		{o.timestamp && o.delta, "--timestamp and --delta-time exclude each other"},
		{o.dump == "-" && o.inbox, "--dump=- cannot be combined with --inbox"},
		{o.reportSubjects && o.reportSubs, "--report-subjects and --report-subscriptions exclude each other"},
		{o.report() && (o.raw || o.dump != "" || o.graph || o.match), "a report replaces the messages: leave out --raw, --dump, --graph and --match-replies"},
		{o.graph && (o.raw || o.dump != "" || o.match), "--graph replaces the messages: leave out --raw, --dump and --match-replies"},
		{o.graph && len(o.subjects) > 4, "--graph draws at most 4 subjects"},
		{o.graph && len(o.subjects) == 0 && !o.fromStream(), "--graph needs subjects"},
		{o.raw && o.dump != "", "--raw and --dump exclude each other"},
		{o.delimiterSet && !o.raw, "--delimiter belongs to --raw"},
	}
	for _, r := range rules {
		if r.broken {
			return fail.Usagef("%s", r.why)
		}
	}
	if err := o.checkMode(); err != nil {
		return err
	}
	if o.delimiterSet {
		text, err := unescape(o.delimiter)
		if err != nil {
			return err
		}
		o.delimiter = text
	}
	if o.translate != "" {
		var err error
		if o.translator, err = payload.ParseTranslate(o.translate); err != nil {
			return err
		}
	}
	return nil
}

func (o *subOptions) checkMode() error {
	starts := o.starts()
	live := !o.fromStream()
	rules := []struct {
		broken bool
		why    string
	}{
		{o.durable != "" && len(o.subjects) > 0, "a durable consumer has its own subjects: leave them out with --durable"},
		{!live && len(o.subjects) > 1, "a stream is read by one subject at a time"},
		{live && o.toEnd, "--terminate-at-end needs a stream: pass --stream or where to start"},
		{!live && o.inbox, "--inbox cannot be combined with reading a stream"},
		{!live && o.queue != "", "--queue cannot be combined with reading a stream"},
		{!live && o.match, "--match-replies cannot be combined with reading a stream"},
		{!live && o.reportSubs, "--report-subscriptions cannot be combined with reading a stream: use --report-subjects"},
		{len(starts) > 1, strings.Join(starts, " and ") + " exclude each other"},
		{o.direct && o.durable != "", "--direct and --durable exclude each other"},
	}
	for _, r := range rules {
		if r.broken {
			return fail.Usagef("%s", r.why)
		}
	}
	return nil
}

// unescape reads a delimiter: \n \t \r \0 \\ \xHH stand for bytes.
func unescape(s string) (string, error) {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(s, `"`, `\"`), `\0`, `\x00`) + `"`)
	if err != nil {
		return "", fail.Usagef(`--delimiter %q: it knows \n \t \r \0 \\ and \xHH`, s)
	}
	return text, nil
}

func runSub(ctx context.Context, e *env.Env, o subOptions) error {
	if o.fromStream() {
		return runStream(ctx, e, o)
	}
	return runCore(ctx, e, o)
}
