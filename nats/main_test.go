package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/natskit/natskit/internal/talk"
	"github.com/natskit/natskit/internal/testkit"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nats": main, "world": func() {
		if err := talk.Main(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "world:", err)
			os.Exit(1)
		}
	}})
}

// TestScripts runs the txtar scripts against the program as a process: pipes, environment, files, exit codes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, ".config"))
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, ".data"))
			e.Setenv("DEAD", testkit.Dead(t))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"server":   startServer(t),
			"exitcode": exitCode,
			"sh":       shellLine,
		},
	})
}

// startServer starts a server for the script and points $NATS_URL at it, $SYS_URL at its system account.
func startServer(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		srv := testkit.Server(t, testkit.WithAccounts())
		ts.Setenv("NATS_URL", srv.URL())
		ts.Setenv("SYS_URL", srv.SysURL())
	}
}

// exitCode runs a command and demands its exit code: exitcode 4 nats stream info NOPE.
func exitCode(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if ee, ok := err.(*exec.ExitError); ok {
		code = strings.TrimPrefix(ee.ProcessState.String(), "exit status ")
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// shellLine runs a line with pipes and redirections by sh, in the script's directory.
func shellLine(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("sh", "-c", strings.Join(args, " "))
	if (err != nil) != neg {
		ts.Fatalf("sh -c %q: %v", strings.Join(args, " "), err)
	}
}
