// Package meta holds the commands about the program itself: completion, version, documentation.
package meta

import (
	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
)

// Command is one of the commands about the program; model and tree give them the whole tree, which only cli knows.
func Command(model func() *fisk.ApplicationModel, tree func() []command.Node) []command.Node {
	return []command.Node{completionVerb(), versionVerb(), docsGroup(model, tree)}
}
