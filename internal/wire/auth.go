package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
)

// hello is the argument of CONNECT.
type hello struct {
	Verbose      bool   `json:"verbose"`
	Pedantic     bool   `json:"pedantic"`
	UserJWT      string `json:"jwt,omitempty"`
	Nkey         string `json:"nkey,omitempty"`
	Signature    string `json:"sig,omitempty"`
	User         string `json:"user,omitempty"`
	Pass         string `json:"pass,omitempty"`
	Token        string `json:"auth_token,omitempty"`
	TLS          bool   `json:"tls_required"`
	Name         string `json:"name"`
	Lang         string `json:"lang"`
	Version      string `json:"version"`
	Protocol     int    `json:"protocol"`
	Echo         bool   `json:"echo"`
	Headers      bool   `json:"headers"`
	NoResponders bool   `json:"no_responders"`
}

// greet makes the CONNECT line. As in nats.go the userinfo of the URL goes before the options, a user without a password is a token.
func greet(o *nats.Options, s *server, info *nats.ServerInfo, tls bool) ([]byte, error) {
	if o.NoEcho && info.Proto < 1 {
		return nil, nats.ErrNoEchoNotSupported
	}
	h := hello{
		TLS: tls, Name: o.Name, Lang: nats.LangString, Version: nats.Version, Protocol: 1,
		Echo: !o.NoEcho, Headers: info.Headers, NoResponders: info.Headers,
	}
	if u := s.url.User; u != nil {
		if pass, ok := u.Password(); ok {
			h.User, h.Pass = u.Username(), pass
		} else {
			h.Token = u.Username()
		}
	} else {
		h.User, h.Pass, h.Token, h.Nkey = o.User, o.Password, o.Token, o.Nkey
		if o.UserInfo != nil {
			if h.User != "" || h.Pass != "" {
				return nil, nats.ErrUserInfoAlreadySet
			}
			h.User, h.Pass = o.UserInfo()
		}
	}
	if err := sign(o, &h, info.Nonce); err != nil {
		return nil, err
	}
	if o.TokenHandler != nil {
		if h.Token != "" {
			return nil, nats.ErrTokenAlreadySet
		}
		h.Token = o.TokenHandler()
	}
	b, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encoding CONNECT: %w", err)
	}
	line := append([]byte("CONNECT "), b...)
	return append(line, "\r\nPING\r\n"...), nil
}

// sign adds the JWT or nkey and the signature of the server's nonce.
func sign(o *nats.Options, h *hello, nonce string) error {
	if o.UserJWT != nil {
		token, err := o.UserJWT()
		if err != nil {
			return fmt.Errorf("reading the user JWT: %w", err)
		}
		if h.Nkey != "" {
			return nats.ErrNkeyAndUser
		}
		h.UserJWT = token
	}
	if h.UserJWT == "" && h.Nkey == "" {
		return nil
	}
	if o.SignatureCB == nil {
		if h.UserJWT == "" {
			return nats.ErrNkeyButNoSigCB
		}
		return nats.ErrUserButNoSigCB
	}
	if h.Nkey != "" && nonce == "" {
		return nats.ErrNkeysNotSupported
	}
	sig, err := o.SignatureCB([]byte(nonce))
	if err != nil {
		return fmt.Errorf("signing the nonce: %w", err)
	}
	h.Signature = base64.RawURLEncoding.EncodeToString(sig)
	return nil
}
