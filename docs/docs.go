// Package docs holds the prose that the program shows itself: nats help TOPIC.
package docs

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed topics/*.md
var topics embed.FS

// Topic is the text of a topic in Markdown.
func Topic(name string) (string, bool) {
	text, err := topics.ReadFile("topics/" + name + ".md")
	return string(text), err == nil
}

// Topics are the names of all topics, sorted.
func Topics() []string {
	var out []string
	entries, _ := fs.ReadDir(topics, "topics")
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".md"))
	}
	return out
}
