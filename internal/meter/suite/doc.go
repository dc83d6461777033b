// Package suite measures the whole program: `make bench` runs its test, which starts a server in a process of its own, runs
// command lines of bench against it, and puts their rates beside those of programs that do nothing but move the same bytes, in the
// same run. With PEER=/path/to/another/nats the same lines run with that binary too, in turn. It has tests alone.
package suite
