package facts

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// files is where Linux shows what it knows, below a root.
type files string

func (f files) read(name string) string {
	text, err := os.ReadFile(filepath.Join(string(f), name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.TrimRight(string(text), "\x00"))
}

// memory is the total and the available memory in bytes.
func (f files) memory() (total, available uint64) {
	s := bufio.NewScanner(strings.NewReader(f.read("proc/meminfo")))
	for s.Scan() {
		name, value, _ := strings.Cut(s.Text(), ":")
		kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "MemTotal":
			total = kib << 10
		case "MemAvailable":
			available = kib << 10
		}
	}
	return total, available
}

// load is the load of the last minute.
func (f files) load() float64 {
	first, _, _ := strings.Cut(f.read("proc/loadavg"), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}

// fillers are what makers leave in place of a name.
var fillers = []string{"system product name", "to be filled by o.e.m.", "default string", "not specified", "none", "unknown", "undefined", "system manufacturer"}

func named(s string) string {
	for _, f := range fillers {
		if strings.EqualFold(s, f) {
			return ""
		}
	}
	return s
}

// model is the name of the machine: from the firmware of a PC, else from a board's device tree, else of the processor.
func (f files) model() string {
	product, maker := named(f.read("sys/class/dmi/id/product_name")), named(f.read("sys/class/dmi/id/sys_vendor"))
	if product != "" {
		if maker == "" || strings.HasPrefix(strings.ToLower(product), strings.ToLower(maker)) {
			return product
		}
		return maker + " " + product
	}
	for _, name := range []string{"proc/device-tree/model", "sys/firmware/devicetree/base/model"} {
		if model := named(f.read(name)); model != "" {
			return model
		}
	}
	for line := range strings.Lines(f.read("proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			switch strings.TrimSpace(name) {
			case "Model", "model name", "Hardware":
				return strings.TrimSpace(value)
			}
		}
	}
	return ""
}

// system is the name of the system and its release: Android has properties of its own.
func (f files) system(kernel string) (name, version string) {
	for line := range strings.Lines(f.read("system/build.prop")) {
		name = "Android"
		if key, value, ok := strings.Cut(line, "="); ok && key == "ro.build.version.release" {
			return name, strings.TrimSpace(value)
		}
	}
	if name != "" {
		return name, kernel
	}
	return "Linux", kernel
}
