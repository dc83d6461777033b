package payload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/natskit/natskit/internal/fail"
)

// Runner starts argv[0] with the arguments behind it, the whole environment env and stdin, waits for its end and returns what it
// wrote. err is only for a program that did not start, or was ended by a signal or by ctx; a plain exit status is not an error.
type Runner func(ctx context.Context, argv, env []string, stdin []byte) (stdout, stderr []byte, exit int, err error)

// Exec is how commands are run.
type Exec struct {
	Run     Runner
	Environ []string // the environment commands start from, as os.Environ gives it; secrets are taken out
	Secrets []string // further variables to take out
}

// Output is what a command left behind. Stderr is for our own user and never for the other side.
type Output struct {
	Stdout, Stderr []byte
	Exit           int
}

// Command is a command line written by our user, which messages are put through. The line is cut into arguments once, before
// any message is seen; what a message carries only ever becomes text inside one of them. There is no shell.
type Command struct {
	what string
	argv []*Text
	kind commandKind
}

type commandKind int

const (
	translates commandKind = iota
	responds
)

// ParseTranslate prepares a command that bodies are piped through: the body on stdin; {{Subject}}, {{Reply}}, {{Token 0}},
// {{Header "K"}} and the other template names in arguments; NATS_SUBJECT, NATS_REPLY and NATS_HEADER_* in the environment.
func ParseTranslate(line string) (*Command, error) {
	return parseCommand("translate command", line, translates)
}

// ParseResponder prepares a command that answers requests: as ParseTranslate, plus {{0}}, {{1}}, … for the tokens of the subject,
// {{Request}}, and NATS_REQUEST_SUBJECT and NATS_REQUEST_BODY. A body that does not fit a variable (64 KiB, no NUL) is on stdin only.
func ParseResponder(line string) (*Command, error) {
	return parseCommand("reply command", line, responds)
}

func parseCommand(what, line string, kind commandKind) (*Command, error) {
	words, err := splitLine(line)
	switch {
	case err != nil:
		return nil, fail.Usagef("%s %q: %w", what, line, err)
	case len(words) == 0 || strings.TrimSpace(words[0]) == "":
		return nil, fail.Usagef("the %s is blank", what).WithHint("name a program and its arguments, such as 'jq .'")
	}
	c := &Command{what: what, kind: kind}
	for i, word := range words {
		if kind == responds {
			word = tokenActions(word)
		}
		text, err := Compile(fmt.Sprintf("%s argument %d", what, i), word, ForReply)
		if err != nil {
			return nil, err
		}
		c.argv = append(c.argv, text)
	}
	if !c.argv[0].Literal() {
		return nil, fail.Usagef("%s: the program itself may not come from a message", what)
	}
	if name := codeArgument(c.argv); name != "" {
		return nil, fail.Usagef("%s: a message may not become part of code for %s", what, name).
			WithHint("use the variables $NATS_SUBJECT and $NATS_REPLY in the code, or pass values as further arguments")
	}
	return c, nil
}

// splitLine cuts a line as a shell would. Actions {{…}} are set aside first, so that spaces and quotes inside them do not count.
func splitLine(line string) ([]string, error) {
	const mark = "\x00"
	if strings.Contains(line, mark) {
		return nil, errors.New("no argument can hold a NUL byte")
	}
	var actions []string
	var b strings.Builder
	for rest := line; ; {
		before, action, found := strings.Cut(rest, "{{")
		b.WriteString(before)
		if !found {
			break
		}
		inner, after, closed := strings.Cut(action, "}}")
		if !closed {
			b.WriteString("{{" + action)
			break
		}
		b.WriteString(mark + strconv.Itoa(len(actions)) + mark)
		actions = append(actions, "{{"+inner+"}}")
		rest = after
	}
	words, err := shellquote.Split(b.String())
	if err != nil {
		return nil, err
	}
	for i, word := range words {
		pieces := strings.Split(word, mark)
		for j := 1; j < len(pieces); j += 2 {
			n, _ := strconv.Atoi(pieces[j])
			pieces[j] = actions[n]
		}
		words[i] = strings.Join(pieces, "")
	}
	return words, nil
}

// tokenActions spells {{0}} as {{Token 0}}; for the template engine {{0}} is the number.
func tokenActions(word string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(word, "{{")
		inner, after, closed := strings.Cut(rest, "}}")
		if !found || !closed {
			b.WriteString(word)
			return b.String()
		}
		b.WriteString(before)
		if n, err := strconv.Atoi(strings.TrimSpace(inner)); err == nil && n >= 0 {
			inner = "Token " + strconv.Itoa(n)
		}
		b.WriteString("{{" + inner + "}}")
		word = after
	}
}

// interpreters take code in the argument after a flag; joiners make one line of all their arguments, for a shell to read; valueFlags
// are options of interpreters with a value that is neither.
var (
	interpreters = []string{
		"sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox", "powershell", "pwsh",
		"python", "python2", "python3", "perl", "ruby", "node", "php", "lua",
	}
	joiners    = []string{"ssh", "cmd", "eval", "su"}
	valueFlags = []string{"-o", "+o", "-O", "-W", "-X", "-I", "--rcfile", "--init-file"}
)

