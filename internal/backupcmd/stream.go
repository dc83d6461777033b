package backupcmd

import (
	"context"
	"fmt"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type streamOptions struct {
	stream, target         string
	progress, check        bool
	consumers              bool
	chunkSize, windowSize  int64
	idle                   time.Duration
	dryRun, replaceEarlier bool
}

// Stream is the command that backs one stream up, under the names of m.
func Stream(m command.Meta) command.Node {
	return command.Verb[streamOptions]{
		Meta: named(m, "Save a stream with its messages and consumers in a directory",
			`The directory appears when the backup is whole, with a manifest of the SHA-256 of its files; until then what was there stays as it is. An earlier backup of the stream is replaced only with --replace, and one that is still up to date is left alone.

Streams and consumers in memory are saved too. The transfer has no total time limit: --idle is how long nothing may move.`),
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: savedStream{},
		Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats backup stream ORDERS ./ORDERS", Says: `compressed data in 1 chunks for stream "ORDERS"`, Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats backup stream ORDERS ./ORDERS --dry-run", Says: "Would back up", About: "See how much it would be", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *streamOptions) {
			c.Arg("stream", "The stream").Required().StringVar(&o.stream)
			c.Arg("target", "The directory of the backup").Required().StringVar(&o.target)
			c.Flag("progress", "Show progress on a terminal").Default("true").BoolVar(&o.progress)
			c.Flag("check", "Have the server check all messages first").UnNegatableBoolVar(&o.check)
			c.Flag("consumers", "Save the consumers and how far they have come").Default("true").BoolVar(&o.consumers)
			c.Flag("chunk-size", "Bytes of one packet of the transfer").PlaceHolder("BYTES").SetValue(flagval.NewBytes(&o.chunkSize))
			c.Flag("window-size", "Bytes that may be under way at once").PlaceHolder("BYTES").SetValue(flagval.NewBytes(&o.windowSize))
			idleFlag(c, &o.idle)
			c.Flag("replace", "Replace an earlier backup of the stream when the new one is whole").UnNegatableBoolVar(&o.replaceEarlier)
			c.Flag("dry-run", "Say what would be saved and write nothing").UnNegatableBoolVar(&o.dryRun)
		},
		Run: runStream,
	}
}

// savedStream is a backup that was made, or would be.
type savedStream struct {
	Stream       string   `json:"stream"`
	Target       string   `json:"target"`
	DryRun       bool     `json:"dry_run"`
	Unchanged    bool     `json:"unchanged"`
	Messages     uint64   `json:"messages"`
	Bytes        uint64   `json:"bytes"`
	Consumers    int      `json:"consumers"`
	Received     uint64   `json:"received_bytes"`
	Chunks       int      `json:"chunks"`
	Uncompressed uint64   `json:"uncompressed_bytes"`
	Copied       bool     `json:"copied"`
	Elapsed      int64    `json:"elapsed_ns"`
	Notes        []string `json:"notes"`
}

func newSavedStream(target string, s backup.Saved) savedStream {
	return savedStream{
		Stream: s.Stream, Target: target, Unchanged: s.Unchanged, Messages: s.Messages, Bytes: s.Bytes, Consumers: s.Consumers, Received: s.Received,
		Chunks: s.Chunks, Uncompressed: s.Unpacked, Copied: s.Copied, Notes: append([]string{}, s.Notes...),
	}
}

// View is one line, and the notes.
func (r savedStream) View(p *render.Page) {
	took := time.Duration(r.Elapsed)
	switch {
	case r.Unchanged:
		p.Line("The backup of stream %q in %s is up to date: %s messages, %s", r.Stream, r.Target, render.Count(r.Messages), render.Bytes(r.Bytes))
	case r.DryRun:
		p.Line("Would back up stream %q: %s messages, %s, %s consumers", r.Stream, render.Count(r.Messages), render.Bytes(r.Bytes), render.Count(r.Consumers))
	case r.Copied:
		p.Line("Read %s messages of stream %q in %s, %s compressed, %s uncompressed", render.Count(r.Messages), r.Stream, render.Span(took), render.Bytes(r.Received), render.Bytes(r.Uncompressed))
	default:
		p.Line("Received %s compressed data in %s chunks for stream %q in %s, %s uncompressed", render.Bytes(r.Received), render.Count(r.Chunks), r.Stream, render.Span(took), render.Bytes(r.Uncompressed))
	}
	for _, n := range r.Notes {
		p.Line("%s", render.Warn(n))
	}
}

func runStream(ctx context.Context, e *env.Env, o streamOptions) error {
	return working(ctx, e, func(ctx context.Context, c *js.Client) error {
		s, err := jscmd.Pick(ctx, e, c, true, o.stream)
		if err != nil {
			return err
		}
		bar := &meter{e: e, label: "Saving " + o.stream, on: o.progress}
		save := backup.SaveOptions{
			Consumers: o.consumers, Check: o.check, ChunkSize: o.chunkSize, WindowSize: o.windowSize, Idle: idleOf(o.idle, c, o.check), Replace: o.replaceEarlier,
			Now: e.Clock.Now(), Progress: bar.tell,
		}
		made := backup.Save
		if o.dryRun {
			made = backup.Preview
		} else {
			e.Say("Starting backup of Stream %q with %s", o.stream, render.HumaneBytes(s.State.Bytes))
			if o.check {
				e.Say("The server checks all messages first; this may take long")
			}
		}
		start := e.Clock.Now()
		saved, err := twice(ctx, e, c, save.Idle, func() (backup.Saved, error) { return made(ctx, c, s, e.Files.Path(o.target), save) })
		bar.close()
		if err != nil {
			return fmt.Errorf("backing up stream %s to %s: %w", o.stream, o.target, occupied(err))
		}
		r := newSavedStream(o.target, saved)
		r.DryRun, r.Elapsed = o.dryRun, int64(e.Clock.Now().Sub(start))
		return e.Out.Print(r)
	})
}
