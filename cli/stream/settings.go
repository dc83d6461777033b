package stream

import (
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/jsconf"
)

// settingFlags are the flags that describe a stream, as add, edit and copy take them.
type settingFlags struct {
	subjects, tags, hiddenTags           []string
	description, storage, compression    string
	replicas                             int64
	cluster                              string
	ack                                  bool
	retention, discard                   string
	discardPerSubject                    bool
	firstSequence                        uint64
	maxAge, dupeWindow                   time.Duration
	maxBytes, maxMsgSize                 int64
	maxConsumers, maxMsgs, maxPerSubject int64
	mirror                               string
	sources                              []string
	batch, fast, counter, rollup         bool
	denyDelete, denyPurge                bool
	direct, mirrorDirect, ttl, schedules bool
	markersTTL                           time.Duration
	transformSource, transformDest       string
	republishSource, republishDest       string
	republishHeaders                     bool
	metadata                             map[string]string
	consumerInactive                     time.Duration
	consumerPending                      int64
	persistMode                          string

	// edit alone
	noMirror, noTransform, noRepublish bool
	addSources, removeSources          []string

	given map[string]*bool
}

// bind declares the flags that add, edit and copy have in common.
func (f *settingFlags) bind(c *fisk.CmdClause) {
	f.given = map[string]*bool{}
	flag := func(name, help string) *fisk.FlagClause {
		f.given[name] = new(bool)
		return c.Flag(name, help).IsSetByUser(f.given[name])
	}
	flag("subjects", "Subjects to store, separated by commas or repeated").StringsVar(&f.subjects)
	flag("description", "What the stream is for").StringVar(&f.description)
	flag("compression", "Compress what is stored").EnumVar(&f.compression, "none", "s2")
	flag("replicas", "How many servers keep a copy").SetValue(flagval.NewInt64(&f.replicas).Min(0).Max(5))
	flag("tag", "Place the stream on servers with all these tags").StringsVar(&f.tags)
	flag("tags", "The same as --tag").Hidden().StringsVar(&f.hiddenTags)
	flag("cluster", "Place the stream in this cluster").StringVar(&f.cluster)
	flag("ack", "Acknowledge what is published").Default("true").BoolVar(&f.ack)
	flag("retention", "When messages are removed").EnumVar(&f.retention, "limits", "interest", "workq", "work")
	flag("discard", "What gives way when the stream is full: new messages or old ones").EnumVar(&f.discard, "new", "old")
	flag("discard-per-subject", "Refuse new messages on a subject that is full; needs --discard new").BoolVar(&f.discardPerSubject)
	flag("max-age", "How long messages are kept").Default("").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&f.maxAge).Unlimited(0).Min(0))
	flag("max-bytes", "How large the stream may become").PlaceHolder("BYTES").SetValue(flagval.NewBytes(&f.maxBytes).Unlimited())
	flag("max-consumers", "How many consumers there may be").Default("-1").SetValue(flagval.NewInt64(&f.maxConsumers).Min(-1))
	flag("max-msg-size", "How large a message may be").PlaceHolder("BYTES").SetValue(flagval.NewBytes(&f.maxMsgSize).Unlimited().Max(1<<31 - 1))
	flag("max-msgs", "How many messages are kept").Default("0").SetValue(flagval.NewInt64(&f.maxMsgs).Min(-1))
	flag("max-msgs-per-subject", "How many messages are kept of each subject").Default("0").SetValue(flagval.NewInt64(&f.maxPerSubject).Min(-1))
	flag("dupe-window", "How long message ids are remembered").Default("").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&f.dupeWindow).Unlimited(0))
	flag("mirror", "Copy another stream: its name, or JSON").StringVar(&f.mirror)
	flag("source", "Add what another stream stores: its name, or JSON").PlaceHolder("STREAM").StringsVar(&f.sources)
	f.bindFeatures(flag)
}

func (f *settingFlags) bindFeatures(flag func(name, help string) *fisk.FlagClause) {
	flag("allow-batch", "Allow atomic batches").BoolVar(&f.batch)
	flag("allow-fast", "Allow fast batches").BoolVar(&f.fast)
	flag("allow-counter", "Make every subject a counter").UnNegatableBoolVar(&f.counter)
	flag("allow-rollup", "Allow messages that replace all earlier ones").BoolVar(&f.rollup)
	flag("deny-delete", "Refuse to remove single messages through the API").BoolVar(&f.denyDelete)
	flag("deny-purge", "Refuse to purge through the API").BoolVar(&f.denyPurge)
	flag("allow-direct", "Let replicas answer reads").Default("true").BoolVar(&f.direct)
	flag("allow-mirror-direct", "Let mirrors answer reads").BoolVar(&f.mirrorDirect)
	flag("allow-msg-ttl", "Allow messages that expire by themselves").UnNegatableBoolVar(&f.ttl)
	flag("allow-schedules", "Allow messages that are published later").BoolVar(&f.schedules)
	flag("subject-del-markers-ttl", "Leave a marker that long when the last message of a subject goes").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&f.markersTTL).Min(0))
	flag("transform-source", "Subjects to rename when storing").PlaceHolder("SOURCE").StringVar(&f.transformSource)
	flag("transform-destination", "Their new name").PlaceHolder("DEST").StringVar(&f.transformDest)
	flag("metadata", "User metadata as key=value").PlaceHolder("META").SetValue(flagval.NewMap(&f.metadata))
	flag("republish-source", "Subjects to publish again once stored").PlaceHolder("SOURCE").StringVar(&f.republishSource)
	flag("republish-destination", "The subject to publish them on").PlaceHolder("DEST").StringVar(&f.republishDest)
	flag("republish-headers", "Publish the headers alone").UnNegatableBoolVar(&f.republishHeaders)
}

