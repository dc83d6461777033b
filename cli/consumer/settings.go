package consumer

import (
	"fmt"
	"strconv"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/jsconf"
)

// settingFlags are the flags that describe a consumer, as add, edit and copy take them.
type settingFlags struct {
	ack                        string
	bps                        uint64
	backoff                    string
	backoffSteps               int64
	backoffMin, backoffMax     time.Duration
	deliver, deliverGroup      string
	description                string
	ephemeral                  bool
	filters                    []string
	flowControl                bool
	heartbeat                  time.Duration
	headersOnly                bool
	maxDeliver                 int64
	maxPending, maxOutstanding int64
	maxWaiting                 int64
	maxBatch, maxBytes         int64
	maxExpire                  time.Duration
	pull                       bool
	replay                     string
	sample                     int64
	target                     string
	wait                       time.Duration
	inactive                   time.Duration
	memory                     bool
	replicas                   int64
	metadata                   map[string]string
	pause                      string
	pinned, overflow, priority []string
	pinnedTTL                  time.Duration

	given map[string]*bool
}

func (f *settingFlags) flag(c *fisk.CmdClause, name, help string) *fisk.FlagClause {
	if f.given == nil {
		f.given = map[string]*bool{}
	}
	f.given[name] = new(bool)
	return c.Flag(name, help).IsSetByUser(f.given[name])
}

// bind declares the flags that add, edit and copy have in common.
func (f *settingFlags) bind(c *fisk.CmdClause) {
	f.given = nil
	f.flag(c, "backoff", "Waits before redeliveries: linear, exponential, none, or a list such as 1s,5s,1m").PlaceHolder("MODE").StringVar(&f.backoff)
	f.flag(c, "backoff-steps", "How many waits to make").Default("10").SetValue(flagval.NewInt64(&f.backoffSteps).Min(1).Max(consumers.MaxBackoff))
	f.flag(c, "backoff-min", "The first wait").Default("1m").SetValue(flagval.NewDuration(&f.backoffMin).Positive())
	f.flag(c, "backoff-max", "The last wait").Default("20m").SetValue(flagval.NewDuration(&f.backoffMax).Positive())
	f.flag(c, "description", "What the consumer is for").StringVar(&f.description)
	f.flag(c, "filter", "Deliver only these subjects, separated by commas or repeated").PlaceHolder("SUBJECTS").StringsVar(&f.filters)
	f.flag(c, "headers-only", "Deliver headers without bodies").BoolVar(&f.headersOnly)
	f.flag(c, "max-deliver", "How often a message is delivered at most").PlaceHolder("TRIES").SetValue(flagval.NewInt64(&f.maxDeliver).Min(-1))
	f.flag(c, "max-outstanding", "The same as --max-pending").Hidden().Default("-1").SetValue(flagval.NewInt64(&f.maxOutstanding).Min(-1))
	f.flag(c, "max-pending", "How many messages may wait for their acknowledgement").Default("-1").SetValue(flagval.NewInt64(&f.maxPending).Min(-1))
	f.flag(c, "max-pull-batch", "The largest batch of a pull").PlaceHolder("BATCH_SIZE").SetValue(flagval.NewInt64(&f.maxBatch).Min(0))
	f.flag(c, "max-pull-expire", "The longest wait of a pull").PlaceHolder("EXPIRES").SetValue(flagval.NewDuration(&f.maxExpire).Min(0))
	f.flag(c, "max-pull-bytes", "The most bytes of a pull").PlaceHolder("BYTES").SetValue(flagval.NewBytes(&f.maxBytes).Max(1<<31 - 1))
	f.flag(c, "sample", "Percentage of acknowledgements to report").Default("-1").SetValue(flagval.NewInt64(&f.sample).Min(-1).Max(100))
	f.flag(c, "target", "Deliver to this subject: a push consumer").PlaceHolder("SUBJECT").StringVar(&f.target)
	f.flag(c, "wait", "How long an acknowledgement is waited for").Default("-1s").SetValue(flagval.NewDuration(&f.wait))
	f.flag(c, "inactive-threshold", "Remove the consumer when it was idle for that long").PlaceHolder("THRESHOLD").SetValue(flagval.NewDuration(&f.inactive).Min(0))
	f.flag(c, "replicas", "How many servers keep the state; 0 is as many as the stream").SetValue(flagval.NewInt64(&f.replicas).Min(0).Max(5))
	f.flag(c, "metadata", "User metadata as key=value").PlaceHolder("META").SetValue(flagval.NewMap(&f.metadata))
}

