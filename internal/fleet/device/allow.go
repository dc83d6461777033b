package device

import (
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// Allow is the programs that commands may run. A pattern without a slash is for programs that are named alone and found in
// $PATH; one with slashes is for absolute paths. In patterns * and ? stand for letters, not for a slash. None allows nothing.
type Allow []string

// Check says what is wrong with a pattern.
func (a Allow) Check() error {
	for _, p := range a {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return fmt.Errorf("%q is no pattern for programs", p)
		}
		if strings.ContainsAny(p, `/\`) && !filepath.IsAbs(p) {
			return fmt.Errorf("%q: a pattern with a slash is for absolute paths", p)
		}
	}
	return nil
}

// Program is the file to run for argv[0], or why it may not be.
func (a Allow) Program(name string) (file string, err error) {
	named := !strings.ContainsAny(name, `/\`)
	switch {
	case name == "":
		return "", fmt.Errorf("the command names no program")
	case !named && (!filepath.IsAbs(name) || filepath.Clean(name) != name):
		return "", fmt.Errorf("%q: a program is named alone or by its absolute path", name)
	}
	for _, p := range a {
		if named == strings.ContainsAny(p, `/\`) {
			continue
		}
		subject := name
		if runtime.GOOS == "windows" {
			p, subject = strings.ToLower(filepath.ToSlash(p)), strings.ToLower(filepath.ToSlash(name))
		}
		if ok, err := path.Match(p, subject); ok && err == nil {
			return exec.LookPath(name)
		}
	}
	return "", fmt.Errorf("%q is not on this device's allow list", name)
}
