package js_test

import (
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/js"
)

func TestDiagramOfACircle(t *testing.T) {
	t.Parallel()
	edges := []js.Edge{{Stream: "B", Source: "A"}, {Stream: "A", Source: "B"}, {Stream: "C", Source: "B", Mirror: true}, {Stream: "C", Source: "C"}, {Stream: "end", Source: "<x>", APIPrefix: "$JS.far.API"}}
	svg := js.Diagram("svg", edges)
	if strings.Count(svg, "<rect") != 5 || strings.Count(svg, "<line") != 5 || strings.Contains(svg, "<x>") {
		t.Errorf("%s", svg)
	}
	wantText(t, "mermaid", js.Diagram("mermaid", edges), "B -->|mirror| C\n", `["<x> ($JS.far.API)"]`, `["end"]`)
	wantText(t, "dot", js.Diagram("dot", edges), `"B" -> "C" [color=blue label="Mirror"]`, `"A" -> "B" [color=green]`)
	if js.Diagram("gif", edges) != "" {
		t.Error("an unknown form drew something")
	}
}
