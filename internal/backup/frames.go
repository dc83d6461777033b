package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// frames follows the chunks of an S2 stream as it passes, without unpacking it: how many bytes it holds unpacked, where its last
// chunks begin, and whether it ends at the end of a chunk.
type frames struct {
	at     int64 // bytes seen
	next   int64 // where the next chunk begins
	head   []byte
	plain  uint64   // bytes when unpacked
	chunks [4]int64 // where the last chunks with data begin, the latest first
}

// headLength is how much of a chunk tells its kind and unpacked length: type, three bytes of length, checksum, a varint.
const headLength = 4 + 4 + binary.MaxVarintLen64

const (
	packed   = 0x00
	unpacked = 0x01
)

// identifier begins every S2 stream.
const identifier = "\xff\x06\x00\x00S2sTwO"

// Write takes the next bytes of the stream; it does not fail.
func (f *frames) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if skip := min(f.next-f.at, int64(len(p))); skip > 0 && len(f.head) == 0 {
			f.at += skip
			p = p[skip:]
			continue
		}
		p = f.read(p)
	}
	return n, nil
}

// read gathers the beginning of a chunk and, when it has what it needs, moves next behind the chunk.
func (f *frames) read(p []byte) []byte {
	take := min(f.need()-len(f.head), len(p))
	f.head = append(f.head, p[:take]...)
	f.at += int64(take)
	if len(f.head) < f.need() {
		return p[take:]
	}
	begin := f.at - int64(len(f.head))
	length := int64(f.head[1]) | int64(f.head[2])<<8 | int64(f.head[3])<<16
	switch f.head[0] {
	case unpacked:
		f.plain += uint64(max(length-4, 0))
		f.note(begin)
	case packed:
		if size, w := binary.Uvarint(f.head[min(8, len(f.head)):]); w > 0 {
			f.plain += size
		}
		f.note(begin)
	}
	f.next = begin + 4 + length
	f.head = f.head[:0]
	return p[take:]
}

// need is how many bytes of the chunk must be at hand before it can be counted.
func (f *frames) need() int {
	if len(f.head) < 4 || f.head[0] != packed {
		return 4
	}
	length := int(f.head[1]) | int(f.head[2])<<8 | int(f.head[3])<<16
	return min(headLength, 4+length)
}

func (f *frames) note(begin int64) {
	copy(f.chunks[1:], f.chunks[:])
	f.chunks[0] = begin
}

var errTruncated = errors.New("the archive was cut off")

// whole checks the end of the stream, which file holds: in the archive of a new server the entry that marks it, in that of an
// old one the zeros that end a tar file.
func (f *frames) whole(file io.ReaderAt, tar bool) error {
	if f.at != f.next || len(f.head) > 0 || f.plain == 0 {
		return errTruncated
	}
	mark := 5
	if tar {
		mark = 1024
	}
	from := f.chunks[0]
	for _, at := range f.chunks {
		if at > 0 {
			from = at
		}
	}
	tail, err := io.ReadAll(s2.NewReader(io.MultiReader(bytes.NewReader([]byte(identifier)), io.NewSectionReader(file, from, f.at-from))))
	if err != nil {
		return fmt.Errorf("the archive is damaged: %w", err)
	}
	if len(tail) < mark || !bytes.Equal(tail[len(tail)-mark:], make([]byte, mark)) {
		return errTruncated
	}
	return nil
}
