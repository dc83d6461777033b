package contexts_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

// authority signs certificates for one test.
type authority struct {
	b    *box
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string
}

func newAuthority(t *testing.T, b *box) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{b, key, cert, filepath.Join(b.home, "ca.pem")}
	b.file(a.file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return a
}

// pair signs a certificate for the names and keeps both halves in files.
func (a *authority) pair(t *testing.T, file string, names ...string) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: file}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})
	certFile, keyFile = filepath.Join(a.b.home, file+".pem"), filepath.Join(a.b.home, file+".key")
	a.b.file(certFile, string(certPEM))
	a.b.file(keyFile, string(keyPEM))
	cert, err = tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return cert, certFile, keyFile
}

func TestTLS(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	ca := newAuthority(t, b)
	cert, _, _ := ca.pair(t, "server", "nats.internal")
	_, clientCert, clientKey := ca.pair(t, "client", "client")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	s := runServer(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
		o.TLSTimeout = 20
	})
	u := s.ClientURL()
	mutual := flags("server", u, "tlscert", clientCert, "tlskey", clientKey)
	connect := func(more map[contexts.Key]contexts.Given) error {
		_, err := manager(t, b.resolve(contexts.Request{Settings: both(mutual, more)}), contexts.Options{}).Conn(t.Context())
		return err
	}
	if err := connect(flags("tlsca", ca.file, "tls-server-name", "nats.internal")); err != nil {
		t.Error(err)
	}
	if err := connect(flags("tls-insecure", "true")); err != nil {
		t.Error(err)
	}
	wantError(t, connect(flags("tlsca", ca.file)), fail.Unreachable, "127.0.0.1", "--tls-server-name")
	wantError(t, connect(flags("tlsca", ca.file, "tls-server-name", "other")), fail.Unreachable, "other")
	wantError(t, connect(flags("tls-server-name", "nats.internal")), fail.Unreachable, "--tlsca FILE")
	wantError(t, connect(flags("tlsca", "/nope/ca.pem")), fail.Failure, "configuration error: tlsca (--tlsca)", "/nope/ca.pem")
	_, err := manager(t, b.resolve(contexts.Request{Settings: flags("server", u, "tls-insecure", "true")}), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Unreachable, "cannot connect to")

	plain := runServer(t, nil)
	_, err = manager(t, b.resolve(contexts.Request{Settings: flags("server", plain.ClientURL(), "tls-server-name", "x")}), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Unreachable, "does not speak TLS")
}

func TestTLSFirst(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	ca := newAuthority(t, b)
	cert, _, _ := ca.pair(t, "server", "127.0.0.1")
	s := runServer(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		o.TLSHandshakeFirst, o.TLSTimeout = true, 20
	})
	b.context("first", `{"url":"`+s.ClientURL()+`","tls_first":true,"ca":"~/ca.pem"}`)
	connected(t, manager(t, b.resolve(contexts.Request{Context: named("first")}), contexts.Options{}))
	off := b.resolve(contexts.Request{Context: named("first"), Settings: flags("tlsfirst", "false", "timeout", "200ms")})
	if _, err := manager(t, off, contexts.Options{}).Conn(t.Context()); err == nil {
		t.Error("--no-tlsfirst did not turn it off")
	}
}

func websocketServer(t *testing.T, cert *tls.Certificate) string {
	t.Helper()
	s := runServer(t, func(o *server.Options) {
		o.Websocket = server.WebsocketOpts{Host: "127.0.0.1", Port: -1, NoTLS: cert == nil}
		if cert != nil {
			o.Websocket.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
		}
	})
	return s.WebsocketURL()
}

func TestWebsocketWithHeaders(t *testing.T) {
	t.Parallel()
	target := strings.TrimPrefix(websocketServer(t, nil), "ws://")
	seen := make(chan http.Header, 1)
	l := relay(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		seen <- req.Header
		up, err := net.Dial("tcp", target)
		if err != nil {
			t.Error(err)
			return
		}
		req.Host = target
		if err := req.Write(up); err != nil {
			t.Error(err)
		}
		pipe(c, in, up)
	})
	connected(t, manager(t, resolved(t, flags("server", "ws://"+l, "ws-header", "Authorization: Bearer s3cr3t", "ws-header", "X-A: 1", "ws-header", "X-A: 2")), contexts.Options{}))
	got := <-seen
	if got.Get("Authorization") != "Bearer s3cr3t" || strings.Join(got["X-A"], ",") != "1,2" {
		t.Errorf("%v", got)
	}
}

// relay accepts connections and hands each to serve until the test ends.
func relay(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	relayOn(t, l, serve)
	return l.Addr().String()
}

func relayOn(t *testing.T, l net.Listener, serve func(net.Conn)) {
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
}

func pipe(c net.Conn, in io.Reader, up net.Conn) {
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(up, in)
		up.Close()
	})
	_, _ = io.Copy(c, up)
	c.Close()
	wg.Wait()
}

