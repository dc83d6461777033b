package jsconf

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/fail"
)

// Settings are the stream settings that were given explicitly: a nil pointer or slice was not. Applied to a configuration they
// change what they name and nothing else.
type Settings struct {
	Subjects             []string // empty clears
	Description          *string
	Storage              *string // file, f, memory, m
	Compression          *string // none, s2
	Replicas             *int64
	Tags                 []string // one empty tag clears
	Cluster              *string  // empty clears
	Ack                  *bool
	Retention            *string // limits, interest, workq, work
	Discard              *string // new, old
	DiscardPerSubject    *bool
	FirstSequence        *uint64
	MaxAge               *time.Duration // not positive: unlimited
	MaxBytes             *int64         // not positive: unlimited, and so below
	MaxMsgSize           *int64
	MaxConsumers         *int64
	MaxMsgs              *int64
	MaxMsgsPerSubject    *int64
	DuplicateWindow      *time.Duration
	Mirror               *Source
	NoMirror             bool
	Sources              []Source // replace those that are there
	AddSources           []Source // replace the one of their name, else are added
	RemoveSources        []string
	AllowBatch           *bool
	AllowFast            *bool
	AllowCounter         *bool
	AllowRollup          *bool
	DenyDelete           *bool
	DenyPurge            *bool
	AllowDirect          *bool
	AllowMirrorDirect    *bool
	AllowMsgTTL          *bool
	AllowSchedules       *bool
	MarkersTTL           *time.Duration
	TransformSource      *string
	TransformDestination *string
	NoTransform          bool
	RepublishSource      *string
	RepublishDestination *string
	RepublishHeaders     *bool
	NoRepublish          bool
	Metadata             map[string]string // replaces all user metadata; nil leaves it, empty clears it
	ConsumerInactive     *time.Duration
	ConsumerMaxPending   *int64
	PersistMode          *string // default, async
}

// Check refuses settings that contradict each other, before anything is sent.
func (s *Settings) Check() error {
	pairs := []struct {
		a, b   *string
		na, nb string
	}{
		{s.TransformSource, s.TransformDestination, "transform-source", "transform-destination"},
		{s.RepublishSource, s.RepublishDestination, "republish-source", "republish-destination"},
	}
	for _, p := range pairs {
		switch {
		case p.a != nil && p.b == nil:
			return fail.Usagef("--%s needs --%s", p.na, p.nb)
		case p.b != nil && p.a == nil:
			return fail.Usagef("--%s needs --%s", p.nb, p.na)
		}
	}
	switch {
	case s.NoTransform && s.TransformSource != nil:
		return fail.Usagef("--no-transform and --transform-source exclude each other")
	case s.NoRepublish && s.RepublishSource != nil:
		return fail.Usagef("--no-republish and --republish-source exclude each other")
	case s.NoMirror && s.Mirror != nil:
		return fail.Usagef("--no-mirror and --mirror exclude each other")
	case s.Mirror != nil && len(s.Subjects) > 0:
		return fail.Usagef("--mirror and --subjects exclude each other: a mirror has the subjects of its origin")
	case s.Mirror != nil && len(s.Sources)+len(s.AddSources) > 0:
		return fail.Usagef("--mirror and --source exclude each other: a mirror has one origin")
	case s.MaxMsgSize != nil && *s.MaxMsgSize > math.MaxInt32:
		return fail.Usagef("--max-msg-size %d: the largest is %d", *s.MaxMsgSize, math.MaxInt32)
	case s.Replicas != nil && *s.Replicas < 1:
		return fail.Usagef("--replicas %d: a stream has at least one", *s.Replicas)
	case s.MarkersTTL != nil && *s.MarkersTTL < 0:
		return fail.Usagef("--subject-del-markers-ttl %s: it cannot be negative", *s.MarkersTTL)
	case s.DuplicateWindow != nil && *s.DuplicateWindow < 0:
		return fail.Usagef("--dupe-window %s: it cannot be negative", *s.DuplicateWindow)
	}
	for _, subject := range s.Subjects {
		if reason := SubjectFault(subject); reason != "" {
			return fail.Usagef("--subjects: %q %s", subject, reason)
		}
	}
	return nil
}

// SplitSubjects splits every entry at commas and spaces and drops what is empty.
func SplitSubjects(list []string) []string {
	out := []string{}
	for _, l := range list {
		out = append(out, strings.FieldsFunc(l, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })...)
	}
	return out
}

// Apply changes c as s says. Everything else in c stays as it is, keys unknown to this program included.
func (s *Settings) Apply(c *Config) error {
	if err := s.Check(); err != nil {
		return err
	}
	a := applier{c: c}
	s.applyBasics(&a)
	s.applyLimits(&a)
	s.applyFeatures(&a)
	s.applyBlocks(&a)
	s.applyOrigins(&a)
	return a.err
}

// applier keeps the first error, so that settings read as a list.
type applier struct {
	c   *Config
	err error
}

func (a *applier) set(v any, path ...string) {
	if a.err == nil {
		a.err = a.c.Set(v, path...)
	}
}

func setIf[T any](a *applier, v *T, path ...string) {
	if v != nil {
		a.set(*v, path...)
	}
}

// setText sets a text, or removes the key when it is empty.
func (a *applier) setText(v *string, path ...string) {
	switch {
	case v == nil:
	case *v == "":
		a.c.Unset(path...)
	default:
		a.set(*v, path...)
	}
}

func (a *applier) limit(v *int64, path ...string) {
	if v != nil {
		n := *v
		if n <= 0 {
			n = -1
		}
		a.set(n, path...)
	}
}

