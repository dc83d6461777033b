// Command tool is a plugin for tests, built with the parser that plugins are commonly built with.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/choria-io/fisk"
)

func main() {
	app := fisk.New("tool", "Work on\x1b[31m orders")
	app.Version("1.2.3")
	app.Flag("server", "Server").Short('s').Envar("NATS_URL").String()
	app.Flag("password", "Password").Envar("TOOL_PASSWORD").String()
	app.Flag("depth", "Depth").Short('d').Int()
	app.Cheat("tool", "# how to use tool\ntool show 1")

	show := app.Command("show", "Show an order").Alias("s")
	show.Arg("id", "The order").Required().String()
	show.Arg("parts", "Its parts").Strings()
	show.Flag("format", "Format").Default("plain").Enum("plain", "fancy")
	show.Flag("tag", "Tags").Strings()
	show.Flag("color", "Colour").Bool()
	show.Flag("json", "JSON").UnNegatableBool()
	show.Action(tell)

	admin := app.Command("admin", "Administer").Hidden()
	admin.Command("fail", "Fail").Action(func(*fisk.ParseContext) error { os.Exit(42); return nil })
	admin.Command("echo", "Echo standard input").Action(func(*fisk.ParseContext) error {
		_, err := os.Stdout.ReadFrom(os.Stdin)
		return err
	})
	admin.Command("wait", "Wait for a signal").Action(func(*fisk.ParseContext) error {
		fmt.Println("waiting")
		select {}
	})
	app.MustParseWithUsage(os.Args[1:])
}

// tell shows what arrived.
func tell(*fisk.ParseContext) error {
	fmt.Println(strings.Join(os.Args[1:], " "))
	fmt.Println("url=" + os.Getenv("NATS_URL") + " password=" + os.Getenv("TOOL_PASSWORD") + " context=" + os.Getenv("NATS_CONTEXT") + " token=" + os.Getenv("NATS_TOKEN"))
	return nil
}
