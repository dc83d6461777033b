package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"
	archive "github.com/nats-io/jsm.go/backup"

	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
)

type editOptions struct {
	source, target            string
	subjects, excludeSubjects []string
	after, before             flagval.Since
	firstSeq, lastSeq         uint64
	headers, excludeHeaders   []string
	payload, excludePayload   []string
	lastPerSubject            int64
	kvCompact, renumber       bool
	dryRun, obfuscate         bool
	obfuscationKey            string
	progress                  bool
}

func editVerb() command.Node {
	return command.Verb[editOptions]{
		Meta: command.Meta{
			Name: "edit", Short: "Make a backup with a part of another, or with its contents hidden",
			Long: `The source stays as it is; the target appears only when it is whole, with a manifest of its files. Messages keep their sequences unless --renumber is given, which drops the consumers.

Messages are left out by sequence, time, subject, header, payload, and last by --last-per-subject or --kv-compact. --obfuscate replaces names and subjects by hashes and bodies by zeros; what the hashes stand for is written to a key file beside the target, which stays with you.`,
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: report{},
		Examples: []command.Example{
			{Line: "nats backup edit --help", Says: "obfuscate", About: "With a backup at hand: nats backup edit ./ORDERS ./NEW --subject orders.new --last-per-subject 1"},
		},
		Bind:  bindEdit,
		Check: checkEdit,
		Run:   runEdit,
	}
}

func bindEdit(c *fisk.CmdClause, o *editOptions) {
	c.Arg("source", "The directory of the backup").Required().StringVar(&o.source)
	c.Arg("target", "The directory of the new backup, absent or empty").Required().StringVar(&o.target)
	c.Flag("subject", "Keep messages on these subjects").PlaceHolder("PATTERN").SetValue(flagval.NewSubjects(&o.subjects))
	c.Flag("exclude-subject", "Leave out messages on these subjects").PlaceHolder("PATTERN").SetValue(flagval.NewSubjects(&o.excludeSubjects))
	c.Flag("after", "Keep messages not older than this: a time, or a duration ago").PlaceHolder("TIME").SetValue(flagval.NewSince(&o.after).TimesOnly())
	c.Flag("before", "Keep messages older than this: a time, or a duration ago").PlaceHolder("TIME").SetValue(flagval.NewSince(&o.before).TimesOnly())
	c.Flag("first-seq", "Keep messages from this sequence on").PlaceHolder("N").SetValue(flagval.NewUint64(&o.firstSeq).Min(1))
	c.Flag("last-seq", "Keep messages up to this sequence").PlaceHolder("N").SetValue(flagval.NewUint64(&o.lastSeq).Min(1))
	c.Flag("header", "Keep messages with this header").PlaceHolder("NAME[:VALUE]").StringsVar(&o.headers)
	c.Flag("exclude-header", "Leave out messages with this header").PlaceHolder("NAME").StringsVar(&o.excludeHeaders)
	c.Flag("payload-match", "Keep messages whose body matches").PlaceHolder("REGEX").StringsVar(&o.payload)
	c.Flag("exclude-payload-match", "Leave out messages whose body matches").PlaceHolder("REGEX").StringsVar(&o.excludePayload)
	c.Flag("last-per-subject", "Keep the last messages of each subject").PlaceHolder("N").SetValue(flagval.NewInt64(&o.lastPerSubject).Min(1).Max(1<<31 - 1))
	c.Flag("kv-compact", "Keep what a key-value bucket shows now").UnNegatableBoolVar(&o.kvCompact)
	c.Flag("renumber", "Number the messages from 1 and drop the consumers").UnNegatableBoolVar(&o.renumber)
	c.Flag("dry-run", "Report and write nothing").UnNegatableBoolVar(&o.dryRun)
	c.Flag("obfuscate", "Hide names, subjects and bodies").UnNegatableBoolVar(&o.obfuscate)
	c.Flag("obfuscation-key", "Use the secret of this key file, so that several backups are hidden alike").PlaceHolder("FILE").StringVar(&o.obfuscationKey)
	c.Flag("progress", "Show progress on a terminal").Default("true").BoolVar(&o.progress)
}

func checkEdit(o *editOptions) error {
	switch {
	case o.kvCompact && o.lastPerSubject > 0:
		return fail.Usagef("--kv-compact and --last-per-subject exclude each other")
	case o.obfuscationKey != "" && !o.obfuscate:
		return fail.Usagef("--obfuscation-key needs --obfuscate")
	case o.lastSeq > 0 && o.firstSeq > o.lastSeq:
		return fail.Usagef("--first-seq %d is above --last-seq %d", o.firstSeq, o.lastSeq)
	}
	for flag, list := range map[string][]string{"payload-match": o.payload, "exclude-payload-match": o.excludePayload} {
		for _, text := range list {
			if _, err := regexp.Compile(text); err != nil {
				return fail.Usagef("--%s: %w", flag, err)
			}
		}
	}
	return nil
}

// library are the options as the library takes them.
func (o editOptions) library(e *env.Env, now time.Time) ([]archive.EditOption, error) {
	out := []archive.EditOption{archive.ToolVersion(e.Build.Version)}
	add := func(on bool, option archive.EditOption) {
		if on {
			out = append(out, option)
		}
	}
	add(len(o.subjects) > 0, archive.Subjects(o.subjects...))
	add(len(o.excludeSubjects) > 0, archive.ExcludeSubjects(o.excludeSubjects...))
	if at, ok := o.after.At(now); ok {
		add(true, archive.After(at))
	}
	if at, ok := o.before.At(now); ok {
		add(true, archive.Before(at))
	}
	add(o.firstSeq > 0, archive.FirstSeq(o.firstSeq))
	add(o.lastSeq > 0, archive.LastSeq(o.lastSeq))
	for _, h := range o.headers {
		if name, value, ok := strings.Cut(h, ":"); ok {
			add(true, archive.HeaderValue(strings.TrimSpace(name), strings.TrimSpace(value)))
		} else {
			add(true, archive.HeaderPresent(strings.TrimSpace(h)))
		}
	}
	for _, h := range o.excludeHeaders {
		add(true, archive.NoHeader(h))
	}
	for _, p := range []struct {
		list []string
		make func(*regexp.Regexp) archive.EditOption
	}{{o.payload, archive.PayloadMatch}, {o.excludePayload, archive.ExcludePayloadMatch}} {
		for _, text := range p.list {
			re, err := regexp.Compile(text)
			if err != nil {
				return nil, err
			}
			add(true, p.make(re))
		}
	}
	add(o.lastPerSubject > 0, archive.LastPerSubject(int(o.lastPerSubject)))
	add(o.kvCompact, archive.KVCompact())
	add(o.renumber, archive.Renumber())
	add(o.dryRun, archive.DryRun())
	add(o.obfuscate, archive.Obfuscate())
	add(o.obfuscationKey != "", archive.ObfuscationKeyFile(e.Files.Path(o.obfuscationKey)))
	return out, nil
}

// report is what an edit did, or would do.
type report struct {
	Stream           string          `json:"stream"`
	Target           string          `json:"target"`
	DryRun           bool            `json:"dry_run"`
	SourceMessages   uint64          `json:"source_messages"`
	SourceSubjects   int             `json:"source_subjects"`
	Kept             uint64          `json:"messages_kept"`
	KeptSubjects     int             `json:"subjects_kept"`
	Dropped          []dropped       `json:"dropped"`
	ConsumersKept    int             `json:"consumers_kept"`
	ConsumersDropped int             `json:"consumers_dropped"`
	StateKeys        uint64          `json:"subject_state_keys"`
	StateBytes       uint64          `json:"subject_state_bytes"`
	Warnings         []string        `json:"warnings"`
	State            api.StreamState `json:"state"`
	Obfuscation      *obfuscation    `json:"obfuscation,omitempty"`
}

type dropped struct {
	By       string `json:"by"`
	Messages uint64 `json:"messages"`
}

type obfuscation struct {
	Tokens  int    `json:"tokens"`
	Bodies  uint64 `json:"bodies_padded"`
	KeyFile string `json:"key_file"`
}

func newReport(o editOptions, r *archive.Result) report {
	d := r.Report.Dropped
	out := report{
		Stream: r.Config.Name, Target: o.target, DryRun: o.dryRun, SourceMessages: r.Report.SourceMessages, SourceSubjects: r.Report.SourceSubjects, Kept: r.Report.Kept,
		KeptSubjects: r.Report.KeptSubjects, Dropped: []dropped{}, ConsumersKept: r.Report.ConsumersKept, ConsumersDropped: r.Report.ConsumersDropped,
		StateKeys: r.Report.SubjectStateKeys, StateBytes: r.Report.SubjectStateBytes, Warnings: append([]string{}, r.Report.Warnings...), State: r.State,
	}
	if n := r.Report.TombstonesRemovedByContentFilters; n > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d delete markers were left out by header or payload: what they deleted comes back", n))
	}
	for _, by := range []dropped{{"Sequence", d.Sequence}, {"Time", d.Time}, {"Subject", d.Subject}, {"Header", d.Header}, {"Payload", d.Payload}, {"Last Per Subject", d.LastPerSubject}, {"KV Compact", d.KVCompact}} {
		if by.Messages > 0 {
			out.Dropped = append(out.Dropped, by)
		}
	}
	if ob := r.Report.Obfuscation; ob != nil {
		out.Obfuscation = &obfuscation{ob.TokensMapped, ob.BodiesPadded, ob.KeyFile}
	}
	return out
}