// bindNew declares the flags of what is fixed once a consumer is there.
func (f *settingFlags) bindNew(c *fisk.CmdClause) {
	f.flag(c, "ack", "What has to be acknowledged").EnumVar(&f.ack, "none", "all", "explicit", "flow_control")
	f.flag(c, "bps", "Bits a second at most, push only").Default("0").SetValue(flagval.NewUint64(&f.bps))
	f.flag(c, "deliver", "Where to start: all, last, new, subject, a sequence, a duration ago, a time").PlaceHolder("POLICY").StringVar(&f.deliver)
	f.flag(c, "deliver-group", "Share the messages in this queue group, push only").Default(unset).PlaceHolder("GROUP").StringVar(&f.deliverGroup)
	f.flag(c, "ephemeral", "Forget the consumer when nobody uses it").UnNegatableBoolVar(&f.ephemeral)
	f.flag(c, "flow-control", "Wait for slow receivers, push only").UnNegatableBoolVar(&f.flowControl)
	f.flag(c, "heartbeat", "Signs of life when idle, push only; -1 for none").SetValue(flagval.NewDuration(&f.heartbeat).Unlimited(0).Min(0))
	f.flag(c, "max-waiting", "How many pulls may wait").PlaceHolder("PULLS").SetValue(flagval.NewInt64(&f.maxWaiting).Min(0))
	f.flag(c, "pull", "Messages are fetched: a pull consumer").UnNegatableBoolVar(&f.pull)
	f.flag(c, "replay", "Deliver at once, or at the pace of the original").PlaceHolder("POLICY").EnumVar(&f.replay, "instant", "original")
	f.flag(c, "memory", "Keep the state in memory").UnNegatableBoolVar(&f.memory)
	f.flag(c, "pause", "Deliver nothing until this time, or for this duration").StringVar(&f.pause)
	f.flag(c, "pinned-groups", "Groups whose messages go to one client at a time").PlaceHolder("GROUPS").StringsVar(&f.pinned)
	f.flag(c, "pinned-ttl", "How long a silent client stays pinned").PlaceHolder("TTL").SetValue(flagval.NewDuration(&f.pinnedTTL).Positive())
	f.flag(c, "overflow-groups", "Groups that get messages only above a backlog").PlaceHolder("GROUPS").StringsVar(&f.overflow)
	f.flag(c, "prioritized-groups", "Groups that are served by priority").PlaceHolder("GROUPS").StringsVar(&f.priority)
}

// unset is what the flag of the queue group holds when nobody gave it: an empty group is an answer too.
const unset = "_unset_"

// has reports whether the flag was given on the command line, or answered.
func (f *settingFlags) has(name string) bool { return f.given[name] != nil && *f.given[name] }

// give makes a flag count as given: an answer took its place.
func (f *settingFlags) give(name string) { f.given[name] = new(bool); *f.given[name] = true }

func (f *settingFlags) isPull() bool { return f.pull || f.target == "" }

// noWait is the value of --wait that leaves it to the server.
const noWait = -time.Second

