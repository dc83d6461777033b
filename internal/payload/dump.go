package payload

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// record is the JSON form of a message as the reference writes it: Data in base64, Header null when there is none, Sub always null.
type record struct {
	Subject string
	Reply   string
	Header  nats.Header
	Data    []byte
	Sub     *struct{}
}

// AppendDump appends the JSON of m, {"Subject","Reply","Header","Data","Sub"}, on one line without an end.
func AppendDump(dst []byte, m *nats.Msg) ([]byte, error) {
	r := record{Subject: m.Subject, Reply: m.Reply, Data: m.Data}
	if len(m.Header) > 0 {
		r.Header = m.Header
	}
	if r.Data == nil {
		r.Data = []byte{}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("dump of %s: %w", m.Subject, err)
	}
	return append(dst, text...), nil
}

// ParseDump reads what AppendDump wrote. Unknown keys are errors, so that another kind of file is not taken for a message.
func ParseDump(text []byte) (*nats.Msg, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var r struct {
		Subject, Reply *string
		Header         nats.Header
		Data           []byte
		Sub            json.RawMessage
	}
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("not a dumped message: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("not a dumped message: there is more behind it")
	}
	if r.Subject == nil || *r.Subject == "" {
		return nil, errors.New("not a dumped message: it has no Subject")
	}
	m := &nats.Msg{Subject: *r.Subject, Header: r.Header, Data: r.Data}
	if r.Reply != nil {
		m.Reply = *r.Reply
	}
	return m, nil
}

// DumpReader reads messages from a stream of dumps, each ended by NUL or standing on a line of its own.
type DumpReader struct {
	s *bufio.Scanner
	n int
}

// maxDump is the largest dump in a stream: 64 MiB of payload in base64, and headers.
const maxDump = 96 << 20

// NewDumpReader reads the dumps of r.
func NewDumpReader(r io.Reader) *DumpReader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, lineBuffer), maxDump)
	s.Split(splitDumps)
	return &DumpReader{s: s}
}

func splitDumps(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexAny(data, "\x00\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// Next is the next message; io.EOF after the last. An error names the number of the dump in the stream.
func (d *DumpReader) Next() (*nats.Msg, error) {
	for d.s.Scan() {
		text := bytes.TrimSpace(d.s.Bytes())
		if len(text) == 0 {
			continue
		}
		d.n++
		m, err := ParseDump(text)
		if err != nil {
			return nil, fmt.Errorf("dump %d: %w", d.n, err)
		}
		return m, nil
	}
	if err := d.s.Err(); err != nil {
		return nil, fmt.Errorf("after dump %d: %w", d.n, err)
	}
	return nil, io.EOF
}

// DumpDir is a directory with one file for each message: <number>.json, and <number>_reply.json for the answer to a request.
type DumpDir struct {
	path string
	buf  []byte
}

// OpenDumpDir makes the directory, 0700, if it is not there.
func OpenDumpDir(path string) (*DumpDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("dump directory %s: %w", path, cause(err))
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("dump directory %s: %w", path, cause(err))
	case !info.IsDir():
		return nil, fail.Usagef("dump directory %s: it is a file", path)
	}
	return &DumpDir{path: path}, nil
}

func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Write saves message n, 0600, and returns its path. The file appears whole or not at all; an earlier one is replaced.
func (d *DumpDir) Write(n uint64, m *nats.Msg) (string, error) {
	return d.write(strconv.FormatUint(n, 10)+".json", m)
}

// WriteReply saves the reply to message n.
func (d *DumpDir) WriteReply(n uint64, m *nats.Msg) (string, error) {
	return d.write(strconv.FormatUint(n, 10)+"_reply.json", m)
}

func (d *DumpDir) write(name string, m *nats.Msg) (string, error) {
	var err error
	if d.buf, err = AppendDump(d.buf[:0], m); err != nil {
		return "", err
	}
	path := filepath.Join(d.path, name)
	part, err := os.CreateTemp(d.path, ".part-*") // made with 0600
	if err != nil {
		return "", fmt.Errorf("dump file %s: %w", path, cause(err))
	}
	_, err = part.Write(d.buf)
	err = errors.Join(err, part.Close())
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return "", fmt.Errorf("dump file %s: %w", path, cause(err))
	}
	return path, nil
}

// DumpFiles lists the message files of a dump directory in the order of their numbers, each request before its reply.
func DumpFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("dump directory %s: %w", dir, cause(err))
	}
	type file struct {
		n     uint64
		reply bool
		name  string
	}
	var files []file
	for _, e := range entries {
		stem, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || e.IsDir() {
			continue
		}
		number, reply := strings.CutSuffix(stem, "_reply")
		if n, err := strconv.ParseUint(number, 10, 64); err == nil {
			files = append(files, file{n, reply, e.Name()})
		}
	}
	slices.SortFunc(files, func(a, b file) int {
		switch {
		case a.n < b.n:
			return -1
		case a.n > b.n:
			return 1
		case a.reply == b.reply:
			return strings.Compare(a.name, b.name)
		case b.reply:
			return -1
		}
		return 1
	})
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = filepath.Join(dir, f.name)
	}
	return paths, nil
}
