package account

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"golang.org/x/crypto/ocsp"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
)

type tlsOptions struct {
	warn time.Duration
	ocsp bool
	pem  bool
}

func tlsVerb() command.Node {
	return command.Verb[tlsOptions]{
		Meta: command.Meta{
			Name: "tls", Short: "Show the certificates of the server and check when they expire",
			Long: "The text is a certificate bundle: everything but the certificates is a comment. A certificate that has expired or soon will, a chain that was not verified and, with --ocsp, a certificate that is revoked end with code 1 after everything was shown.",
		},
		Scope: command.User, Output: command.Value, Result: certificates{},
		Examples: []command.Example{
			{Line: "nats account tls --expire-warn 12h", Says: "BEGIN CERTIFICATE", About: "The chain, and whether a certificate expires in the next 12 hours"},
			{Line: "nats account tls --expire-warn 0 --jq '.chains[0][0].days_left'", Says: "0", About: "How many days the server's certificate is good for"},
		},
		Bind: func(c *fisk.CmdClause, o *tlsOptions) {
			c.Flag("expire-warn", "Fail when a certificate expires within this time; 0 is off").Default("1w").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.warn).Min(0))
			c.Flag("ocsp", "Show and check the OCSP response that the server gives").UnNegatableBoolVar(&o.ocsp)
			c.Flag("pem", "Show the certificates themselves").Default("true").BoolVar(&o.pem)
		},
		Run: runTLS,
	}
}

// certificates is what a server showed and what is wrong with it.
type certificates struct {
	Chains   [][]certificate `json:"chains"` // that were verified
	OCSP     *stapled        `json:"ocsp,omitempty"`
	Problems []string        `json:"problems"`

	warn     time.Duration
	askedFor bool // --ocsp
}

type certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	CA        bool      `json:"is_ca"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	DaysLeft  int64     `json:"days_left"` // whole days, negative when it has expired
	Expired   bool      `json:"expired"`
	Expiring  bool      `json:"expiring"` // within --expire-warn
	DNS       []string  `json:"dns_names,omitempty"`
	IPs       []string  `json:"ip_addresses,omitempty"`
	Emails    []string  `json:"email_addresses,omitempty"`
	URIs      []string  `json:"uris,omitempty"`
	Serial    string    `json:"serial"`
	Signed    string    `json:"signature_algorithm"`
	PEM       string    `json:"pem,omitempty"`
}

// stapled is the OCSP response that came with the certificate.
type stapled struct {
	Status   string    `json:"status"` // good, revoked, unknown or bad
	Error    string    `json:"error,omitempty"`
	Serial   string    `json:"serial,omitempty"`
	Produced time.Time `json:"produced_at,omitzero"`
	This     time.Time `json:"this_update,omitzero"`
	Next     time.Time `json:"next_update,omitzero"`
	Revoked  time.Time `json:"revoked_at,omitzero"`
}

// View is comments around certificates; formats of rows get one row for each certificate.
func (c certificates) View(p *render.Page) {
	if !wordy(p) {
		c.table(p)
		return
	}
	p.Line("# TLS Verified Chains count: %d", len(c.Chains))
	for i, chain := range c.Chains {
		p.Gap()
		p.Line("# chain: %d", i+1)
		for j, x := range chain {
			x.view(p, i+1, j+1, c.warn)
		}
	}
	if c.askedFor {
		p.Gap()
		c.OCSP.view(p)
	}
}

func (c certificates) table(p *render.Page) {
	t := p.Table("", render.Column{Name: "Chain"}, render.Column{Name: "Certificate"}, render.Column{Name: "Subject"}, render.Column{Name: "CA"},
		render.Column{Name: "Expires"}, render.Column{Name: "Days Left"}, render.Column{Name: "Serial"})
	for i, chain := range c.Chains {
		for j, x := range chain {
			t.Row(i+1, j+1, x.Subject, x.CA, render.At(x.NotAfter), render.Signed(x.DaysLeft), x.Serial)
		}
	}
}

func (x certificate) view(p *render.Page, chain, number int, warn time.Duration) {
	p.Line("# chain=%d cert=%d isCA=%t Subject=%q", chain, number, x.CA, x.Subject)
	switch {
	case x.Expired:
		p.Line("# EXPIRED: after %s", render.Bad(x.NotAfter.String()))
	case x.Expiring:
		p.Line("# EXPIRING SOON: within %s of %s", warn.String(), render.Warn(x.NotAfter.String()))
	}
	p.Line("#   Expiration: %s", x.NotAfter.String())
	p.Line("#   Days left: %d", x.DaysLeft)
	for _, part := range []struct {
		label string
		names []string
	}{{"DNS Names", x.DNS}, {"IP Addresses", x.IPs}, {"Email Addresses", x.Emails}, {"URIs", x.URIs}} {
		if len(part.names) > 0 {
			p.Line("#   SAN: %s: %s", part.label, oneLine(fmt.Sprint(part.names)))
		}
	}
	p.Line("#   Serial: %s", x.Serial)
	p.Line("#   Signed-with: %s", x.Signed)
	if x.PEM != "" {
		p.Text(x.PEM)
	}
}

// oneLine keeps what a certificate says within its comment.
func oneLine(s string) string { return strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(s) }

func (s *stapled) view(p *render.Page) {
	switch {
	case s == nil:
		p.Line("# OCSP: the server gave no response")
	case s.Status == "bad":
		p.Line("# OCSP: %s %s", render.Bad("BAD"), oneLine(s.Error))
	default:
		word := any(render.Warn(strings.ToUpper(s.Status)))
		switch s.Status {
		case "good":
			word = render.Good("GOOD")
		case "revoked":
			word = render.Bad("REVOKED")
		}
		p.Line("# OCSP: %s status=%s sn=%s producedAt=(%s) thisUpdate=(%s) nextUpdate=(%s)", word, s.Status, s.Serial, s.Produced.String(), s.This.String(), s.Next.String())
	}
}

func runTLS(ctx context.Context, e *env.Env, o tlsOptions) error {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return err
	}
	state, err := nc.TLSConnectionState()
	if err != nil {
		return fail.Hint(fmt.Errorf("the connection to %s does not use TLS: %w", contexts.RedactURL(nc.ConnectedUrl()), err), "pass a tls:// URL with --server")
	}
	c := examine(state, o, e.Clock.Now())
	if err := e.Out.Print(c); err != nil {
		return err
	}
	if len(c.Problems) > 0 {
		return fail.Newf(fail.Failure, "TLS of %s: %s", contexts.RedactURL(nc.ConnectedUrl()), strings.Join(c.Problems, "; "))
	}
	return nil
}

// examine reads the certificates of a connection as of now.
func examine(state tls.ConnectionState, o tlsOptions, now time.Time) certificates {
	c := certificates{Chains: [][]certificate{}, Problems: []string{}, warn: o.warn, askedFor: o.ocsp}
	if len(state.VerifiedChains) == 0 {
		c.Problems = append(c.Problems, "no chain was verified")
	}
	for _, chain := range state.VerifiedChains {
		var out []certificate
		for _, x := range chain {
			read := newCertificate(x, o, now)
			switch {
			case read.Expired:
				c.Problems = append(c.Problems, fmt.Sprintf("certificate %q has expired", read.Subject))
			case read.Expiring:
				c.Problems = append(c.Problems, fmt.Sprintf("certificate %q expires in less than %s", read.Subject, render.HumaneDuration(o.warn)))
			}
			out = append(out, read)
		}
		c.Chains = append(c.Chains, out)
	}
	if o.ocsp {
		c.OCSP = readStaple(state)
		if c.OCSP != nil && c.OCSP.Status != "good" {
			c.Problems = append(c.Problems, "the OCSP response is "+c.OCSP.Status)
		}
	}
	return c
}

func newCertificate(x *x509.Certificate, o tlsOptions, now time.Time) certificate {
	left := x.NotAfter.Sub(now)
	out := certificate{
		Subject: x.Subject.String(), Issuer: x.Issuer.String(), CA: x.IsCA, NotBefore: x.NotBefore, NotAfter: x.NotAfter,
		DaysLeft: int64(math.Floor(left.Hours() / 24)), Expired: left < 0, Expiring: left >= 0 && o.warn > 0 && left < o.warn,
		DNS: x.DNSNames, Emails: x.EmailAddresses, Serial: x.SerialNumber.String(), Signed: x.SignatureAlgorithm.String(),
	}
	for _, ip := range x.IPAddresses {
		out.IPs = append(out.IPs, ip.String())
	}
	for _, u := range x.URIs {
		out.URIs = append(out.URIs, u.String())
	}
	if o.pem {
		var b bytes.Buffer
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: x.Raw}) // a buffer takes everything
		out.PEM = b.String()
	}
	return out
}

// readStaple is nil when the server gave no response.
func readStaple(state tls.ConnectionState) *stapled {
	if len(state.OCSPResponse) == 0 {
		return nil
	}
	var leaf, issuer *x509.Certificate
	if len(state.PeerCertificates) > 0 {
		leaf = state.PeerCertificates[0]
	}
	if len(state.VerifiedChains) > 0 && len(state.VerifiedChains[0]) > 1 {
		issuer = state.VerifiedChains[0][1]
	}
	r, err := ocsp.ParseResponseForCert(state.OCSPResponse, leaf, issuer)
	if err != nil {
		return &stapled{Status: "bad", Error: err.Error()}
	}
	out := &stapled{Status: "unknown", Serial: r.SerialNumber.String(), Produced: r.ProducedAt, This: r.ThisUpdate, Next: r.NextUpdate}
	switch r.Status {
	case ocsp.Good:
		out.Status = "good"
	case ocsp.Revoked:
		out.Status, out.Revoked = "revoked", r.RevokedAt
	}
	return out
}
