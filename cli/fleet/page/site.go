package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// policy lets the page load its own files and open websockets, and nothing else; no text can become markup or script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// settings is what the page is told, the same for everybody: no credentials.
type settings struct {
	Websocket string            `json:"websocket"`
	Service   string            `json:"service"`
	Bucket    string            `json:"bucket"`
	Survey    string            `json:"survey"`
	Metrics   string            `json:"metrics"`
	Labels    map[string]string `json:"labels"`
	Version   string            `json:"version"`
}

// site serves a handful of files from memory, compressed once.
type site map[string]file

type file struct {
	kind          string // media type
	plain, packed []byte
	tag           string
}

func newSite(s settings) (site, error) {
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	said, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("settings of the page: %w", err)
	}
	out := site{}
	if err := out.add("settings.json", said); err != nil {
		return nil, err
	}
	err = fs.WalkDir(assets, "assets", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := assets.ReadFile(p)
		if err != nil {
			return err
		}
		return out.add(path.Base(p), data)
	})
	return out, err
}

func (s site) add(name string, data []byte) error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(data); err != nil {
		return fmt.Errorf("file %s of the page: %w", name, err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("file %s of the page: %w", name, err)
	}
	sum := sha256.Sum256(data)
	// Kinds are ours and not the machine's: a browser runs no script of another kind.
	kinds := map[string]string{
		".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml", ".json": "application/json",
	}
	kind := kinds[path.Ext(name)]
	if kind == "" {
		kind = "text/plain; charset=utf-8"
	}
	s["/"+name] = file{kind: kind, plain: data, packed: packed.Bytes(), tag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	if name == "index.html" {
		s["/"] = s["/index.html"]
	}
	return nil
}

// ServeHTTP answers GET and HEAD.
func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	f, ok := s[r.URL.Path]
	if !ok {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	tag := f.tag
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body, tag = f.packed, strings.TrimSuffix(f.tag, `"`)+`-gzip"`
	}
	h.Set("Content-Type", f.kind)
	h.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// newServer bounds how long a browser may take, so that idle ones cannot hold connections for ever.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 16,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
