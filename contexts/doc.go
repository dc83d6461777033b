// Package contexts finds out how to connect to NATS and connects.
//
// It has three parts. A [Store] keeps named contexts in the files that other NATS tools use, by way of
// github.com/nats-io/jsm.go/natscontext, which owns their format. [Resolve] combines a command line, its environment, one
// context and the defaults into a [Resolved], where every value knows its [Origin]. A [Manager] turns that into connections,
// JetStream handles and plain client options, lazily: nothing is read before Resolve and nothing dialled before the first Conn.
//
// # Precedence
//
// A flag beats its environment variable, which beats the context, which beats the default. An explicitly empty flag silences
// the variable and leaves the context's value. Where the environment beats a value of a context, a warning names the variable.
// A user without a password is a token. Among the kinds of credentials (user and password, creds, nkey, jwt) the most
// explicitly given one wins and the others are dropped; given equally explicitly they rank in that order. A token is added
// to any of them.
//
// # Where contexts are found
//
// A context name is looked up in these places, in this order:
//
//  1. the directories of $NATS_CONTEXTS_PATH, a list as in $PATH;
//  2. the project's directory: the nearest .nats in the working directory or above it, short of the home directory, once it
//     is trusted ([Store.Trust]);
//  3. the user's own contexts, <root>/nats/context (see [Root]);
//  4. a .nats directory that is not trusted.
//
// The first, second and fourth are read only: a directory with NAME.json files and, if it likes, a context.txt that holds the
// name of the context to use there when none is named, which goes before the user's own selection. Relative paths in their
// files are relative to the directory. What lies in the second and fourth may have come with somebody else's repository.
// So until a .nats directory is trusted, its contexts serve only when they are asked for by name and no other place has the
// name, context.txt is ignored, and they may not reach for variables, commands, or files outside the directory.
//
// # Mistakes
//
// A missing context and one that cannot be read are different errors, neither is ever replaced by the default server, and no
// read changes the selection or any other state.
package contexts
