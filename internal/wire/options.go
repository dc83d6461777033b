package wire

import "github.com/nats-io/nats.go"

// OptionsOf are the options with which nc connected, as far as Dial and Open honour them: what they need to connect as nc did. Its
// handlers, which may be changed at any time, are not among them.
func OptionsOf(nc *nats.Conn) nats.Options {
	o := &nc.Opts
	return nats.Options{
		Url: o.Url, Servers: o.Servers, NoRandomize: o.NoRandomize, InProcessServer: o.InProcessServer, SkipHostLookup: o.SkipHostLookup,
		Name: o.Name, NoEcho: o.NoEcho, InboxPrefix: o.InboxPrefix,
		User: o.User, Password: o.Password, UserInfo: o.UserInfo, Token: o.Token, TokenHandler: o.TokenHandler,
		Nkey: o.Nkey, UserJWT: o.UserJWT, SignatureCB: o.SignatureCB,
		Secure: o.Secure, TLSConfig: o.TLSConfig, TLSCertCB: o.TLSCertCB, RootCAsCB: o.RootCAsCB, TLSHandshakeFirst: o.TLSHandshakeFirst,
		Dialer: o.Dialer, CustomDialer: o.CustomDialer, AllowMultipathTCP: o.AllowMultipathTCP,
		Compression: o.Compression, ProxyPath: o.ProxyPath,
		WebSocketConnectionHeaders: o.WebSocketConnectionHeaders, WebSocketConnectionHeadersHandler: o.WebSocketConnectionHeadersHandler,
		Timeout: o.Timeout, FlusherTimeout: o.FlusherTimeout, PingInterval: o.PingInterval, MaxPingsOut: o.MaxPingsOut,
		AllowReconnect: o.AllowReconnect, MaxReconnect: o.MaxReconnect, ReconnectWait: o.ReconnectWait,
		ReconnectJitter: o.ReconnectJitter, ReconnectJitterTLS: o.ReconnectJitterTLS, CustomReconnectDelayCB: o.CustomReconnectDelayCB,
		IgnoreAuthErrorAbort: o.IgnoreAuthErrorAbort, IgnoreDiscoveredServers: o.IgnoreDiscoveredServers,
	}
}
