package contexts

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/natskit/natskit/internal/fail"
)

// overlay is a read-only directory of contexts, see the package documentation.
type overlay struct {
	dir     string // absolute
	trusted bool
}

func (o overlay) file(name string) string { return filepath.Join(o.dir, name+".json") }

// overlays are the directories of $NATS_CONTEXTS_PATH and the project's one, in search order. At most the last is not trusted.
func (s *Store) overlays(ctx context.Context) ([]overlay, error) {
	var out []overlay
	for _, dir := range filepath.SplitList(s.getenv("NATS_CONTEXTS_PATH")) {
		if dir == "" {
			continue
		}
		abs, err := s.absolute(expandPath(dir, s.getenv))
		if err != nil {
			return nil, err
		}
		out = append(out, overlay{abs, true})
	}
	project := s.project()
	if project == "" {
		return out, nil
	}
	if slices.ContainsFunc(out, func(o overlay) bool { return realPath(o.dir) == realPath(project) }) {
		return out, nil
	}
	g, _, err := s.readGuard(ctx)
	if err != nil {
		return nil, err
	}
	return append(out, overlay{project, slices.Contains(g.Trusted, realPath(project))}), nil
}

func (s *Store) absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	wd, err := s.workDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(wd, path), nil
}

func (s *Store) workDir() (string, error) {
	if s.dir != "" {
		return s.dir, nil
	}
	return os.Getwd()
}

// project is the nearest .nats directory upwards. The search ends before the home directory and before the root, which are no projects.
func (s *Store) project() string {
	dir, err := s.workDir()
	if err != nil {
		return "" // a directory that is gone is in no project
	}
	home, err := homeDir(s.getenv)
	if err != nil {
		home = ""
	}
	for {
		up := filepath.Dir(dir)
		if up == dir || dir == filepath.Clean(home) {
			return ""
		}
		found := filepath.Join(dir, ".nats")
		if info, err := os.Stat(found); err == nil && info.IsDir() {
			return found
		}
		dir = up
	}
}

// realPath follows links as far as the path exists, so that one directory has one name.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// Project is the .nats directory found from the working directory upwards, and whether it is trusted. Empty when there is none.
func (s *Store) Project(ctx context.Context) (dir string, trusted bool, err error) {
	all, err := s.overlays(ctx)
	if err != nil {
		return "", false, err
	}
	dir = s.project()
	for _, o := range all {
		if dir != "" && realPath(o.dir) == realPath(dir) {
			return dir, o.trusted, nil
		}
	}
	return dir, false, nil
}

// Trust lets the contexts of a .nats directory do all that the user's own can; dir is the directory or the one it lies in.
// It returns the directory that is now trusted.
func (s *Store) Trust(ctx context.Context, dir string) (string, error) {
	return s.setTrust(ctx, dir, true)
}

// Distrust takes Trust back.
func (s *Store) Distrust(ctx context.Context, dir string) (string, error) {
	return s.setTrust(ctx, dir, false)
}

func (s *Store) setTrust(ctx context.Context, dir string, on bool) (string, error) {
	abs, err := s.absolute(dir)
	if err != nil {
		return "", err
	}
	if filepath.Base(abs) != ".nats" {
		abs = filepath.Join(abs, ".nats")
	}
	real := realPath(abs)
	if info, err := os.Stat(real); on && (err != nil || !info.IsDir()) {
		return "", fail.NotFoundf("%s: no such directory", abs)
	}
	g, doc, err := s.readGuard(ctx)
	if err != nil {
		return "", err
	}
	list := slices.DeleteFunc(slices.Clone(g.Trusted), func(t string) bool { return t == real })
	if on {
		list = append(list, real)
	}
	if len(list) == len(g.Trusted) && on == slices.Contains(g.Trusted, real) {
		return real, nil
	}
	if list == nil {
		list = []string{}
	}
	return real, s.writeGuard(ctx, doc, "trusted", list)
}

// local makes the relative paths of a context from an overlay relative to its directory.
func (o overlay) local(v string) string {
	path := filePath(v)
	if v == "" || filepath.IsAbs(path) || strings.HasPrefix(path, "~") || strings.HasPrefix(path, "$") {
		return v
	}
	switch schemeOf(v) {
	case "":
		return filepath.Join(o.dir, path)
	case "file":
		return "file://" + filepath.Join(o.dir, path)
	}
	return v
}

// fence refuses what a context from a stranger's directory must not reach: variables, commands, and files outside the directory.
// Otherwise a cloned repository could have any file or variable of the user sent to a server of its choice.
func (o overlay) fence(st *Stored) error {
	refuse := func(key, why string) error {
		return fail.Newf(fail.Failure, "context %q: %s: %s, and %s is not trusted", st.Name, key, why, o.dir).
			WithHint("nats context trust %s", filepath.Dir(o.dir))
	}
	has, err := st.fields() // as natscontext reads them, whatever the spelling of the keys
	if err != nil {
		return err
	}
	if has.Text("nsc") != "" {
		return refuse("nsc", "runs a command")
	}
	if strings.HasPrefix(has.Text("url"), embeddedScheme) {
		return refuse("url", "starts a server on this machine")
	}
	for _, key := range []string{"password", "token", "user_jwt", "user_seed"} {
		v := has.Text(key)
		if s := schemeOf(v); s != "" && s != "data" || key[:4] == "user" && looksLikePath(v) {
			return refuse(key, "takes a secret from elsewhere")
		}
	}
	for _, key := range pathKeys {
		v := has.Text(key)
		switch s := schemeOf(v); {
		case v == "" || s == "data":
		case s != "" && s != "file":
			return refuse(key, "takes a secret from elsewhere")
		case strings.ContainsAny(v, "$~"):
			return refuse(key, "refers to the environment")
		default:
			rel, err := filepath.Rel(realPath(o.dir), realPath(filePath(o.local(v))))
			if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
				return refuse(key, "refers to a file outside of the directory")
			}
		}
	}
	return nil
}