// check refuses settings that contradict each other, before anything is sent.
func (f *settingFlags) check(now time.Time) error {
	sets := 0
	for _, groups := range [][]string{f.pinned, f.overflow, f.priority} {
		if len(groups) > 0 {
			sets++
		}
	}
	switch {
	case f.pull && f.target != "":
		return fail.Usagef("--pull and --target exclude each other")
	case sets > 1:
		return fail.Usagef("--pinned-groups, --overflow-groups and --prioritized-groups exclude each other")
	case f.has("pinned-ttl") && len(f.pinned) == 0:
		return fail.Usagef("--pinned-ttl needs --pinned-groups")
	case f.has("max-pending") && f.has("max-outstanding"):
		return fail.Usagef("--max-pending and --max-outstanding are the same setting")
	case f.pull && f.bps > 0:
		return fail.Usagef("--bps is for push consumers: pass --target")
	case f.wait < 0 && f.wait != noWait:
		return fail.Usagef("--wait: %s is no time to wait", f.wait)
	case f.pull && f.heartbeat > 0:
		return fail.Usagef("--heartbeat is for push consumers: pass --target")
	}
	if f.has("target") && f.target != "" {
		if err := flagval.CheckSubject(f.target, false); err != nil {
			return fail.Usagef("--target: %w", err)
		}
	}
	for _, s := range jsconf.SplitSubjects(f.filters) {
		if err := flagval.CheckSubject(s, true); err != nil {
			return fail.Usagef("--filter: %w", err)
		}
	}
	if f.has("deliver") {
		if _, err := consumers.ParseStart(f.deliver, now); err != nil {
			return fail.Usagef("--deliver: %w", err)
		}
	}
	if f.has("pause") {
		if _, err := consumers.ParseUntil(f.pause, now); err != nil {
			return fail.Usagef("--pause: %w", err)
		}
	}
	_, err := f.waits()
	return err
}

// waits is the backoff policy that the flags say.
func (f *settingFlags) waits() ([]time.Duration, error) {
	if !f.has("backoff") {
		for _, name := range []string{"backoff-steps", "backoff-min", "backoff-max"} {
			if f.has(name) {
				return nil, fail.Usagef("--%s needs --backoff linear or exponential", name)
			}
		}
		return nil, nil
	}
	list, err := consumers.Backoff(f.backoff, int(f.backoffSteps), f.backoffMin, f.backoffMax)
	if err != nil {
		return nil, fail.Usagef("--backoff: %w", err)
	}
	return list, nil
}

// apply changes the configuration as the given flags say. Everything else in it stays as it is, keys unknown to this program
// included.
func (f *settingFlags) apply(cfg *jsconf.Config, now time.Time) error {
	for _, part := range []func(*jsconf.Config, time.Time) error{f.applyMode, f.applyPlain, f.applyFilters, f.applyPull, f.applyWaits, f.applyGroups} {
		if err := part(cfg, now); err != nil {
			return err
		}
	}
	return nil
}

// put sets a key when the flag was given; a value that means nothing takes the key away.
func (f *settingFlags) put(cfg *jsconf.Config, flag string, keep bool, v any, key string) error {
	switch {
	case !f.has(flag):
		return nil
	case !keep:
		cfg.Unset(key)
		return nil
	}
	return cfg.Set(v, key)
}

type setting struct {
	flag string
	keep bool
	v    any
	key  string
}

func (f *settingFlags) putAll(cfg *jsconf.Config, list ...setting) error {
	for _, s := range list {
		if err := f.put(cfg, s.flag, s.keep, s.v, s.key); err != nil {
			return fmt.Errorf("--%s: %w", s.flag, err)
		}
	}
	return nil
}

// applyMode makes it a pull or a push consumer.
func (f *settingFlags) applyMode(cfg *jsconf.Config, _ time.Time) error {
	if f.pull {
		for _, key := range []string{"deliver_subject", "deliver_group", "idle_heartbeat", "flow_control", "rate_limit_bps"} {
			cfg.Unset(key)
		}
	}
	if f.has("target") && f.target != "" && !cfg.Has("deliver_subject") {
		for _, key := range []string{"max_waiting", "max_batch", "max_expires", "max_bytes"} {
			cfg.Unset(key)
		}
	}
	if err := f.put(cfg, "target", f.target != "", f.target, "deliver_subject"); err != nil {
		return err
	}
	if f.has("deliver-group") && f.deliverGroup != unset {
		return f.put(cfg, "deliver-group", f.deliverGroup != "", f.deliverGroup, "deliver_group")
	}
	return nil
}

