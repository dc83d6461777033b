package meta

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/docgen"
	"github.com/natskit/natskit/internal/env"
)

type completionOptions struct {
	shell string
}

func completionVerb() command.Node {
	return command.Verb[completionOptions]{
		Meta: command.Meta{
			Name: "completion", Short: "Print the completion script of a shell",
			Long: `Load it where your shell looks for completions; the script asks nats itself for the words, so it stays right when nats changes. For zsh: source <(nats completion zsh). For PowerShell: nats completion powershell | Out-String | Invoke-Expression.

The tab key offers commands, flags and their values, and the names of what there is now: contexts, streams, consumers of the stream on the line, subjects, buckets and their keys, object stores and their objects, counters, services with their instances and endpoints, plugins. A server is asked only where such a name can stand, with the context and the flags that are on the line already. What is not found within 300 milliseconds is left out in silence; NATS_COMPLETION_TIMEOUT=1s waits longer.

No password is asked for: with --password-stdin, or with credentials from 1Password, names of a server are not offered.`,
		},
		Output: command.Bytes,
		Examples: []command.Example{
			{Line: "nats completion bash", Says: "complete -F", About: "For bash: source <(nats completion bash)"},
			{Line: "nats completion fish", Says: "complete -c nats", About: "For fish: nats completion fish > ~/.config/fish/completions/nats.fish"},
		},
		Bind: func(c *fisk.CmdClause, o *completionOptions) {
			c.Arg("shell", "bash, zsh, fish or powershell").Required().HintOptions(docgen.Shells...).EnumVar(&o.shell, docgen.Shells...)
		},
		Run: runCompletion,
	}
}

func runCompletion(_ context.Context, e *env.Env, o completionOptions) error {
	_, err := e.Out.Bytes().Write([]byte(docgen.Completion(o.shell, "nats")))
	return err
}