// codeArgument names the interpreter that would read a message as code or as the name of a script, or returns "". What follows
// a script's name belongs to the script, and what follows code is data to it, unless another code flag comes.
func codeArgument(argv []*Text) string {
	name, before, hasCode := "", "", false
	for _, arg := range argv {
		text := arg.literal
		switch base := program(text); {
		case !arg.Literal():
			if name != "" && (!hasCode || codeFlag(before)) {
				return name
			}
		case strings.HasSuffix(base, ".bat"), strings.HasSuffix(base, ".cmd"):
			name, hasCode = "cmd", false // which runs them
		case slices.Contains(interpreters, base), slices.Contains(joiners, base):
			name, hasCode = base, false
		case name == "" || hasCode || slices.Contains(joiners, name):
		case codeFlag(before):
			hasCode = true
		case !strings.HasPrefix(text, "-") && !slices.Contains(valueFlags, before):
			name = "" // the script
		}
		before = text
	}
	return ""
}

func program(text string) string {
	return strings.TrimSuffix(strings.ToLower(path.Base(strings.ReplaceAll(text, `\`, "/"))), ".exe")
}

// codeFlag takes in the bundled ones too: -c, -lc, -e, -ne, -p, -r, --eval, -Command.
func codeFlag(text string) bool {
	if strings.HasPrefix(text, "--") {
		return text == "--eval" || text == "--print" || text == "--command"
	}
	return len(text) > 1 && text[0] == '-' && (strings.ContainsRune("ceEpr", rune(text[len(text)-1])) || strings.EqualFold(text, "-command"))
}

// Argv is the command for one message. A text from a message that would turn an argument into an option is refused, unless
// the line has a -- before it.
func (c *Command) Argv(v *Values) ([]string, error) {
	argv, plain := make([]string, 0, len(c.argv)), false
	for i, text := range c.argv {
		arg, err := text.ExpandString(v)
		switch {
		case err != nil:
			return nil, err
		case strings.IndexByte(arg, 0) >= 0:
			return nil, fail.Newf(fail.Failure, "%s: argument %d would hold a NUL byte", c.what, i)
		case !plain && !text.Literal() && strings.HasPrefix(arg, "-") && !strings.HasPrefix(text.literal, "-"):
			return nil, fail.Newf(fail.Failure, "%s: the message would turn argument %d into the option %q", c.what, i, arg).
				WithHint("put -- before it in the command if it is no option")
		}
		plain = plain || (text.Literal() && arg == "--")
		argv = append(argv, arg)
	}
	return argv, nil
}

// Name is the program, for messages about it.
func (c *Command) Name() string { return c.argv[0].literal }

// Run puts one message through the command, its body on stdin; ctx bounds the time. An exit status other than 0 is an error beside
// the Output, whose Stdout then must not be used as an answer.
func (c *Command) Run(ctx context.Context, x Exec, v *Values, body []byte) (Output, error) {
	argv, err := c.Argv(v)
	if err != nil {
		return Output{}, err
	}
	env := append(CleanEnviron(x.Environ, x.Secrets...), c.variables(v, body)...)
	var out Output
	out.Stdout, out.Stderr, out.Exit, err = x.Run(ctx, argv, env, body)
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return out, fail.Newf(fail.NoAnswer, "%s %s: not done in time: %w", c.what, c.Name(), context.DeadlineExceeded)
	case ctx.Err() != nil:
		return out, context.Cause(ctx)
	case err != nil:
		return out, fail.Newf(fail.Failure, "%s %s: %w", c.what, c.Name(), err)
	case out.Exit != 0:
		return out, fail.Newf(fail.Failure, "%s %s failed to run: exit status %d", c.what, c.Name(), out.Exit)
	}
	return out, nil
}

// maxVariable is what one environment variable may hold; Linux refuses to start programs above 128 KiB.
const maxVariable = 64 << 10

func (c *Command) variables(v *Values, body []byte) []string {
	list := []string{"NATS_SUBJECT=" + v.Subject, "NATS_REPLY=" + v.Reply}
	if c.kind == responds {
		list = append(list, "NATS_REQUEST_SUBJECT="+v.Subject)
		if bytes.IndexByte(body, 0) < 0 && len(body) <= maxVariable {
			list = append(list, "NATS_REQUEST_BODY="+string(body))
		}
	}
	for _, line := range HeaderLines(v.Header) {
		key, value, _ := strings.Cut(line, ": ")
		if len(value) <= maxVariable {
			list = append(list, "NATS_HEADER_"+variableName(key)+"="+value)
		}
	}
	return slices.DeleteFunc(list, func(s string) bool { return strings.IndexByte(s, 0) >= 0 })
}

// variableName spells a header's name with what a variable may hold.
func variableName(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
}

// secretVariables never reach a child: what the command line tool itself logs in with.
var secretVariables = []string{
	"NATS_PASSWORD", "NATS_TOKEN", "NATS_CREDS", "NATS_NKEY", "NATS_JWT", "NATS_SEED", "NATS_USER", "NATS_KEY",
}

// addressVariables are kept unless the address holds a password.
var addressVariables = []string{"NATS_URL", "NATS_SOCKS_PROXY"}

// CleanEnviron is environ, a list of KEY=value, without the variables that hold secrets of ours and those named. The result is new.
func CleanEnviron(environ []string, secrets ...string) []string {
	named := func(list []string, key string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, key) })
	}
	kept := make([]string, 0, len(environ)+8)
	for _, pair := range environ {
		key, value, _ := strings.Cut(pair, "=")
		if named(secretVariables, key) || named(secrets, key) || (named(addressVariables, key) && strings.Contains(value, "@")) {
			continue
		}
		kept = append(kept, pair)
	}
	return kept
}
