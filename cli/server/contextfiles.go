package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/embedded"
	"github.com/natskit/natskit/internal/fail"
)

// madeUp gives a server that would let everybody in a user and a system user that nobody can guess. A token or a user of
// the command line stays; the system user is always our own.
func madeUp(s *embedded.Options) {
	s.SystemUser, s.SystemPassword = "system", rand.Text()
	if s.Token == "" && s.User == "" {
		s.User, s.Password = "local", rand.Text()
	}
}

// contextFiles are the contexts that reach a server while it runs.
type contextFiles struct {
	store  *contexts.Store
	server string
	wrote  []string
}

// mark is how a context says that it was written by us and may be overwritten and removed by us.
func (c *contextFiles) mark() string { return "Written by nats server run " + c.server }

func (c *contextFiles) names() []string { return []string{c.server, c.server + "_system"} }

// free refuses names that belong to contexts of the user.
func (c *contextFiles) free(ctx context.Context) error {
	for _, name := range c.names() {
		st, err := c.store.Load(ctx, name)
		switch {
		case errors.Is(err, natscontext.ErrNotFound):
		case err != nil:
			return err
		case st.Text("description") != c.mark():
			return fail.Newf(fail.Failure, "context %s exists and was not written by nats server run", name).
				WithHint("give the server another name, or move the context away: nats context copy %s OTHER", name)
		}
	}
	return nil
}

// write saves the contexts of a server that listens.
func (c *contextFiles) write(ctx context.Context, r *ready, s embedded.Options) error {
	main := map[contexts.Key]string{contexts.KeyServer: r.URL, contexts.KeyToken: s.Token, contexts.KeyUser: s.User, contexts.KeyPassword: s.Password}
	if err := c.add(ctx, c.server, main); err != nil {
		return err
	}
	if s.SystemUser == "" {
		return nil
	}
	r.SystemContext = c.server + "_system"
	return c.add(ctx, r.SystemContext, map[contexts.Key]string{contexts.KeyServer: r.URL, contexts.KeyUser: s.SystemUser, contexts.KeyPassword: s.SystemPassword})
}

func (c *contextFiles) add(ctx context.Context, name string, settings map[contexts.Key]string) error {
	mark := c.mark()
	change := contexts.Change{Description: &mark, Request: contexts.Request{NoContext: true, Settings: map[contexts.Key]contexts.Given{}}}
	if _, err := c.store.Load(ctx, name); err == nil {
		// What an earlier run left behind is replaced, not merged with; that it may be selected stays as it is.
		change.Unset = []string{string(contexts.KeyUser), string(contexts.KeyPassword), string(contexts.KeyToken)}
	}
	for key, value := range settings {
		if value != "" {
			change.Request.Settings[key] = contexts.Given{Values: []string{value}, From: contexts.Origin{Kind: contexts.FromFlag, Name: "--" + string(key)}}
		}
	}
	if _, _, err := c.store.Add(ctx, name, change); err != nil {
		return fmt.Errorf("context %s: %w", name, err)
	}
	c.wrote = append(c.wrote, name)
	return nil
}

// remove takes away what write has written, unless somebody has made it theirs meanwhile.
func (c *contextFiles) remove(ctx context.Context) {
	for _, name := range c.wrote {
		if st, err := c.store.Load(ctx, name); err == nil && st.Text("description") == c.mark() {
			_ = c.store.Delete(ctx, name, true)
		}
	}
}
