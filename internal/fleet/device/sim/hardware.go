// Package sim is many devices with made-up hardware in one process.
package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/natskit/natskit/internal/fleet"
)

// kind is hardware that exists.
type kind struct {
	model, os, arch string
	versions        []string
	cpus            int
	memory          []uint64 // GiB
}

var kinds = []kind{
	{"Pixel 9", "Android", "arm64", []string{"15", "16"}, 8, []uint64{8, 12}},
	{"Galaxy S24", "Android", "arm64", []string{"14", "15"}, 8, []uint64{8, 12}},
	{"Fairphone 5", "Android", "arm64", []string{"13", "14"}, 8, []uint64{6, 8}},
	{"iPhone 15", "iOS", "arm64", []string{"17.6", "18.1"}, 6, []uint64{6}},
	{"iPad Air", "iOS", "arm64", []string{"17.6", "18.1"}, 8, []uint64{8}},
	{"Raspberry Pi 5 Model B", "Linux", "arm64", []string{"6.6.31", "6.12.20"}, 4, []uint64{2, 4, 8}},
	{"Raspberry Pi Zero 2 W", "Linux", "arm", []string{"6.1.21", "6.6.31"}, 4, []uint64{1}},
	{"Jetson Orin Nano", "Linux", "arm64", []string{"5.15.148"}, 6, []uint64{4, 8}},
	{"NUC 13 Pro", "Linux", "amd64", []string{"6.8.0", "6.12.20"}, 16, []uint64{16, 32}},
	{"MacBook Air", "macOS", "arm64", []string{"14.6", "15.1"}, 8, []uint64{8, 16, 24}},
	{"ThinkPad X1", "Windows", "amd64", []string{"10.0.22631", "10.0.26100"}, 12, []uint64{16, 32}},
	{"IPC-227G", "Windows", "amd64", []string{"10.0.19045"}, 4, []uint64{4, 8}},
}

var (
	adjectives = []string{"amber", "brave", "calm", "deft", "eager", "fleet", "gentle", "happy", "ivory", "jolly", "keen", "lively", "mellow", "noble", "olive", "proud", "quick", "rosy", "sunny", "tidy"}
	animals    = []string{"ant", "bear", "crane", "deer", "elk", "fox", "goat", "heron", "ibex", "jay", "koala", "lynx", "mole", "newt", "otter", "puma", "quail", "raven", "seal", "toad"}
	sites      = []string{"north", "south", "east", "west", "harbour"}
	roles      = []string{"sensor", "gateway", "kiosk", "camera"}
)

// Hardware is device number n, from 1, of the fleet that a seed stands for: always the same.
func Hardware(seed uint64, n int) fleet.Info {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	k := kinds[r.IntN(len(kinds))]
	return fleet.Info{
		ID:       fmt.Sprintf("sim-%05d", n),
		Nickname: fmt.Sprintf("%s-%s-%d", adjectives[r.IntN(len(adjectives))], animals[r.IntN(len(animals))], n),
		Model:    k.model, OS: fleet.OS{Name: k.os, Version: k.versions[r.IntN(len(k.versions))]}, Arch: k.arch, CPUs: k.cpus,
		Memory: k.memory[r.IntN(len(k.memory))] << 30,
		Labels: map[string]string{"site": sites[r.IntN(len(sites))], "role": roles[r.IntN(len(roles))], "simulated": "true"},
	}
}

// usage makes up a load and a memory in use that wander.
func usage(seed uint64, n int, info fleet.Info) func() (load float64, memory uint64) {
	r := rand.New(rand.NewPCG(seed, uint64(n)+1<<32))
	load, used := r.Float64()*float64(info.CPUs)/2, 0.3+r.Float64()/3
	return func() (float64, uint64) {
		load = min(max(load+(r.Float64()-0.5)/4, 0), float64(info.CPUs))
		used = min(max(used+(r.Float64()-0.5)/50, 0.1), 0.95)
		return load, uint64(used * float64(info.Memory))
	}
}
