package shell

import (
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
)

// CompletionScript is the script for bash or zsh. The parser brings both; its templates need only the program's name.
func CompletionScript(shell, name string) string {
	app := fisk.New(name, "")
	template := map[string]string{"bash": fisk.BashCompletionTemplate, "zsh": fisk.ZshCompletionTemplate}[shell]
	var b strings.Builder
	app.UsageWriter(&b)
	pc, err := app.ParseContext(nil)
	if err != nil {
		return ""
	}
	if err := app.UsageForContextWithTemplate(pc, 2, template); err != nil {
		return ""
	}
	return strings.TrimLeft(b.String(), "\n")
}

// completing reports whether the shell is asking for words. Its line is passed on as it stands: half a word has no canonical form.
func completing(args []string) bool {
	for _, a := range args {
		if strings.HasPrefix(a, "--completion-") {
			return true
		}
	}
	return false
}

// Application builds the application with its whole tree, for what needs the parser itself.
func (p Program) Application() *fisk.Application { return p.newApp(&globals{}, command.NewSelection()) }
