// Package websocket carries the bytes of a NATS connection in the frames of RFC 6455, as a client, with the compression of RFC 7692
// where both sides agreed to it. The upgrade of the connection is the caller's.
package websocket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Opcodes and bits of RFC 6455, section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10

	bitFinal      = 0x80
	bitCompressed = 0x40
	bitReserved   = 0x30
	bitMasked     = 0x80

	maxControl = 125
	maxHeader  = 14
	farewell   = 100 * time.Millisecond // how long Close waits for a socket that takes nothing
	piece      = 64 << 10               // most bytes of a message to the server, so that it never meets the server's limit
)

// maxFrame keeps a stream of garbage from taking memory, bytes.
const maxFrame = 512 << 20

// ErrProtocol says that what came is no websocket, or not one that was agreed to.
var ErrProtocol = errors.New("not the websocket protocol")

// deflateTail ends the compressed bytes of a message for the reader: the four that the sender leaves off, and an empty final block.
var deflateTail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

// Conn is a websocket as a stream of bytes. Reads may be cut short by deadlines at any byte and go on later.
type Conn struct {
	net.Conn
	deflate bool

	in       []byte // bytes of the socket
	r, w     int
	left     int // bytes of the current data frame not yet given away
	key      [4]byte
	masked   bool // servers do not mask; the bit is honoured all the same
	pos      int  // of the mask
	open     bool // a message has begun and its last frame is not seen
	last     bool // the current frame ends the message
	squeezed bool // the message is compressed
	packed   []byte
	plain    []byte // decompressed, not yet given away
	inflate  io.ReadCloser

	mu     sync.Mutex // of the writing side
	out    []byte
	squash *flate.Writer
	ended  bool // our close frame was sent
}

// New makes a websocket of a socket after its upgrade; early is what was read behind the server's answer, deflate that messages are
// compressed each by itself. Closing it says goodbye and closes the socket.
func New(nc net.Conn, early []byte, deflate bool) *Conn {
	c := &Conn{Conn: nc, deflate: deflate, in: make([]byte, max(32<<10, len(early)))}
	c.w = copy(c.in, early)
	return c
}

// Read gives away the bytes of data frames and answers control frames.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		if len(c.plain) > 0 {
			n := copy(p, c.plain)
			c.plain = c.plain[n:]
			return n, nil
		}
		if c.left > 0 {
			if n, err := c.data(p); n > 0 || err != nil {
				return n, err
			}
			continue
		}
		if c.squeezed && c.last {
			if err := c.unpack(); err != nil {
				return 0, err
			}
			continue
		}
		if err := c.header(); err != nil {
			return 0, err
		}
	}
}

// data reads bytes of the current frame into p, or into packed when they are compressed.
func (c *Conn) data(p []byte) (int, error) {
	if c.squeezed {
		if err := c.want(1); err != nil {
			return 0, err
		}
		n := min(c.left, c.w-c.r)
		if len(c.packed)+n > maxFrame {
			return 0, fmt.Errorf("%w: websocket message of more than %d bytes", ErrProtocol, maxFrame)
		}
		c.packed = append(c.packed, c.in[c.r:c.r+n]...)
		c.unmask(c.packed[len(c.packed)-n:])
		c.r += n
		c.left -= n
		return 0, nil
	}
	n := copy(p[:min(len(p), c.left)], c.in[c.r:c.w])
	c.r += n
	if n == 0 {
		var err error
		if n, err = c.Conn.Read(p[:min(len(p), c.left)]); n == 0 {
			return 0, err
		}
	}
	c.unmask(p[:n])
	c.left -= n
	return n, nil
}

func (c *Conn) unmask(b []byte) {
	if c.masked {
		mask(b, c.key, c.pos)
		c.pos += len(b)
	}
}

// want makes sure that n bytes are in the buffer; n is at most maxHeader+maxControl. What was read so far stays there on error.
func (c *Conn) want(n int) error {
	for c.w-c.r < n {
		if c.r > 0 {
			copy(c.in, c.in[c.r:c.w])
			c.w -= c.r
			c.r = 0
		}
		k, err := c.Conn.Read(c.in[c.w:])
		c.w += k
		if k == 0 && err != nil {
			return err
		}
	}
	return nil
}

