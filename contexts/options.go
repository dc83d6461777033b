package contexts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/natscontext"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts/internal/jsonfile"
	"github.com/natskit/natskit/internal/fail"
)

// prepare builds the client options once; looking up credentials may run commands and ask the user to unlock something.
func (m *Manager) prepare(ctx context.Context) (nats.Options, error) {
	o := nats.GetDefaultOptions()
	o.Name = m.r.ConnectionName
	if o.Name == "" {
		o.Name = m.o.Name
	}
	o.Timeout = m.patience()
	o.MaxReconnect = -1
	o.IgnoreAuthErrorAbort = true
	o.PermissionErrOnSubscribe = true
	o.NoCallbacksAfterClientClose = true
	m.handlers(&o)
	for u := range strings.SplitSeq(m.r.URL, ",") {
		o.Servers = append(o.Servers, strings.TrimSpace(u))
	}
	opts, err := m.credentials(ctx)
	if err != nil {
		return o, err
	}
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return o, m.configError(err)
		}
	}
	if o.WebSocketConnectionHeaders, err = headers(m.r.WSHeaders); err != nil {
		return o, m.configError(err)
	}
	m.verification(&o)
	if m.r.SocksProxy != "" || m.r.HTTPProxy != "" {
		out, err := route(m.r)
		if err != nil {
			return o, m.configError(err)
		}
		o.CustomDialer, o.SkipHostLookup = &dialer{dial: out, timeout: o.Timeout, ctx: context.Background()}, true
	}
	if dir, ok := m.r.Embedded(); ok {
		return o, m.embed(ctx, dir, &o)
	}
	return o, nil
}

// verification sets how the server's certificate is judged. A name to look for means that TLS is expected; --tls-insecure alone
// takes the server as it comes.
func (m *Manager) verification(o *nats.Options) {
	if !m.r.TLSInsecure && m.r.TLSServerName == "" {
		return
	}
	if o.TLSConfig == nil {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	o.TLSConfig.InsecureSkipVerify = m.r.TLSInsecure
	if m.r.TLSServerName != "" {
		o.TLSConfig.ServerName, o.Secure = m.r.TLSServerName, true
	}
}

func (m *Manager) embed(ctx context.Context, dir string, o *nats.Options) error {
	if m.o.OpenEmbedded == nil {
		return fail.Newf(fail.Usage, "%s: this program holds no server", m.r.URL)
	}
	provider, shut, err := m.o.OpenEmbedded(ctx, dir)
	if err != nil {
		return &fail.Error{Code: fail.CodeOf(err), Err: fmt.Errorf("%s: %w", m.r.URL, err), Hint: fail.HintOf(err)}
	}
	m.shut = shut
	o.InProcessServer, o.Servers = provider, []string{nats.DefaultURL}
	return nil
}

// credentials has natscontext build the options for identity and TLS: it ranks the kinds and owns the resolvers.
func (m *Manager) credentials(ctx context.Context) ([]nats.Option, error) {
	doc, err := m.asContext()
	if err != nil {
		return nil, m.configError(err)
	}
	data, err := doc.MarshalJSON()
	if err != nil {
		return nil, err
	}
	store := natscontext.NewMemoryBackend()
	if err := store.Save(ctx, "effective", data); err != nil {
		return nil, err
	}
	reg := natscontext.NewRegistry(store, natscontext.WithoutExpansion(), natscontext.WithDefaultResolvers(),
		natscontext.WithCredentialResolver(envResolver{m.r}))
	c, err := reg.Load(ctx, "effective")
	if err != nil {
		return nil, err
	}
	type result struct {
		opts []nats.Option
		err  error
	}
	// The library gives its commands no context to be stopped by. Who interrupts us does not wait for them; they end with
	// the terminal or by themselves.
	done := make(chan result, 1)
	go func() {
		opts, err := c.NATSOptions()
		done <- result{opts, err}
	}()
	select {
	case got := <-done:
		if got.err != nil {
			return nil, m.configError(got.err)
		}
		return got.opts, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// asContext is the settings as a context file: paths expanded and checked, and secrets that must be taken literally wrapped.
func (m *Manager) asContext() (jsonfile.Object, error) {
	r := m.r
	if r.literal {
		r.Password = natscontext.EncodeDataURI([]byte(r.Password))
	}
	var doc jsonfile.Object
	for _, row := range settings() {
		v := row.text(&r)
		if v != "" && row.json != "" && SourceOf(row.json, v) == SourceFile {
			path := filePath(expandReference(v, r.lookup))
			if err := readable(path); err != nil {
				return nil, fmt.Errorf("%s (%s): %w", row.key, r.Origin(row.key), err)
			}
			if v = path; !slices.Contains(pathKeys, row.json) {
				v = "file://" + path
			}
		}
		switch row.key {
		case KeySocksProxy: // our own dialer, which can be interrupted
		case KeyTLSFirst:
			doc.Set(row.json, jsonfile.Encode(r.TLSFirst))
		case KeyCertStoreCAMatch:
			doc.Set(row.json, jsonfile.Encode(r.CertStoreCAMatch))
		default:
			if row.json != "" {
				doc.Set(row.json, jsonfile.Encode(v))
			}
		}
	}
	return doc, nil
}

func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// envResolver is natscontext's for env://, reading the environment that the program reads.
type envResolver struct{ r Resolved }

// Schemes implements natscontext.CredentialResolver.
func (envResolver) Schemes() []string { return []string{"env"} }

// Resolve implements natscontext.CredentialResolver.
func (e envResolver) Resolve(_ context.Context, ref string) ([]byte, error) {
	name := strings.TrimPrefix(ref[len("env:"):], "//")
	if name == "" {
		return nil, errors.New("env: missing variable name")
	}
	v := e.r.lookup(name)
	if v == "" {
		return nil, fmt.Errorf("env: variable %q is not set", name)
	}
	return []byte(v), nil
}

// configError is a setting that cannot be used; the server was not asked.
func (m *Manager) configError(err error) error {
	if err == nil {
		return nil
	}
	return fail.Newf(fail.Failure, "configuration error: %w", scrubError(err, m.secrets)).
		WithHint("nats context info --effective shows where each setting comes from")
}