// connectProxy is an HTTP proxy for CONNECT that wants user and password; it sends what every name stands for to target.
func connectProxy(t *testing.T, l net.Listener, target string, asked *sync.Map) {
	relayOn(t, l, func(c net.Conn) {
		in := bufio.NewReader(c)
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		asked.Store(req.Host, true)
		if user, pass, ok := (&http.Request{Header: http.Header{"Authorization": req.Header["Proxy-Authorization"]}}).BasicAuth(); !ok || user != "gate" || pass != "s3cr3t/pw" {
			_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
			return
		}
		up, err := net.Dial("tcp", target)
		if err != nil {
			_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
			return
		}
		// The server's first line may come in the same packet as the answer: read it first, then send both at once.
		first := make([]byte, 4096)
		n := 0
		if !strings.Contains(req.Host, "wss") {
			n, _ = up.Read(first)
		}
		_, _ = c.Write(append([]byte("HTTP/1.1 200 Connection established\r\n\r\n"), first[:n]...))
		pipe(c, in, up)
	})
}

func TestHTTPProxy(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	ca := newAuthority(t, b)
	proxyCert, _, _ := ca.pair(t, "proxy", "127.0.0.1")
	wssCert, _, _ := ca.pair(t, "wss", "wss.nats.internal")
	natsCert, _, _ := ca.pair(t, "nats", "nats.internal")
	s := runServer(t, nil)
	secure := runServer(t, func(o *server.Options) {
		o.TLSConfig, o.TLSTimeout = &tls.Config{Certificates: []tls.Certificate{natsCert}, MinVersion: tls.VersionTLS12}, 20
	})
	wss := strings.TrimPrefix(websocketServer(t, &wssCert), "wss://")

	listen := func(secure bool) net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if secure {
			l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{proxyCert}, MinVersion: tls.VersionTLS12})
		}
		return l
	}
	rows := []struct{ name, scheme, server, target string }{
		{"http", "http", "nats://nats.internal:4222", s.Addr().String()},
		{"https", "https", "nats://nats.internal:4222", secure.Addr().String()},
		{"wss", "http", "wss://wss.nats.internal:443", wss},
		{"wss through https", "https", "wss://wss.nats.internal:443", wss},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var asked sync.Map
			l := listen(r.scheme == "https")
			connectProxy(t, l, r.target, &asked)
			settings := flags("server", r.server, "http-proxy", r.scheme+"://gate:s3cr3t%2Fpw@"+l.Addr().String(), "timeout", "20s")
			if r.name != "http" {
				settings = both(settings, flags("tlsca", ca.file))
			}
			m := manager(t, b.resolve(contexts.Request{Settings: settings}), contexts.Options{})
			connected(t, m)
			if _, ok := asked.Load(strings.SplitN(r.server, "//", 2)[1]); !ok {
				t.Error("the name was not left to the proxy")
			}
			o, err := m.Options(t.Context())
			if err != nil || o.CustomDialer == nil || !o.SkipHostLookup {
				t.Errorf("other clients do not get the proxy: %v", err)
			}
		})
	}
	var asked sync.Map
	l := listen(false)
	connectProxy(t, l, s.Addr().String(), &asked)
	_, err := manager(t, b.resolve(contexts.Request{Settings: flags("server", "nats://nats.internal:1", "http-proxy", "http://gate:s3cr3t-no@"+l.Addr().String())}), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Unreachable, "gate:*****@", "407 Proxy Authentication Required", "CONNECT nats.internal:1")
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Error(err)
	}
	dead := strings.TrimPrefix(closedPort(t), "nats://")
	_, err = manager(t, b.resolve(contexts.Request{Settings: flags("http-proxy", dead)}), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Unreachable, "cannot connect to nats://127.0.0.1:4222 (default)")
}

// socksProxy speaks just enough of RFC 1928 and 1929.
func socksProxy(t *testing.T, target string, asked *sync.Map) string {
	return relay(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		read := func(n int) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(in, b); err != nil {
				return make([]byte, n)
			}
			return b
		}
		methods := read(int(read(2)[1]))
		if strings.Contains(string(methods), "\x02") {
			_, _ = c.Write([]byte{5, 2})
			user := read(int(read(2)[1]))
			pass := read(int(read(1)[0]))
			status := byte(1)
			if string(user) == "gate" && string(pass) == "s3cr3t-pw" {
				status = 0
			}
			_, _ = c.Write([]byte{1, status})
			if status != 0 {
				return
			}
		} else {
			_, _ = c.Write([]byte{5, 0})
		}
		head := read(4)
		if head[3] == 3 {
			asked.Store(string(read(int(read(1)[0]))), true)
		} else {
			read(4)
		}
		read(2)
		up, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		pipe(c, in, up)
	})
}

func TestSOCKSProxy(t *testing.T) {
	t.Parallel()
	s := runServer(t, nil)
	var asked sync.Map
	gate := socksProxy(t, s.Addr().String(), &asked)
	for _, p := range []string{"socks5://gate:s3cr3t-pw@" + gate, gate} {
		connected(t, manager(t, resolved(t, flags("server", "nats://nats.internal:4222", "socks-proxy", p, "timeout", "20s")), contexts.Options{}))
	}
	if _, ok := asked.Load("nats.internal"); !ok {
		t.Error("the name was not left to the proxy")
	}
	_, err := manager(t, resolved(t, flags("server", "nats://nats.internal:4222", "socks-proxy", "socks5://gate:s3cr3t-no@"+gate)), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Unreachable, "SOCKS proxy socks5://gate:*****@")
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Error(err)
	}
}
