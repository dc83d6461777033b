// Package tunnel opens network connections directly and through proxies, so that waiting for them can be interrupted.
package tunnel

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/net/proxy"
)

// Dial opens a connection to address; ctx bounds the attempt, not the connection.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Direct tries all addresses of a host in random order, as the client does to spread its load, but can be interrupted while a
// name is looked up.
func Direct(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	var failed error
	for i, a := range addrs {
		one, cancel := share(ctx, len(addrs)-i)
		c, err := new(net.Dialer).DialContext(one, network, net.JoinHostPort(a, port))
		cancel()
		if err == nil {
			return c, nil
		}
		failed = err
	}
	return nil, failed
}

// share gives an attempt its part of the time that is left for n of them.
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	if until, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(until)/time.Duration(n))
	}
	return context.WithCancel(ctx)
}

// SOCKS asks a SOCKS5 proxy, which also looks up names; name is how errors call it, without its password.
func SOCKS(u *url.URL, name string) (Dial, error) {
	plain := *u
	plain.Scheme = "socks5"
	d, err := proxy.FromURL(&plain, new(net.Dialer))
	if err != nil {
		return nil, errors.New("invalid SOCKS proxy " + name)
	}
	through, ok := d.(proxy.ContextDialer)
	if !ok {
		return nil, fmt.Errorf("SOCKS proxy %s: %T cannot be interrupted", name, d)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := through.DialContext(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("SOCKS proxy %s: %w", name, err)
		}
		return c, nil
	}, nil
}

// HTTP asks an HTTP proxy, itself reached by http or https, to CONNECT; name is how errors call it, without its password. The proxy's own certificate is verified against the system's authorities and those in the
// file ca, also under --tls-insecure, which is about the server.
func HTTP(u *url.URL, name, ca string) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := Direct(ctx, network, u.Host)
		if err != nil {
			return nil, fmt.Errorf("proxy %s: %w", name, err)
		}
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		t, err := openTunnel(ctx, c, u, ca, address)
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			_ = c.Close()
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, fmt.Errorf("proxy %s: %w", name, err)
		}
		return t, nil
	}
}

func openTunnel(ctx context.Context, c net.Conn, u *url.URL, ca, address string) (net.Conn, error) {
	if u.Scheme == "https" {
		config := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
		if ca != "" {
			pool, err := withAuthorities(ca)
			if err != nil {
				return nil, err
			}
			config.RootCAs = pool
		}
		secure := tls.Client(c, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		c = secure
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{"User-Agent": {"nats"}}}
	if u.User != nil {
		pass, _ := u.User.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+pass)))
	}
	if err := req.Write(c); err != nil {
		return nil, err
	}
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("answered %s to CONNECT %s", resp.Status, address)
	}
	return &conn{c, in}, nil
}

func withAuthorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificates", file)
	}
	return pool, nil
}

// conn gives back first what was read beyond the proxy's answer: the server speaks first.
type conn struct {
	net.Conn
	in *bufio.Reader
}

func (t *conn) Read(b []byte) (int, error) { return t.in.Read(b) }