func (f *settingFlags) applyPlain(cfg *jsconf.Config, now time.Time) error {
	pending := f.maxPending
	if f.has("max-outstanding") {
		pending = f.maxOutstanding
	}
	err := f.putAll(cfg,
		setting{"ack", true, f.ack, "ack_policy"},
		setting{"description", f.description != "", f.description, "description"},
		setting{"headers-only", f.headersOnly, true, "headers_only"},
		setting{"max-deliver", f.maxDeliver != 0, f.maxDeliver, "max_deliver"},
		setting{"max-pending", pending != 0, pending, "max_ack_pending"},
		setting{"max-outstanding", pending != 0, pending, "max_ack_pending"},
		setting{"replay", true, f.replay, "replay_policy"},
		setting{"sample", f.sample > 0, strconv.FormatInt(f.sample, 10), "sample_freq"},
		setting{"inactive-threshold", f.inactive > 0, f.inactive, "inactive_threshold"},
		setting{"memory", f.memory, true, "mem_storage"},
		setting{"replicas", true, f.replicas, "num_replicas"},
		setting{"metadata", len(f.metadata) > 0, f.metadata, "metadata"},
		setting{"bps", f.bps > 0, f.bps, "rate_limit_bps"},
		setting{"heartbeat", f.heartbeat > 0, f.heartbeat, "idle_heartbeat"},
		setting{"flow-control", f.flowControl, true, "flow_control"},
	)
	if err != nil || !f.has("pause") {
		return err
	}
	until, err := consumers.ParseUntil(f.pause, now)
	if err != nil {
		return fail.Usagef("--pause: %w", err)
	}
	return cfg.Set(until.UTC(), "pause_until")
}

// applyFilters sets the filters and then the start, which may depend on them.
func (f *settingFlags) applyFilters(cfg *jsconf.Config, now time.Time) error {
	if f.has("filter") {
		if err := consumers.SetFilters(cfg, jsconf.SplitSubjects(f.filters)); err != nil {
			return err
		}
	}
	if !f.has("deliver") {
		return nil
	}
	s, err := consumers.ParseStart(f.deliver, now)
	if err != nil {
		return fail.Usagef("--deliver: %w", err)
	}
	return s.Apply(cfg)
}

func (f *settingFlags) applyPull(cfg *jsconf.Config, _ time.Time) error {
	return f.putAll(cfg,
		setting{"max-waiting", f.maxWaiting > 0, f.maxWaiting, "max_waiting"},
		setting{"max-pull-batch", f.maxBatch > 0, f.maxBatch, "max_batch"},
		setting{"max-pull-expire", f.maxExpire > 0, f.maxExpire, "max_expires"},
		setting{"max-pull-bytes", f.maxBytes > 0, f.maxBytes, "max_bytes"},
	)
}

// applyWaits sets how long to wait for acknowledgements. With a backoff the server waits as its first entry says, and the number
// of deliveries must be above the number of entries.
func (f *settingFlags) applyWaits(cfg *jsconf.Config, _ time.Time) error {
	if f.wait > 0 {
		if err := f.put(cfg, "wait", true, f.wait, "ack_wait"); err != nil {
			return err
		}
	}
	if !f.has("backoff") {
		return nil
	}
	list, err := f.waits()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		cfg.Unset("backoff")
		return nil
	}
	if err := cfg.Set(list, "backoff"); err != nil {
		return err
	}
	if err := cfg.Set(list[0], "ack_wait"); err != nil {
		return err
	}
	typed, err := consumers.Typed(cfg)
	if err != nil {
		return err
	}
	if typed.MaxDeliver <= 0 {
		return cfg.Set(len(list)+1, "max_deliver")
	}
	return nil
}

func (f *settingFlags) applyGroups(cfg *jsconf.Config, _ time.Time) error {
	for _, p := range []struct {
		policy string
		groups []string
	}{{"pinned_client", f.pinned}, {"overflow", f.overflow}, {"prioritized", f.priority}} {
		groups := jsconf.SplitSubjects(p.groups)
		if len(groups) == 0 {
			continue
		}
		cfg.Unset("priority_timeout")
		if err := cfg.Set(p.policy, "priority_policy"); err != nil {
			return err
		}
		if err := cfg.Set(groups, "priority_groups"); err != nil {
			return err
		}
	}
	if f.has("pinned-ttl") {
		return cfg.Set(f.pinnedTTL, "priority_timeout")
	}
	return nil
}
