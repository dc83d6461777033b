package stream

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/prompt"
)

// askOrigins asks how to copy from the mirror and the sources that were given by name alone.
func (a *answers) askOrigins(ctx context.Context) error {
	if a.s.Mirror != nil && !a.s.Mirror.Given {
		m, err := originSurvey{a: a, flag: "--mirror"}.ask(ctx, *a.s.Mirror)
		if err != nil {
			return err
		}
		a.s.Mirror = &m
	}
	for i, s := range a.s.Sources {
		if s.Given {
			continue
		}
		asked, err := originSurvey{a: a, flag: "--source", name: s.Name()}.ask(ctx, s)
		if err != nil {
			return err
		}
		a.s.Sources[i] = asked
	}
	return nil
}

// originSurvey asks about one stream to copy from: name is empty for a mirror, which has slightly other words.
type originSurvey struct {
	a    *answers
	flag string
	name string
}

func (o originSurvey) source() bool { return o.name != "" }

// words is the question for a mirror or for a source, with %s for the source's name.
func (o originSurvey) words(mirror, source string) string {
	if o.source() {
		return fmt.Sprintf(source, o.name)
	}
	return mirror
}

func (o originSurvey) confirm(ctx context.Context, message string) (bool, error) {
	return o.a.e.Prompt.Confirm(ctx, prompt.Question{Flag: o.flag, Message: message, Default: "false"})
}

func (o originSurvey) text(ctx context.Context, message, value string, required bool, validate func(string) error) (string, error) {
	return o.a.e.Prompt.Input(ctx, prompt.Question{Flag: o.flag, Message: message, Default: value, Validate: func(s string) error {
		switch {
		case s == "" && required:
			return fmt.Errorf("an answer is needed")
		case s == "" || validate == nil:
			return nil
		}
		return validate(s)
	}})
}

func (o originSurvey) ask(ctx context.Context, s jsconf.Source) (jsconf.Source, error) {
	durable, err := o.confirm(ctx, o.words("Configure a custom durable consumer", "Configure a custom durable consumer for %q"))
	if err != nil {
		return s, err
	}
	if durable {
		name, err := o.text(ctx, "Durable consumer name", "", true, func(n string) error { return jsconf.CheckName("consumer", n) })
		if err != nil {
			return s, err
		}
		deliver, err := o.text(ctx, "Delivery subject", "", true, nil)
		if err != nil {
			return s, err
		}
		s = s.Durable(name, deliver)
	} else if s, err = o.askStart(ctx, s); err != nil {
		return s, err
	}
	if s, err = o.askTransforms(ctx, s); err != nil {
		return s, err
	}
	return o.askExternal(ctx, s, durable)
}

func (o originSurvey) askStart(ctx context.Context, s jsconf.Source) (jsconf.Source, error) {
	yes, err := o.confirm(ctx, o.words("Adjust mirror start", "Adjust source %q start"))
	if err != nil || !yes {
		return s, err
	}
	text, err := o.text(ctx, o.words("Mirror Start Sequence", "%s Source Start Sequence"), "0", false, positive)
	if err != nil {
		return s, err
	}
	if seq, _ := strconv.ParseUint(text, 10, 64); seq > 0 {
		return s.StartingAt(seq), nil // a sequence and a time exclude each other
	}
	const layout = "2006:01:02 15:04:05"
	text, err = o.text(ctx, o.words("Mirror Start Time (YYYY:MM:DD HH:MM:SS)", "%s Source UTC Time Stamp (YYYY:MM:DD HH:MM:SS)"), "", false, func(t string) error {
		_, err := time.Parse(layout, t)
		return err
	})
	if err != nil || text == "" {
		return s, err
	}
	at, err := time.Parse(layout, text)
	return s.StartingSince(at), err
}

func (o originSurvey) askTransforms(ctx context.Context, s jsconf.Source) (jsconf.Source, error) {
	yes, err := o.confirm(ctx, o.words("Adjust mirror filter and transform", "Adjust source %q filter and transform"))
	if err != nil || !yes {
		return s, err
	}
	var list []api.SubjectTransformConfig
	for {
		filter, err := o.text(ctx, o.words("Filter mirror by subject (hit enter to finish)", "Filter source %q by subject (hit enter to finish)"), "", false, checkSubjects)
		if err != nil {
			return s, err
		}
		if filter == "" {
			break
		}
		dest, err := o.text(ctx, "Subject transform destination", "", false, nil)
		if err != nil {
			return s, err
		}
		list = append(list, api.SubjectTransformConfig{Source: filter, Destination: dest})
	}
	if len(list) == 0 {
		return s, nil
	}
	return s.Transformed(list), nil
}

func (o originSurvey) askExternal(ctx context.Context, s jsconf.Source, durable bool) (jsconf.Source, error) {
	yes, err := o.confirm(ctx, o.words("Import mirror from a different JetStream domain", "Import %q from a different JetStream domain"))
	if err != nil {
		return s, err
	}
	if yes {
		domain, err := o.text(ctx, o.words("Foreign JetStream domain name", "%s foreign JetStream domain name"), "", true, func(n string) error { return jsconf.CheckName("domain", n) })
		if err != nil {
			return s, err
		}
		deliver := ""
		if !durable {
			if deliver, err = o.text(ctx, "Delivery prefix", "", false, checkSubjects); err != nil {
				return s, err
			}
		}
		return s.External("$JS."+domain+".API", deliver), nil
	}
	if yes, err = o.confirm(ctx, o.words("Import mirror from a different account", "Import %q from a different account")); err != nil || !yes {
		return s, err
	}
	prefix, err := o.text(ctx, o.words("Foreign account API prefix", "%s foreign account API prefix"), "", true, checkSubjects)
	if err != nil {
		return s, err
	}
	deliver := ""
	if !durable {
		if deliver, err = o.text(ctx, o.words("Foreign account delivery prefix", "%s foreign account delivery prefix"), "", true, checkSubjects); err != nil {
			return s, err
		}
	}
	return s.External(prefix, deliver), nil
}