func (s *Settings) applyBasics(a *applier) {
	if s.Subjects != nil {
		if len(s.Subjects) == 0 {
			a.c.Unset("subjects")
		} else {
			a.set(s.Subjects, "subjects")
		}
	}
	a.setText(s.Description, "description")
	if s.Storage != nil {
		a.set(map[string]string{"f": "file", "file": "file", "m": "memory", "memory": "memory"}[*s.Storage], "storage")
	}
	setIf(a, s.Compression, "compression")
	setIf(a, s.Replicas, "num_replicas")
	if s.Tags != nil {
		if tags := slices.DeleteFunc(slices.Clone(s.Tags), func(t string) bool { return t == "" }); len(tags) == 0 {
			a.c.Unset("placement", "tags")
		} else {
			a.set(tags, "placement", "tags")
		}
	}
	a.setText(s.Cluster, "placement", "cluster")
	if s.Ack != nil {
		if *s.Ack {
			a.c.Unset("no_ack")
		} else {
			a.set(true, "no_ack")
		}
	}
	if s.Retention != nil {
		r := *s.Retention
		if r == "workq" || r == "work" {
			r = "workqueue"
		}
		a.set(r, "retention")
	}
	setIf(a, s.Discard, "discard")
	setIf(a, s.DiscardPerSubject, "discard_new_per_subject")
	if s.Metadata != nil {
		if len(s.Metadata) == 0 {
			a.c.Unset("metadata")
		} else {
			a.set(s.Metadata, "metadata")
		}
	}
	setIf(a, s.PersistMode, "persist_mode")
}

func (s *Settings) applyLimits(a *applier) {
	setIf(a, s.FirstSequence, "first_seq")
	if s.MaxAge != nil {
		a.set(int64(max(*s.MaxAge, 0)), "max_age")
	}
	a.limit(s.MaxBytes, "max_bytes")
	a.limit(s.MaxMsgSize, "max_msg_size")
	a.limit(s.MaxConsumers, "max_consumers")
	a.limit(s.MaxMsgs, "max_msgs")
	a.limit(s.MaxMsgsPerSubject, "max_msgs_per_subject")
	if s.DuplicateWindow != nil {
		a.set(int64(*s.DuplicateWindow), "duplicate_window")
	}
	if s.ConsumerInactive != nil {
		if *s.ConsumerInactive <= 0 {
			a.c.Unset("consumer_limits", "inactive_threshold")
		} else {
			a.set(int64(*s.ConsumerInactive), "consumer_limits", "inactive_threshold")
		}
	}
	setIf(a, s.ConsumerMaxPending, "consumer_limits", "max_ack_pending")
}

func (s *Settings) applyFeatures(a *applier) {
	setIf(a, s.AllowBatch, "allow_atomic")
	setIf(a, s.AllowFast, "allow_batched")
	setIf(a, s.AllowCounter, "allow_msg_counter")
	setIf(a, s.AllowRollup, "allow_rollup_hdrs")
	setIf(a, s.DenyDelete, "deny_delete")
	setIf(a, s.DenyPurge, "deny_purge")
	setIf(a, s.AllowDirect, "allow_direct")
	setIf(a, s.AllowMirrorDirect, "mirror_direct")
	setIf(a, s.AllowMsgTTL, "allow_msg_ttl")
	setIf(a, s.AllowSchedules, "allow_msg_schedules")
	if s.MarkersTTL != nil {
		if *s.MarkersTTL == 0 {
			a.c.Unset("subject_delete_marker_ttl")
		} else {
			a.set(int64(*s.MarkersTTL), "subject_delete_marker_ttl")
		}
	}
}

func (s *Settings) applyBlocks(a *applier) {
	if s.NoTransform {
		a.c.Unset("subject_transform")
	}
	if s.TransformSource != nil {
		a.set(*s.TransformSource, "subject_transform", "src")
		a.set(*s.TransformDestination, "subject_transform", "dest")
	}
	if s.NoRepublish {
		a.c.Unset("republish")
	}
	if s.RepublishSource != nil {
		a.set(*s.RepublishSource, "republish", "src")
		a.set(*s.RepublishDestination, "republish", "dest")
	}
	if s.RepublishHeaders != nil {
		if !a.c.Has("republish") {
			a.err = fail.Usagef("--republish-headers needs --republish-source and --republish-destination")
			return
		}
		a.set(*s.RepublishHeaders, "republish", "headers_only")
	}
}

func (s *Settings) applyOrigins(a *applier) {
	if s.NoMirror {
		a.c.Unset("mirror")
	}
	if s.Mirror != nil {
		a.set(s.Mirror.doc, "mirror")
		a.c.Unset("subjects")
	}
	list, _ := a.c.doc["sources"].([]any)
	if s.Sources != nil {
		list = nil
	}
	drop := func(name string) bool {
		before := len(list)
		list = slices.DeleteFunc(list, func(v any) bool { return (Source{doc: asObject(v)}).Name() == name })
		return len(list) < before
	}
	for _, name := range s.RemoveSources {
		if !drop(name) {
			a.err = fail.NotFoundf("source %s: the stream has no such source", name)
			return
		}
	}
	for _, n := range s.Sources {
		list = append(list, n.doc)
	}
	for _, n := range s.AddSources {
		drop(n.Name())
		list = append(list, n.doc)
	}
	switch {
	case s.Sources == nil && s.AddSources == nil && s.RemoveSources == nil:
	case len(list) == 0:
		a.c.Unset("sources")
	default:
		a.set(list, "sources")
	}
}

func asObject(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
