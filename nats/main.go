// Command nats publishes, subscribes, watches, tests and runs NATS.
package main

import (
	"context"
	"os"

	"github.com/natskit/natskit/cli"
)

// version is set by the linker for releases.
var version string

func main() {
	os.Exit(cli.Main(context.Background(), version, os.Args[1:]))
}
