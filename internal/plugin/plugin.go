// Package plugin keeps programs that people have registered as commands. A program describes its own commands when it is
// asked with --fisk-introspect, as those built with the fisk library do; the description is kept beside its path, so that
// help and completion need not start it.
package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/fail"
)

// Plugin is a registered program.
type Plugin struct {
	Name    string          // the command it became
	Command string          // absolute path of the program
	Def     json.RawMessage // how it described itself
	Model   *Model          // Def as read
}

// Model is the description of a program, Command that of one of its commands: fisk's introspection, as far as it is used.
type (
	Model struct {
		Name     string            `json:"name"`
		Help     string            `json:"help"`
		Cheats   map[string]string `json:"cheats"`
		Args     []Arg             `json:"args"`
		Flags    []Flag            `json:"flags"`
		Commands []Command         `json:"commands"`
	}
	Command struct {
		Name     string    `json:"name"`
		Aliases  []string  `json:"aliases"`
		Help     string    `json:"help"`
		HelpLong string    `json:"help_long"`
		Hidden   bool      `json:"hidden"`
		Args     []Arg     `json:"args"`
		Flags    []Flag    `json:"flags"`
		Commands []Command `json:"commands"`
	}
	// Arg is a positional argument.
	Arg struct {
		Name       string   `json:"name"`
		Help       string   `json:"help"`
		Default    []string `json:"default"`
		Envar      string   `json:"envar"`
		Required   bool     `json:"required"`
		Hidden     bool     `json:"hidden"`
		Cumulative bool     `json:"cumulative"`
	}
	// Flag is a flag; Short is its letter, 0 for none.
	Flag struct {
		Name        string   `json:"name"`
		Help        string   `json:"help"`
		Short       rune     `json:"short"`
		Default     []string `json:"default"`
		Envar       string   `json:"envar"`
		PlaceHolder string   `json:"place_holder"`
		Completions []string `json:"completions"`
		Required    bool     `json:"required"`
		Hidden      bool     `json:"hidden"`
		Boolean     bool     `json:"boolean"`
		Negatable   bool     `json:"negatable"`
		Cumulative  bool     `json:"cumulative"`
	}
)

// stored is the file of a plugin, as other tools write it too.
type stored struct {
	Command string          `json:"cmd"`
	Def     json.RawMessage `json:"def"`
}

// Dir is the directory of the registered plugins, which need not exist: below $XDG_DATA_HOME, else $HOME/.local/share,
// else the home directory that the operating system knows of.
func Dir(getenv func(string) string) (string, error) {
	data := getenv("XDG_DATA_HOME")
	if data == "" {
		home := getenv("HOME")
		if home == "" {
			var err error
			if home, err = os.UserHomeDir(); err != nil {
				return "", fmt.Errorf("the directory of plugins: %w", err)
			}
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "nats", "cli", "plugins"), nil
}

// Store is the registered plugins. It reads nothing until asked.
type Store struct{ dir string }

// Open is the store in a directory; nothing is made before something is saved.
func Open(dir string) Store { return Store{dir} }

// Valid reports whether name can be the command of a plugin: lower case letters alone.
func Valid(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == ""
}

// Path is the file of the plugin name.
func (s Store) Path(name string) string { return filepath.Join(s.dir, name+".json") }

// Names are the registered plugins, readable or not, sorted.
func (s Store) Names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	var out []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".json"); ok && Valid(name) && !entry.IsDir() {
			out = append(out, name)
		}
	}
	return out, nil
}

// Has reports whether name is registered, readable or not.
func (s Store) Has(name string) bool {
	if !Valid(name) {
		return false
	}
	info, err := os.Stat(s.Path(name))
	return err == nil && info.Mode().IsRegular()
}

// Load reads a plugin. The error is fail.NotFound when there is none of that name.
func (s Store) Load(name string) (*Plugin, error) {
	if !Valid(name) {
		return nil, invalid(name)
	}
	data, err := os.ReadFile(s.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.unknown(name)
	}
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", name, err)
	}
	var f stored
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("plugin %s: %s: %w", name, s.Path(name), err)
	}
	if !filepath.IsAbs(f.Command) {
		return nil, fmt.Errorf("plugin %s: %s: its cmd is no absolute path", name, s.Path(name))
	}
	p := &Plugin{Name: name, Command: f.Command, Def: f.Def}
	if p.Model, err = Read(f.Def); err != nil {
		return nil, fmt.Errorf("plugin %s: %s: %w", name, s.Path(name), err)
	}
	return p, nil
}

func invalid(name string) error {
	return fail.Usagef("plugin name %q: it must consist of lower case letters", name)
}

func (s Store) unknown(name string) error {
	e := fail.NotFoundf("plugin %s: it is not registered", name)
	if names, err := s.Names(); err == nil {
		e.Hint = fail.DidYouMean("", name, names)
	}
	if e.Hint == "" {
		e.Hint = "nats plugins ls shows those that are"
	}
	return e
}

// Save registers a plugin; an earlier one of the name is replaced in one step when force is set, else it is an error.
func (s Store) Save(p *Plugin, force bool) error {
	if !Valid(p.Name) {
		return invalid(p.Name)
	}
	if s.Has(p.Name) && !force {
		return fail.Newf(fail.Failure, "plugin %s: it is registered already", p.Name).WithHint("--force replaces it")
	}
	data, err := json.Marshal(stored{p.Command, p.Def})
	if err != nil {
		return fmt.Errorf("plugin %s: %w", p.Name, err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("plugin %s: %w", p.Name, err)
	}
	tmp, err := os.CreateTemp(s.dir, "."+p.Name+".*")
	if err != nil {
		return fmt.Errorf("plugin %s: %w", p.Name, err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), s.Path(p.Name))
	}
	if err != nil {
		return fmt.Errorf("plugin %s: %w", p.Name, err)
	}
	return nil
}

// Remove forgets a plugin; its program stays.
func (s Store) Remove(name string) error {
	if !Valid(name) {
		return invalid(name)
	}
	err := os.Remove(s.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return s.unknown(name)
	}
	if err != nil {
		return fmt.Errorf("plugin %s: %w", name, err)
	}
	return nil
}

// The limits of a description.
const (
	patience = 10 * time.Second
	largest  = 8 << 20
)

// Run starts a program and returns what it wrote and its exit status; internal/payload's System is one.
type Run func(ctx context.Context, argv, env []string, stdin []byte) (stdout, stderr []byte, exit int, err error)

// Describe asks the program at an absolute path for its description. It gets the environment without the variables of
// NATS, which it does not need to describe itself.
func Describe(ctx context.Context, run Run, environ []string, command string) (json.RawMessage, error) {
	env := slices.DeleteFunc(slices.Clone(environ), func(pair string) bool { return strings.HasPrefix(pair, "NATS_") })
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, _, exit, err := run(limited, []string{command, "--fisk-introspect"}, env, nil)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limited.Err() != nil:
		return nil, fail.Newf(fail.NoAnswer, "%s --fisk-introspect has not ended within %s", command, patience)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", command, err)
	case exit != 0:
		return nil, fmt.Errorf("%s --fisk-introspect failed with status %d: it seems to know no introspection", command, exit)
	case len(out) > largest:
		return nil, fmt.Errorf("%s: its description is larger than 8 MiB", command)
	}
	if _, err := Read(out); err != nil {
		return nil, fmt.Errorf("%s --fisk-introspect: %w", command, err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, out); err != nil {
		return nil, fmt.Errorf("%s --fisk-introspect: %w", command, err)
	}
	return compact.Bytes(), nil
}