// View is one table of two columns.
func (r report) View(p *render.Page) {
	title := "Backup Edit Report"
	if r.DryRun {
		title = "Dry Run, Nothing Was Written"
	}
	t := p.Table(title, make([]render.Column, 2)...)
	t.Row("Stream", r.Stream)
	t.Row("Target", r.Target)
	t.Row("Source Messages", render.Count(r.SourceMessages))
	t.Row("Source Subjects", render.Count(r.SourceSubjects))
	t.Row("Messages Kept", render.Count(r.Kept))
	t.Row("Subjects Kept", render.Count(r.KeptSubjects))
	for _, d := range r.Dropped {
		t.Row("Dropped by "+d.By, render.Count(d.Messages))
	}
	t.Row("Consumers Kept", render.Count(r.ConsumersKept))
	t.Row("Consumers Dropped", render.Count(r.ConsumersDropped))
	if r.StateKeys > 0 {
		t.Row("Subject State Keys", render.Count(r.StateKeys))
		t.Row("Subject State Bytes", render.Bytes(r.StateBytes))
	}
	for _, w := range r.Warnings {
		t.Row("Warning", render.Warn(w))
	}
	t.Row("Restored Messages", render.Count(r.State.Msgs))
	t.Row("Restored Bytes", render.Bytes(r.State.Bytes))
	t.Row("Restored First Sequence", render.Count(r.State.FirstSeq))
	t.Row("Restored Last Sequence", render.Count(r.State.LastSeq))
	t.Row("Restored Consumers", render.Count(r.State.Consumers))
	if o := r.Obfuscation; o != nil {
		t.Row("Obfuscated Tokens", render.Count(o.Tokens))
		t.Row("Message Bodies Padded", render.Count(o.Bodies))
		t.Row("Key File", o.KeyFile)
	}
}

