package account

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
)

type infoOptions struct {
	jetstream bool
}

func infoVerb() command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "info", Aliases: []string{"nfo"}, Short: "Show user, account, connection and JetStream limits",
			Long: "An account without JetStream, or one whose JetStream does not answer, is shown with a notice; --require-jetstream makes that an error.",
		},
		Scope: command.User, Output: command.Value, Result: information{},
		Examples: []command.Example{
			{Line: "nats account info", Says: "Connected Server Version", About: "All there is to know about the connection"},
			{Line: "nats account info --jq .jetstream.streams", Says: "0", About: "How many streams the account has"},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			c.Flag("require-jetstream", "Fail when JetStream is not available").UnNegatableBoolVar(&o.jetstream)
		},
		Run: runInfo,
	}
}

// information is what the server and the connection tell. What is not known is left out.
type information struct {
	User          string                     `json:"user,omitempty"`
	UserName      string                     `json:"user_name,omitempty"`
	Account       string                     `json:"account,omitempty"`
	AccountName   string                     `json:"account_name,omitempty"`
	SystemAccount bool                       `json:"system_account"`
	Expires       time.Duration              `json:"expires_ns,omitempty"` // from now on; 0 is never
	Permissions   *server.Permissions        `json:"permissions,omitempty"`
	Connection    connection                 `json:"connection"`
	JetStream     *api.JetStreamAccountStats `json:"jetstream,omitempty"`
	Notice        string                     `json:"jetstream_notice,omitempty"` // why there is no JetStream
}

type connection struct {
	ID         uint64        `json:"client_id,omitempty"`
	IP         string        `json:"client_ip,omitempty"`
	Local      string        `json:"local_address,omitempty"`
	RTT        time.Duration `json:"rtt_ns"`
	Headers    bool          `json:"headers"`
	MaxPayload int64         `json:"max_payload"`
	Cluster    string        `json:"cluster,omitempty"`
	URL        string        `json:"url"`
	Address    string        `json:"address"`
	ServerID   string        `json:"server_id"`
	Version    string        `json:"server_version"`
	ServerName string        `json:"server_name,omitempty"`
	TLS        *secured      `json:"tls,omitempty"`
}

// secured is the TLS of a connection.
type secured struct {
	Version    string `json:"version"`
	Cipher     string `json:"cipher_suite"`
	ServerName string `json:"server_name,omitempty"`
	Verified   bool   `json:"verified"`
	Issuer     string `json:"issuer,omitempty"`
}

func runInfo(ctx context.Context, e *env.Env, o infoOptions) error {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return err
	}
	i := information{}
	if i.Connection, err = connected(ctx, e, nc); err != nil {
		return err
	}
	i.SystemAccount = nc.IsSystemAccount() // the server has told by now
	if u, ok := userInfo(ctx, e, nc); ok {
		i.User, i.UserName, i.Account, i.AccountName = u.UserID, u.UserName, u.Account, u.AccountName
		i.Permissions, i.Expires = u.Permissions, u.Expires
		if !e.ShowSecrets && isToken(nc, e.Nats.Effective(), i.User) {
			i.User = contexts.Redacted
		}
	}
	stats, err := jetStream(ctx, e)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		i.JetStream = &stats
	} else {
		i.Notice = notice(err)
	}
	if perr := e.Out.Print(i); perr != nil {
		return perr
	}
	if o.jetstream && err != nil {
		return fmt.Errorf("JetStream is required: %w", err)
	}
	return nil
}

func jetStream(ctx context.Context, e *env.Env) (api.JetStreamAccountStats, error) {
	client, err := jscmd.Open(ctx, e)
	if err != nil {
		return api.JetStreamAccountStats{}, err
	}
	return client.Account(ctx)
}

// notice says why there is nothing to tell of JetStream.
func notice(err error) string {
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) || js.IsCode(err, 10039, 10076):
		return "JetStream is not supported in this account"
	case fail.CodeOf(err) == fail.NoAnswer:
		return "no response from JetStream server"
	}
	return "could not obtain account information: " + err.Error()
}

// userInfo asks the server who we are; servers before 2.10, and permissions, may keep it from answering.
func userInfo(ctx context.Context, e *env.Env, nc *nats.Conn) (server.UserInfo, bool) {
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, "$SYS.REQ.USER.INFO", nil)
	if err != nil {
		e.Log.Debug(fmt.Sprintf("no user information: %s", err))
		return server.UserInfo{}, false
	}
	var r struct {
		Data *server.UserInfo `json:"data"`
	}
	if err := json.Unmarshal(m.Data, &r); err != nil || r.Data == nil {
		return server.UserInfo{}, false
	}
	return *r.Data, true
}

// isToken reports whether what the server calls a user is the token we came with; older servers do that.
func isToken(nc *nats.Conn, r contexts.Resolved, user string) bool {
	if user == nc.Opts.User && user != "" {
		return false
	}
	if u, err := url.Parse(nc.ConnectedUrl()); err == nil && u.User != nil {
		if _, both := u.User.Password(); both && u.User.Username() == user {
			return false
		}
	}
	return slices.Contains(contexts.SecretsOf(r), user)
}

// connected is what is known of the connection, with its round trip measured.
func connected(ctx context.Context, e *env.Env, nc *nats.Conn) (connection, error) {
	waiting, cancel := e.Nats.Deadline(ctx)
	defer cancel()
	begin := e.Clock.Now()
	if err := nc.FlushWithContext(waiting); err != nil {
		return connection{}, fmt.Errorf("measuring the round trip to %s: %w", contexts.RedactURL(nc.ConnectedUrl()), err)
	}
	c := connection{
		RTT: e.Clock.Now().Sub(begin), Headers: nc.HeadersSupported(), MaxPayload: nc.MaxPayload(), Cluster: nc.ConnectedClusterName(),
		URL: contexts.RedactURL(nc.ConnectedUrl()), Address: nc.ConnectedAddr(), ServerID: nc.ConnectedServerId(),
		Version: nc.ConnectedServerVersion(), ServerName: nc.ConnectedServerName(),
	}
	c.ID, _ = nc.GetClientID() // servers that do not tell leave them out
	if ip, err := nc.GetClientIP(); err == nil {
		c.IP = ip.String()
	}
	if host, _, err := net.SplitHostPort(nc.LocalAddr()); err == nil && host != c.IP {
		c.Local = host
	}
	if s, err := nc.TLSConnectionState(); err == nil {
		c.TLS = &secured{
			Version: tls.VersionName(s.Version), Cipher: tls.CipherSuiteName(s.CipherSuite), ServerName: s.ServerName,
			Verified: len(s.VerifiedChains) > 0,
		}
		if c.TLS.Verified && len(s.VerifiedChains[0]) > 0 {
			c.TLS.Issuer = s.VerifiedChains[0][0].Issuer.String()
		}
	}
	return c, nil
}
