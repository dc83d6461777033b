package backup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"
	archive "github.com/nats-io/jsm.go/backup"

	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

type infoOptions struct {
	source             string
	subjects, progress bool
}

func infoVerb() command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "info", Short: "Describe the backup of a stream",
			Long: "The archive is read to its end: what is shown is what is in it, beside what it declares.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: archive.InfoReport{},
		Examples: []command.Example{
			{Line: "nats backup info --help", Says: "subjects", About: "With a backup at hand: nats backup info ./ORDERS --subjects"},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			c.Arg("source", "The directory of the backup").Required().StringVar(&o.source)
			c.Flag("subjects", "List the subjects with their numbers of messages").UnNegatableBoolVar(&o.subjects)
			c.Flag("progress", "Show progress on a terminal").Default("true").BoolVar(&o.progress)
		},
		Run: runInfo,
	}
}

// contents is what is in a backup.
type contents struct {
	archive.InfoReport
	source string
}

// JSON is the report; an empty list is never null.
func (c contents) JSON() any {
	c.Consumers = append([]string{}, c.Consumers...)
	return c.InfoReport
}

// View draws the sections that apply.
func (c contents) View(p *render.Page) {
	p.Heading("Backup of Stream %s in %s", c.Config.Name, c.source)
	p.Section("Configuration")
	p.Field("Name", c.Config.Name)
	p.FieldIf(c.Config.Description != "", "Description", c.Config.Description)
	p.FieldIf(len(c.Config.Subjects) > 0, "Subjects", c.Config.Subjects)
	p.Field("Replicas", c.Config.Replicas)
	p.Field("Storage", c.Config.Storage.String())
	p.Field("Retention", c.Config.Retention.String())
	p.Field("Maximum Messages", render.Limit(c.Config.MaxMsgs))
	p.Field("Maximum Bytes", render.BytesLimit(c.Config.MaxBytes))
	p.Field("Maximum Age", render.SpanLimit(c.Config.MaxAge))
	p.Section("Consumers")
	p.Field("Count", render.Count(len(c.Consumers)))
	p.FieldIf(len(c.Consumers) > 0, "Names", c.Consumers)
	p.Section("Messages")
	p.Field("Messages", render.Count(c.Messages))
	p.Field("Bytes", render.Bytes(c.Bytes))
	p.Field("First Sequence", sequenceAt(c.FirstSeq, c.FirstTime))
	p.Field("Last Sequence", sequenceAt(c.LastSeq, c.LastTime))
	p.Field("Subjects", render.Count(c.NumSubjects))
	p.Section("Declared State")
	d := c.Declared
	p.Field("Messages", render.Count(d.Msgs))
	p.Field("Bytes", render.Bytes(d.Bytes))
	p.Field("First Sequence", sequenceAt(d.FirstSeq, d.FirstTime))
	p.Field("Last Sequence", sequenceAt(d.LastSeq, d.LastTime))
	p.FieldIf(c.DeclaredCountsAdvisory, "Counts", "advisory: they are made anew on restore")
	if e := c.Edit; e != nil {
		p.Section("Edit")
		p.FieldIf(e.Version != "", "Version", e.Version)
		p.Field("Options", strings.Join(e.Options, " "))
		p.Field("Source Digest", e.SourceDigest)
		p.Field("Obfuscated", e.Obfuscated)
	}
	if len(c.Subjects) > 0 {
		p.Gap()
		t := p.Table(fmt.Sprintf("%s Subjects", render.HumaneCount(uint64(len(c.Subjects)))), render.Column{Name: "Subject"}, render.Column{Name: "Count"})
		for _, s := range slices.Sorted(maps.Keys(c.Subjects)) {
			t.Row(render.Subject(s), render.Count(c.Subjects[s]))
		}
	}
}

// sequenceAt is "7 @ 2026-11-21 09:19:09"; without a message there is nothing to be at.
func sequenceAt(seq uint64, at time.Time) any {
	if at.IsZero() || at.Unix() <= 0 {
		return render.Count(seq)
	}
	return render.Sprintf("%s @ %s", render.Count(seq), render.At(at))
}

func runInfo(_ context.Context, e *env.Env, o infoOptions) error {
	dir, err := directory(e, o.source)
	if err != nil {
		return err
	}
	bar := progressBar{e: e, label: "Reading " + o.source, on: o.progress}
	options := []archive.ScanOption{archive.ScanNotify(bar.notify)}
	if o.subjects {
		options = append(options, archive.WithSubjects())
	}
	report, err := archive.Info(dir, options...)
	bar.close()
	if err != nil {
		return fmt.Errorf("backup %s: %w", o.source, err)
	}
	meta, err := backup.ReadMeta(dir)
	if err != nil {
		return fmt.Errorf("backup %s: %w", o.source, err)
	}
	if meta.Memory {
		report.Config.Storage = api.MemoryStorage
	}
	return e.Out.Print(contents{*report, o.source})
}