func runEdit(ctx context.Context, e *env.Env, o editOptions) error {
	dir, err := directory(e, o.source)
	if err != nil {
		return err
	}
	if _, err := backup.Prove(dir); err != nil && !errors.Is(err, backup.ErrNoManifest) {
		return fmt.Errorf("backup %s: %w", o.source, err)
	}
	options, err := o.library(e, e.Clock.Now())
	if err != nil {
		return err
	}
	bar := progressBar{e: e, label: "Editing " + o.source, on: o.progress}
	target := e.Files.Path(o.target)
	r, err := archive.Edit(ctx, dir, target, append(options, archive.EditNotify(bar.notify))...)
	bar.close()
	if err != nil {
		return fmt.Errorf("editing backup %s: %w", o.source, err)
	}
	if !o.dryRun {
		if err := prove(dir, target); err != nil {
			return fmt.Errorf("backup %s was written, its manifest was not: %w", o.target, err)
		}
	}
	return e.Out.Print(newReport(o, r))
}

// prove finishes a backup that the library wrote: what it does not know of the stream, and the manifest.
func prove(source, target string) error {
	from, err := backup.ReadMeta(source)
	if err != nil {
		return err
	}
	if from.Memory {
		to, err := backup.ReadMeta(target)
		if err != nil {
			return err
		}
		to.Memory = true
		if err := to.Write(target); err != nil {
			return err
		}
	}
	m, err := backup.Measure(target)
	if err != nil {
		return err
	}
	for name := range m.Files {
		if err := os.Chmod(filepath.Join(target, name), 0o600); err != nil {
			return err
		}
	}
	if err := os.Chmod(target, 0o700); err != nil {
		return err
	}
	return m.Write(target)
}
