package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// certificates are the files of a CA and of one certificate it signed, for servers and clients on loopback.
type certificates struct{ caFile, certFile, keyFile string }

func (c *certificates) config(verify bool) string {
	return fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: %t, timeout: 10 }", c.certFile, c.keyFile, c.caFile, verify)
}

func makeCertificates(t testing.TB) *certificates {
	t.Helper()
	dir := t.TempDir()
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP(loopback), net.IPv6loopback},
	}
	caKey, key := makeKey(t), makeKey(t)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	return &certificates{
		caFile:   writePEM(t, dir, "ca.pem", "CERTIFICATE", sign(t, ca, ca, caKey, caKey)),
		certFile: writePEM(t, dir, "cert.pem", "CERTIFICATE", sign(t, leaf, ca, key, caKey)),
		keyFile:  writePEM(t, dir, "key.pem", "EC PRIVATE KEY", der),
	}
}

func makeKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	return key
}

func sign(t testing.TB, cert, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatalf("certificate: %v", err)
	}
	return der
}

func writePEM(t testing.TB, dir, name, kind string, der []byte) string {
	t.Helper()
	return writeFile(t, dir, name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func writeFile(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// makeOperator makes an operator, its system account, the account APP and a user of each, and the configuration for them.
func (s *setup) makeOperator(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	operator, operatorKey := makeNKey(t, nkeys.CreateOperator)
	sys, sysKey := makeNKey(t, nkeys.CreateAccount)
	app, appKey := makeNKey(t, nkeys.CreateAccount)

	oc := jwt.NewOperatorClaims(operator)
	oc.Name, oc.SystemAccount = "test", sys
	sc := jwt.NewAccountClaims(sys)
	sc.Name = "SYS"
	ac := jwt.NewAccountClaims(app)
	ac.Name = "APP"
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}

	s.text = append(s.text, fmt.Sprintf("operator: %q\nsystem_account: %q\nresolver: MEMORY\nresolver_preload: { %s: %q, %s: %q }\n",
		encode(t, oc, operatorKey), sys, sys, encode(t, sc, operatorKey), app, encode(t, ac, operatorKey)))
	s.account = app
	s.creds = makeCreds(t, dir, "app", appKey)
	s.sysCreds = makeCreds(t, dir, "sys", sysKey)
}

func makeNKey(t testing.TB, create func() (nkeys.KeyPair, error)) (public string, key nkeys.KeyPair) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatalf("nkey: %v", err)
	}
	if public, err = key.PublicKey(); err != nil {
		t.Fatalf("nkey: %v", err)
	}
	return public, key
}

func encode(t testing.TB, c jwt.Claims, by nkeys.KeyPair) string {
	t.Helper()
	text, err := c.Encode(by)
	if err != nil {
		t.Fatalf("JWT: %v", err)
	}
	return text
}

func makeCreds(t testing.TB, dir, name string, account nkeys.KeyPair) string {
	t.Helper()
	user, key := makeNKey(t, nkeys.CreateUser)
	uc := jwt.NewUserClaims(user)
	uc.Name = name
	seed, err := key.Seed()
	if err != nil {
		t.Fatalf("seed: %v", err)
	}
	text, err := jwt.FormatUserConfig(encode(t, uc, account), seed)
	if err != nil {
		t.Fatalf("credentials: %v", err)
	}
	return writeFile(t, dir, name+".creds", text)
}
