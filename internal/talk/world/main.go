// Command world makes the hub's accounts for the talk, and revokes and restores their users' credentials.
package main

import (
	"fmt"
	"os"

	"github.com/natskit/natskit/internal/talk"
)

func main() {
	if err := talk.Main(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "world:", err)
		os.Exit(1)
	}
}
