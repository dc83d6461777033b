package contexts

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// Root is the directory below which nats/context lies: $XDG_CONFIG_HOME, else $HOME/.config, else .config in the home directory
// that the operating system knows of.
func Root(getenv func(string) string) (string, error) {
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		return dir, nil
	}
	home, err := homeDir(getenv)
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".config"), nil
}

func homeDir(getenv func(string) string) (string, error) {
	if dir := getenv("HOME"); dir != "" {
		return dir, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	if u.HomeDir == "" {
		return "", errors.New("the home directory of the current user is not known")
	}
	return u.HomeDir, nil
}

// expandPath resolves $VAR, ${VAR} and a leading ~ as context files allow in paths; a variable that is not set is empty.
func expandPath(v string, getenv func(string) string) string {
	v = os.Expand(v, getenv)
	if v != "~" && !strings.HasPrefix(v, "~/") && !strings.HasPrefix(v, `~\`) {
		return v
	}
	home, err := homeDir(getenv)
	if err != nil {
		return v
	}
	return home + v[1:]
}

// expandKnown resolves variables that are set and leaves everything else as it is: a $ in a URL may belong to a password.
func expandKnown(v string, getenv func(string) string) string {
	var out strings.Builder
	for {
		i := strings.IndexByte(v, '$')
		if i < 0 {
			return out.String() + v
		}
		out.WriteString(v[:i])
		v = v[i:]
		name, length := variableName(v)
		if value := getenv(name); name != "" && value != "" {
			out.WriteString(value)
		} else {
			out.WriteString(v[:length])
		}
		v = v[length:]
	}
}

// variableName reads $NAME or ${NAME} at the start of v: the name and how much of v it takes. Without a name it takes the $ alone.
func variableName(v string) (string, int) {
	start := 1
	if strings.HasPrefix(v, "${") {
		start = 2
	}
	end := start
	for end < len(v) && (v[end] == '_' || v[end] >= 'a' && v[end] <= 'z' || v[end] >= 'A' && v[end] <= 'Z' || end > start && v[end] >= '0' && v[end] <= '9') {
		end++
	}
	switch {
	case end == start:
		return "", 1
	case start == 1:
		return v[start:end], end
	case end < len(v) && v[end] == '}':
		return v[start:end], end + 1
	}
	return "", 1
}

// expandReference is expandPath for what may be a path or a reference with a scheme; only paths and file:// are expanded.
func expandReference(v string, getenv func(string) string) string {
	switch schemeOf(v) {
	case "": // a path, as this is only asked of what can be one
		return expandPath(v, getenv)
	case "file":
		return "file://" + expandPath(filePath(v), getenv)
	}
	return v
}

// filePath is the path of a bare or file:// reference.
func filePath(v string) string {
	if schemeOf(v) == "file" {
		return strings.TrimPrefix(v[len("file:"):], "//")
	}
	return v
}
