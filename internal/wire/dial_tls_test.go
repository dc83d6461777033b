package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

func TestDialTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	plain := startServer(t, "")
	secure := startServer(t, "", func(o *natsd.Options) { o.TLSConfig = ca.serverConfig(t) })
	first := startServer(t, "", func(o *natsd.Options) { o.TLSConfig, o.TLSHandshakeFirst = ca.serverConfig(t), true })
	mutual := startServer(t, "", func(o *natsd.Options) {
		o.TLSConfig, o.TLSVerify = ca.serverConfig(t), true
		o.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
	})
	trust := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.pool}
	rows := []struct {
		name   string
		server *natsd.Server
		set    func(*nats.Options)
		err    string
	}{
		{"asked for by the server", secure, func(o *nats.Options) { o.TLSConfig = trust }, ""},
		{"asked for by the URL", secure, func(o *nats.Options) {
			o.Url, o.TLSConfig = strings.Replace(o.Url, "nats:", "tls:", 1), trust
		}, ""},
		{"by host name", secure, func(o *nats.Options) {
			o.Url, o.TLSConfig = strings.Replace(o.Url, "127.0.0.1", "localhost", 1), trust
		}, ""},
		{"roots of a callback", secure, func(o *nats.Options) {
			o.RootCAsCB = func() (*x509.CertPool, error) { return ca.pool, nil }
		}, ""},
		{"unknown authority", secure, func(*nats.Options) {}, "certificate signed by unknown authority"},
		{"wrong name", secure, func(o *nats.Options) {
			o.TLSConfig = trust.Clone()
			o.TLSConfig.ServerName = "example.net"
		}, "example.net"},
		{"first", first, func(o *nats.Options) { o.TLSConfig, o.TLSHandshakeFirst = trust, true }, ""},
		{"client certificate", mutual, func(o *nats.Options) {
			o.TLSConfig = trust.Clone()
			o.TLSConfig.Certificates = []tls.Certificate{ca.issue(t)}
		}, ""},
		{"client certificate of a callback", mutual, func(o *nats.Options) {
			o.TLSConfig = trust
			o.TLSCertCB = func() (tls.Certificate, error) { return ca.issue(t), nil }
		}, ""},
		{"no client certificate", mutual, func(o *nats.Options) { o.TLSConfig = trust }, "certificate required"},
		{"not offered", plain, func(o *nats.Options) { o.Secure, o.TLSConfig = true, trust }, nats.ErrSecureConnWanted.Error()},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			o := testOptions()
			o.Url = "nats://" + r.server.Addr().String()
			r.set(&o)
			c, err := Dial(testContext(t), o)
			if r.err != "" {
				if err == nil || !strings.Contains(err.Error(), r.err) || fail.CodeOf(err) != fail.Unreachable {
					t.Fatalf("%v (code %d), want %q", err, fail.CodeOf(err), r.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if !c.Encrypted() {
				t.Error("not encrypted")
			}
			echo(t, c)
		})
	}
}

func TestDialWebsocket(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ws := startServer(t, "", func(o *natsd.Options) {
		o.Websocket = natsd.WebsocketOpts{Host: "127.0.0.1", Port: -1, NoTLS: true, Compression: true}
	})
	wss := startServer(t, "", func(o *natsd.Options) {
		o.Websocket = natsd.WebsocketOpts{Host: "127.0.0.1", Port: -1, TLSConfig: ca.serverConfig(t), HandshakeTimeout: patience}
	})
	rows := []struct {
		name, url string
		set       func(*nats.Options)
	}{
		{"plain", ws.WebsocketURL(), func(*nats.Options) {}},
		{"compressed", ws.WebsocketURL(), func(o *nats.Options) { o.Compression = true }},
		{"path and headers", ws.WebsocketURL(), func(o *nats.Options) {
			o.ProxyPath = "nats"
			o.WebSocketConnectionHeadersHandler = func() (http.Header, error) { return http.Header{"X-Test": {"1"}}, nil }
		}},
		{"encrypted", wss.WebsocketURL(), func(o *nats.Options) { o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.pool} }},
		{"encrypted, compression not taken", wss.WebsocketURL(), func(o *nats.Options) {
			o.Compression = true
			o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.pool}
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			o := testOptions(r.url)
			r.set(&o)
			c := dial(t, o)
			echo(t, c)
			if err := c.Ping(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := Dial(testContext(t), testOptions(ws.WebsocketURL(), ws.ClientURL())); !errors.Is(err, nats.ErrMixingWebsocketSchemes) {
		t.Error(err)
	}
	_, err := Dial(testContext(t), testOptions("ws://"+httpServer(t)))
	if err == nil || !strings.Contains(err.Error(), "418") {
		t.Error(err)
	}
}
