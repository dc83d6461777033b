package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/natskit/natskit/internal/wire/websocket"
)

// Names of RFC 6455 and RFC 7692.
const (
	wsGUID    = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	wsDeflate = "permessage-deflate"
	wsOffer   = wsDeflate + "; server_no_context_takeover; client_no_context_takeover"
)

// websocket upgrades the socket of c; after it, c reads and writes protocol bytes as over TCP.
func (d *dialer) websocket(ctx context.Context, c *Conn) error {
	o := &d.o
	if d.pool.secure || o.TLSConfig != nil || o.TLSCertCB != nil || o.RootCAsCB != nil {
		if err := d.encrypt(ctx, c); err != nil {
			return err
		}
	}
	req, key, err := d.upgrade(c)
	if err != nil {
		return err
	}
	if err := req.Write(c.nc); err != nil {
		return fmt.Errorf("asking for the websocket: %w", err)
	}
	br := bufio.NewReaderSize(c.nc, 4096)
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return fmt.Errorf("reading the answer to the websocket request: %w", err)
	}
	// A switched protocol has no body; of a refusal the status is enough.
	_ = resp.Body.Close()
	sum := sha1.Sum([]byte(key + wsGUID))
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("the server refuses the websocket: %s", resp.Status)
	case !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket"),
		!strings.EqualFold(resp.Header.Get("Connection"), "upgrade"),
		resp.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]):
		return errors.New("the answer to the websocket request is not one")
	}
	deflate, err := accepted(resp.Header, o.Compression)
	if err != nil {
		return err
	}
	early, _ := br.Peek(br.Buffered())
	c.nc = websocket.New(c.nc, bytes.Clone(early), deflate)
	return nil
}

// upgrade makes the HTTP request and its challenge key.
func (d *dialer) upgrade(c *Conn) (*http.Request, string, error) {
	o := &d.o
	u := &url.URL{Scheme: "http", Host: c.srv.url.Host, Path: c.srv.url.Path, RawQuery: c.srv.url.RawQuery}
	if c.encrypted {
		u.Scheme = "https"
	}
	if o.ProxyPath != "" {
		u.Path = "/" + strings.TrimPrefix(o.ProxyPath, "/")
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	req := &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-WebSocket-Key": {key}, "Sec-WebSocket-Version": {"13"},
		},
	}
	if o.Compression {
		req.Header.Add("Sec-WebSocket-Extensions", wsOffer)
	}
	extra := o.WebSocketConnectionHeaders
	if o.WebSocketConnectionHeadersHandler != nil {
		var err error
		if extra, err = o.WebSocketConnectionHeadersHandler(); err != nil {
			return nil, "", fmt.Errorf("making the websocket headers: %w", err)
		}
	}
	for name, values := range extra {
		for _, v := range values {
			req.Header.Add(name, v)
		}
	}
	return req, key, nil
}

// accepted reports whether the server took the offer to compress each message by itself.
func accepted(h http.Header, offered bool) (bool, error) {
	for _, list := range h.Values("Sec-WebSocket-Extensions") {
		for ext := range strings.SplitSeq(list, ",") {
			words := strings.Split(ext, ";")
			if !strings.EqualFold(strings.TrimSpace(words[0]), wsDeflate) {
				continue
			}
			found := 0
			for _, w := range words[1:] {
				switch strings.ToLower(strings.TrimSpace(w)) {
				case "server_no_context_takeover", "client_no_context_takeover":
					found++
				}
			}
			if !offered || found < 2 {
				return false, errors.New("the server compresses the websocket in a way that was not offered")
			}
			return true, nil
		}
	}
	return false, nil
}
