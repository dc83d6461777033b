package cli

import (
	"testing"
)

// TestNamesAreMarked: what an argument or flag names is said where the verb is declared, so that shells can complete it, for
// all that is called a stream, a consumer, a bucket, a key or a service. Names of things to be made are free.
func TestNamesAreMarked(t *testing.T) {
	free := map[string]bool{
		"stream add stream": true, "consumer add consumer": true, "kv add bucket": true, "object add bucket": true, "kv create key": true,
		"kv ls key":         true, // a pattern
		"kv export pattern": true,
	}
	_, parsed := models()
	for path, d := range described() {
		if d.Group {
			continue
		}
		m := parsed[path]
		has := func(name string) bool {
			for _, a := range m.Args {
				if a.Name == name {
					return true
				}
			}
			return flag(m.Flags, name) != nil
		}
		for name, kind := range d.Names {
			if !has(name) {
				t.Errorf("nats %s marks %s, which it does not have", path, name)
			}
			if parent := kind.Parent(); parent != "" && !has(parent) {
				t.Errorf("nats %s marks %s as part of a %s, which it does not have", path, name, parent)
			}
		}
		for _, a := range m.Args {
			switch a.Name {
			case "stream", "consumer", "bucket", "key", "service":
				if d.Names[a.Name] == 0 && !free[path+" "+a.Name] {
					t.Errorf("nats %s does not say what %s names", path, a.Name)
				}
			}
		}
	}
}
