// Package config is the command group for the configuration of devices.
package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
)

// Command is `nats fleet config`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "config", Aliases: []string{"conf"}, Short: "Configure devices",
			Long: "The configuration of a device is merged from JSON objects in a bucket: the one for all devices, then those of rules, by their names, whose expression selects it, then its own. In each a null takes away what the ones before it say. Devices apply changes as they come, and tell what they have applied.",
		},
		Nodes: func() []command.Node {
			return []command.Node{getVerb(), setVerb(), unsetVerb(), lsVerb(), historyVerb(), revertVerb(), watchVerb(), stateVerb()}
		},
	}
}

// scope is which document of the configuration is meant.
type scope struct {
	service fleetcmd.Service
	device  string
	where   string
	name    string
}

func (s *scope) bind(c *fisk.CmdClause) {
	c.Flag("device", "The configuration of this device alone, by its id or nickname").PlaceHolder("ID").StringVar(&s.device)
	c.Flag("where", "That of the devices which the expression selects").PlaceHolder("EXPR").StringVar(&s.where)
	c.Flag("name", "The name of the rule; otherwise it is made of the expression").PlaceHolder("NAME").StringVar(&s.name)
	s.service.BindBucket(c)
}

func (s *scope) check() error {
	if s.device != "" && (s.where != "" || s.name != "") {
		return fail.Usagef("--device and a rule (--where, --name) exclude each other")
	}
	if s.name != "" {
		if err := control.CheckRule(s.name); err != nil {
			return err
		}
	}
	s.where = strings.TrimSpace(s.where)
	if _, err := fleetcmd.Compile(s.where); err != nil {
		return err
	}
	return s.service.Check()
}

// key finds the document that is meant. A device is looked up by its nickname too; known tells whether it was ever heard of.
func (s *scope) key(ctx context.Context, f *control.Fleet) (key string, known bool, err error) {
	switch {
	case s.device != "":
		return s.deviceKey(ctx, f)
	case s.name != "":
		return fleet.RuleKey(s.name), true, nil
	case s.where != "":
		key, err = s.ruleKey(ctx, f)
		return key, true, err
	}
	return fleet.KeyAll, true, nil
}

func (s *scope) deviceKey(ctx context.Context, f *control.Fleet) (string, bool, error) {
	registry, err := f.Registry(ctx)
	if err != nil {
		return "", false, err
	}
	all := []control.Device{}
	for _, d := range registry {
		all = append(all, d)
	}
	d, err := fleetcmd.Named(s.device, all)
	if err == nil {
		return fleet.DeviceKey(d.Info.ID), true, nil
	}
	if fail.CodeOf(err) != fail.NotFound {
		return "", false, err
	}
	if bad := fleet.CheckID(s.device); bad != nil {
		return "", false, err
	}
	return fleet.DeviceKey(s.device), false, nil
}

// ruleKey is that of the rule with the expression, or one that is free.
func (s *scope) ruleKey(ctx context.Context, f *control.Fleet) (string, error) {
	layers, err := f.Layers(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(s.where))
	short := hex.EncodeToString(sum[:3])
	name := control.RuleName(s.where)
	if name == "" {
		name = short
	}
	for _, l := range layers {
		if _, ok := control.IsRule(l.Key); ok && strings.TrimSpace(l.Where) == s.where {
			return l.Key, nil
		}
	}
	for _, l := range layers {
		if l.Key == fleet.RuleKey(name) {
			return fleet.RuleKey(name + "-" + short), nil
		}
	}
	return fleet.RuleKey(name), nil
}

// nothing is the error for a document that is not there.
func (s *scope) nothing(key string) error {
	return fail.NotFoundf("bucket %s: there is no configuration %s", s.service.Bucket, key).WithHint("nats fleet config ls shows what there is")
}

// on connects, finds the document that is meant, and lets do work.
func (s *scope) on(ctx context.Context, e *env.Env, do func(context.Context, *control.Fleet, string) error) error {
	return s.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
		key, known, err := s.key(ctx, f)
		if err != nil {
			return err
		}
		if !known {
			e.IO.Warn("device %s has not been seen: what is said for it waits until it comes", s.device)
		}
		return do(ctx, f, key)
	})
}
