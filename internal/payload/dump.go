package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

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
