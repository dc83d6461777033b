package sub

import (
	"encoding/base64"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/render"
)

// appendJSONHeader writes headers as an object of lists, sorted by name.
func appendJSONHeader(dst []byte, h nats.Header) []byte {
	dst = append(dst, '{')
	for i, k := range slices.Sorted(maps.Keys(h)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = render.AppendJSONString(dst, k)
		dst = append(dst, ":["...)
		for j, v := range h[k] {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = render.AppendJSONString(dst, v)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendBase64(dst, data []byte) []byte { return base64.StdEncoding.AppendEncode(dst, data) }