// header reads the header of the next frame, and all of it if it is a control frame.
func (c *Conn) header() error {
	if err := c.want(2); err != nil {
		return err
	}
	b0, b1 := c.in[c.r], c.in[c.r+1]
	size, n := int(b1&0x7f), 2
	switch size {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	masked := b1&bitMasked != 0
	if masked {
		n += 4
	}
	op := b0 & 0x0f
	if op >= opClose {
		if size > maxControl || b0&bitFinal == 0 || b0&bitCompressed != 0 {
			return fmt.Errorf("%w: malformed websocket control frame", ErrProtocol)
		}
		n += size
	}
	if err := c.want(n); err != nil {
		return err
	}
	b := c.in[c.r : c.r+n]
	c.r += n
	if masked {
		c.key = [4]byte(b[len(b)-4:])
	}
	if op >= opClose {
		body := b[len(b)-size:]
		if masked {
			mask(body, [4]byte(b[len(b)-size-4:]), 0)
		}
		return c.answer(op, body)
	}
	if size == 126 {
		size = int(binary.BigEndian.Uint16(b[2:]))
	} else if size == 127 {
		long := binary.BigEndian.Uint64(b[2:])
		if long > maxFrame {
			return fmt.Errorf("%w: websocket frame of %d bytes", ErrProtocol, long)
		}
		size = int(long)
	}
	c.left, c.masked, c.pos = size, masked, 0
	return c.begin(b0, op)
}

// begin checks the order of data frames.
func (c *Conn) begin(b0, op byte) error {
	squeezed := b0&bitCompressed != 0
	switch {
	case b0&bitReserved != 0, squeezed && !c.deflate:
		return fmt.Errorf("%w: websocket frame with reserved bits", ErrProtocol)
	case op == opContinuation && c.open && !squeezed:
	case (op == opText || op == opBinary) && !c.open:
		c.squeezed = squeezed
	default:
		return fmt.Errorf("%w: websocket frame out of order", ErrProtocol)
	}
	c.last = b0&bitFinal != 0
	c.open = !c.last
	return nil
}

// unpack decompresses the message collected in packed.
func (c *Conn) unpack() error {
	src := io.MultiReader(bytes.NewReader(c.packed), bytes.NewReader(deflateTail))
	if c.inflate == nil {
		c.inflate = flate.NewReader(src)
	} else if err := c.inflate.(flate.Resetter).Reset(src, nil); err != nil {
		return err
	}
	out := bytes.NewBuffer(c.plain[:0])
	_, err := io.Copy(out, io.LimitReader(c.inflate, maxFrame))
	if err != nil {
		return fmt.Errorf("%w: compressed websocket message: %w", ErrProtocol, err)
	}
	c.plain, c.packed, c.squeezed = out.Bytes(), c.packed[:0], false
	return nil
}

// answer deals with a control frame.
func (c *Conn) answer(op byte, body []byte) error {
	switch op {
	case opPing:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.ended {
			return nil
		}
		return c.frame(opPong|bitFinal, body)
	case opPong:
		return nil
	case opClose:
		c.goodbye(body[:min(len(body), 2)])
		return io.EOF
	}
	return fmt.Errorf("%w: websocket opcode %d", ErrProtocol, op)
}

// Write sends p as binary messages. They are masked in a buffer of our own: p may be shared with other connections.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return 0, net.ErrClosed
	}
	sent := 0
	for sent < len(p) {
		piece := p[sent:min(len(p), sent+piece)]
		if err := c.message(piece); err != nil {
			return sent, err
		}
		sent += len(piece)
	}
	return sent, nil
}

func (c *Conn) message(p []byte) error {
	if !c.deflate {
		return c.frame(opBinary|bitFinal, p)
	}
	var b bytes.Buffer
	if c.squash == nil {
		w, err := flate.NewWriter(&b, flate.BestSpeed)
		if err != nil {
			return err
		}
		c.squash = w
	} else {
		c.squash.Reset(&b)
	}
	if _, err := c.squash.Write(p); err != nil {
		return err
	}
	if err := c.squash.Flush(); err != nil {
		return err
	}
	return c.frame(opBinary|bitFinal|bitCompressed, bytes.TrimSuffix(b.Bytes(), deflateTail[:4]))
}

// frame writes one frame in one piece.
func (c *Conn) frame(b0 byte, body []byte) error {
	b := append(c.out[:0], b0)
	switch n := len(body); {
	case n <= maxControl:
		b = append(b, bitMasked|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, bitMasked|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bitMasked|127), uint64(n))
	}
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], rand.Uint32())
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, body...)
	mask(b[at:], key, 0)
	c.out = b
	_, err := c.Conn.Write(b)
	return err
}

// mask applies the key to b, which is at pos of its frame.
func mask(b []byte, key [4]byte, pos int) {
	for len(b) > 0 && pos&3 != 0 {
		b[0] ^= key[pos&3]
		b = b[1:]
		pos++
	}
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}

func (c *Conn) goodbye(status []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended = true
		_ = c.frame(opClose|bitFinal, status)
	}
}

// Close says goodbye unless a write is blocked, and closes the socket.
func (c *Conn) Close() error {
	if c.mu.TryLock() {
		if !c.ended {
			c.ended = true
			_ = c.Conn.SetWriteDeadline(time.Now().Add(farewell))
			_ = c.frame(opClose|bitFinal, []byte{0x03, 0xe8}) // normal closure
		}
		c.mu.Unlock()
	}
	if err := c.Conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
