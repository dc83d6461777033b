package account

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithTLS())
	c := clitest.New(t, Command()).Server(srv.URL()).Env("NATS_CA", srv.CAFile())
	// The certificates of the fixture are good for a day.
	r := c.Fails(fail.Failure, "account tls", "expires in less than 7d0h0m0s")
	has(t, r.Out, "# TLS Verified Chains count: 1\n\n# chain: 1\n# chain=1 cert=1 isCA=false Subject=\"CN=localhost\"\n# EXPIRING SOON: within 168h0m0s of ",
		"#   SAN: DNS Names: [localhost]\n", "#   Serial: 2\n", "#   Signed-with: ECDSA-SHA256\n", "#   Days left: 0\n")
	count, rest := 0, []byte(r.Out)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Error(err)
		}
		count++
	}
	if count != 2 {
		t.Errorf("%d certificates in\n%s", count, r.Out)
	}
	for _, line := range strings.Split(c.OK("account tls --expire-warn 0 --no-pem --ocsp").Out, "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			t.Errorf("no comment: %q", line)
		}
	}
	has(t, c.OK("account tls --expire-warn 1h --ocsp").Out, "# OCSP: the server gave no response", "BEGIN CERTIFICATE")
	got := decode[certificates](t, c.Fails(fail.Failure, "account tls --json").Out)
	if len(got.Chains) != 1 || len(got.Chains[0]) != 2 || !got.Chains[0][0].Expiring || len(got.Problems) != 2 {
		t.Errorf("%+v", got)
	}
	has(t, c.OK("account info").Out, "TLS Version: 1.3 using TLS_", "TLS Verified: issuer CN=test CA")
	insecure := clitest.New(t, Command()).Server(srv.URL())
	insecure.Fails(fail.Failure, "account tls --tls-insecure --expire-warn 0", "no chain was verified")
	c.Fails(fail.Usage, "account tls --expire-warn=-1h", "--expire-warn")
	plain := testkit.Server(t)
	clitest.New(t, Command()).Server(plain.URL()).Fails(fail.Failure, "account tls", "does not use TLS")
}

func make509(t *testing.T, template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestExamine(t *testing.T) {
	t.Parallel()
	now := viewtest.Now
	caKey, leafKey := key(t), key(t)
	ca := make509(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, caKey, nil)
	leaf := make509(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a\nb"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(49 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")},
	}, ca, leafKey, caKey)
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf, ca}, VerifiedChains: [][]*x509.Certificate{{leaf, ca}}}
	o := tlsOptions{warn: 7 * 24 * time.Hour, ocsp: true}

	c := examine(state, o, now)
	if x := c.Chains[0][0]; !x.Expiring || x.Expired || x.DaysLeft != 2 || len(c.Problems) != 1 || c.OCSP != nil {
		t.Errorf("%+v", c)
	}
	for _, line := range strings.Split(string(viewtest.Show(t, c, render.Options{})), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			t.Errorf("a certificate broke out of its comment: %q", line)
		}
	}
	if c := examine(state, tlsOptions{}, now.Add(50*time.Hour)); !c.Chains[0][0].Expired || c.Chains[0][0].DaysLeft != -1 || len(c.Problems) != 1 {
		t.Errorf("%+v", c)
	}
	for _, row := range []struct {
		status   int
		word     string
		problems int
	}{{ocsp.Good, "good", 0}, {ocsp.Revoked, "revoked", 1}, {ocsp.Unknown, "unknown", 1}} {
		state.OCSPResponse = response(t, ca, caKey, leaf, row.status, now)
		if c := examine(state, tlsOptions{ocsp: true}, now); c.OCSP.Status != row.word || len(c.Problems) != row.problems || c.OCSP.Serial != "2" {
			t.Errorf("%s: %+v %v", row.word, c.OCSP, c.Problems)
		} else {
			has(t, string(viewtest.Show(t, c, render.Options{})), "# OCSP: "+strings.ToUpper(row.word)+" status="+row.word+" sn=2 producedAt=(")
		}
	}
	state.OCSPResponse = []byte("junk")
	if c := examine(state, tlsOptions{ocsp: true}, now); c.OCSP.Status != "bad" || len(c.Problems) != 1 {
		t.Errorf("%+v", c.OCSP)
	}
	if c := examine(state, tlsOptions{}, now); c.OCSP != nil || len(c.Problems) != 0 {
		t.Errorf("without --ocsp: %+v", c)
	}
}

func response(t *testing.T, ca *x509.Certificate, key crypto.Signer, leaf *x509.Certificate, status int, now time.Time) []byte {
	t.Helper()
	der, err := ocsp.CreateResponse(ca, ca, ocsp.Response{
		Status: status, SerialNumber: leaf.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour), RevokedAt: now,
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestTLSView(t *testing.T) {
	at := viewtest.Now
	leaf := certificate{
		Subject: "CN=localhost", Issuer: "CN=CA", NotBefore: at.Add(-time.Hour), NotAfter: at.Add(50 * time.Hour), DaysLeft: 2, Expiring: true,
		DNS: []string{"localhost"}, IPs: []string{"127.0.0.1"}, Serial: "466280374776991872746807000388940074874668616951", Signed: "SHA256-RSA",
		PEM: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	}
	root := certificate{Subject: "CN=CA", Issuer: "CN=CA", CA: true, NotBefore: at.Add(-time.Hour), NotAfter: at.Add(-time.Minute), DaysLeft: -1, Expired: true, Serial: "1", Signed: "SHA256-RSA"}
	viewtest.Golden(t, "tls", certificates{
		Chains: [][]certificate{{leaf, root}}, OCSP: &stapled{Status: "revoked", Serial: "1", Produced: at, This: at, Next: at, Revoked: at},
		Problems: []string{"certificate \"CN=CA\" has expired"}, warn: 7 * 24 * time.Hour, askedFor: true,
	})
}