// bindNew declares the flags of what can be set only when a stream is made.
func (f *settingFlags) bindNew(c *fisk.CmdClause) {
	flag := func(name, help string) *fisk.FlagClause {
		f.given[name] = new(bool)
		return c.Flag(name, help).IsSetByUser(f.given[name])
	}
	flag("storage", "Where messages are kept").EnumVar(&f.storage, "file", "f", "memory", "m")
	flag("first-sequence", "The sequence of the first message").SetValue(flagval.NewUint64(&f.firstSequence))
	flag("limit-consumer-inactive", "Remove consumers that are idle for longer").PlaceHolder("THRESHOLD").SetValue(flagval.NewDuration(&f.consumerInactive).Min(0))
	flag("limit-consumer-max-pending", "The most messages a consumer may have unacknowledged").PlaceHolder("PENDING").SetValue(flagval.NewInt64(&f.consumerPending).Min(-1))
	flag("persist-mode", "When a message counts as stored").EnumVar(&f.persistMode, "default", "async")
}

// has reports whether the flag was given on the command line.
func (f *settingFlags) has(name string) bool { return f.given[name] != nil && *f.given[name] }

// pick is v when the flag was given, else nil.
func pickIf[T any](f *settingFlags, name string, v T) *T {
	if !f.has(name) {
		return nil
	}
	return &v
}

// nonZero is pickIf for limits where 0 means "not said".
func nonZero(f *settingFlags, name string, v int64) *int64 {
	if v == 0 {
		return nil
	}
	return pickIf(f, name, v)
}

// settings are the flags that were given, checked against each other.
func (f *settingFlags) settings() (jsconf.Settings, error) {
	s := jsconf.Settings{
		Description: pickIf(f, "description", f.description), Storage: pickIf(f, "storage", f.storage), Compression: pickIf(f, "compression", f.compression),
		Replicas: nonZero(f, "replicas", f.replicas), Cluster: pickIf(f, "cluster", f.cluster), Ack: pickIf(f, "ack", f.ack),
		Retention: pickIf(f, "retention", f.retention), Discard: pickIf(f, "discard", f.discard), DiscardPerSubject: pickIf(f, "discard-per-subject", f.discardPerSubject),
		FirstSequence: pickIf(f, "first-sequence", f.firstSequence), MaxAge: pickIf(f, "max-age", f.maxAge), MaxBytes: nonZero(f, "max-bytes", f.maxBytes),
		MaxMsgSize: nonZero(f, "max-msg-size", f.maxMsgSize), MaxConsumers: pickIf(f, "max-consumers", f.maxConsumers), MaxMsgs: nonZero(f, "max-msgs", f.maxMsgs),
		MaxMsgsPerSubject: nonZero(f, "max-msgs-per-subject", f.maxPerSubject),
		AllowBatch:        pickIf(f, "allow-batch", f.batch), AllowFast: pickIf(f, "allow-fast", f.fast), AllowCounter: pickIf(f, "allow-counter", f.counter),
		AllowRollup: pickIf(f, "allow-rollup", f.rollup), DenyDelete: pickIf(f, "deny-delete", f.denyDelete), DenyPurge: pickIf(f, "deny-purge", f.denyPurge),
		AllowDirect: pickIf(f, "allow-direct", f.direct), AllowMirrorDirect: pickIf(f, "allow-mirror-direct", f.mirrorDirect), AllowMsgTTL: pickIf(f, "allow-msg-ttl", f.ttl),
		AllowSchedules: pickIf(f, "allow-schedules", f.schedules), MarkersTTL: pickIf(f, "subject-del-markers-ttl", f.markersTTL),
		TransformSource: pickIf(f, "transform-source", f.transformSource), TransformDestination: pickIf(f, "transform-destination", f.transformDest),
		RepublishSource: pickIf(f, "republish-source", f.republishSource), RepublishDestination: pickIf(f, "republish-destination", f.republishDest),
		RepublishHeaders: pickIf(f, "republish-headers", f.republishHeaders), ConsumerInactive: pickIf(f, "limit-consumer-inactive", f.consumerInactive),
		ConsumerMaxPending: pickIf(f, "limit-consumer-max-pending", f.consumerPending), PersistMode: pickIf(f, "persist-mode", f.persistMode),
		NoMirror: f.noMirror, NoTransform: f.noTransform, NoRepublish: f.noRepublish, RemoveSources: f.removeSources,
	}
	if f.dupeWindow > 0 {
		s.DuplicateWindow = pickIf(f, "dupe-window", f.dupeWindow)
	}
	if f.has("metadata") {
		s.Metadata = f.metadata
	}
	if f.has("tag") || f.has("tags") {
		s.Tags = append(append([]string{}, f.tags...), f.hiddenTags...)
	}
	if f.has("subjects") {
		if s.Subjects = jsconf.SplitSubjects(f.subjects); len(s.Subjects) == 0 {
			return s, fail.Usagef("--subjects is empty")
		}
	}
	if err := f.origins(&s); err != nil {
		return s, err
	}
	return s, s.Check()
}

// origins parses the streams to copy from.
func (f *settingFlags) origins(s *jsconf.Settings) error {
	if f.has("mirror") {
		m, err := jsconf.ParseSource("mirror", f.mirror)
		if err != nil {
			return err
		}
		s.Mirror = &m
	}
	for _, list := range []struct {
		flag string
		from []string
		to   *[]jsconf.Source
	}{{"source", f.sources, &s.Sources}, {"add-source", f.addSources, &s.AddSources}} {
		for _, text := range list.from {
			src, err := jsconf.ParseSource(list.flag, text)
			if err != nil {
				return err
			}
			*list.to = append(*list.to, src)
		}
	}
	return nil
}
