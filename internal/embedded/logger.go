package embedded

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	srvlog "github.com/nats-io/nats-server/v2/logger"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/fail"
)

// capture is the server's logger: lines go to slog, and to where the configuration file wants them. A fatal line ends
// nothing, it is kept: nats-server returns no error where it expects its logger to exit the process.
type capture struct {
	ours  bool // the passwords are ours, not those of a configuration file
	log   *slog.Logger
	file  server.Logger // nil when the file names no log
	fatal chan string   // holds the first fatal line
}

var _ server.Logger = (*capture)(nil)

func newCapture(log *slog.Logger, file server.Logger) *capture {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &capture{log: log, file: file, fatal: make(chan string, 1)}
}

func (c *capture) Noticef(format string, v ...any) {
	c.log.Info(fmt.Sprintf(format, v...))
	if c.file != nil {
		c.file.Noticef(format, v...)
	}
}

func (c *capture) Warnf(format string, v ...any) {
	if c.ours && strings.HasPrefix(format, "Plaintext passwords detected") {
		return // advice for whoever writes a configuration file
	}
	c.log.Warn(fmt.Sprintf(format, v...))
	if c.file != nil {
		c.file.Warnf(format, v...)
	}
}

func (c *capture) Errorf(format string, v ...any) {
	c.log.Error(fmt.Sprintf(format, v...))
	if c.file != nil {
		c.file.Errorf(format, v...)
	}
}

func (c *capture) Debugf(format string, v ...any) {
	c.log.Debug(fmt.Sprintf(format, v...))
	if c.file != nil {
		c.file.Debugf(format, v...)
	}
}

func (c *capture) Tracef(format string, v ...any) {
	c.log.Debug(fmt.Sprintf(format, v...))
	if c.file != nil {
		c.file.Tracef(format, v...)
	}
}

// Fatalf may be called with the server's locks held: it must not call back.
func (c *capture) Fatalf(format string, v ...any) {
	c.Errorf(format, v...)
	select {
	case c.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

// close closes the log file; nats-server does so only with a logger of its own.
func (c *capture) close() error {
	if f, ok := c.file.(*srvlog.Logger); ok {
		return f.Close()
	}
	return nil
}

// logOf opens the log that the configuration file names; nil for none. nats-server's own loggers exit the process when
// they cannot be opened, so each is tried first.
func logOf(so *server.Options) (server.Logger, error) {
	switch {
	case so.LogFile != "":
		f, err := os.OpenFile(so.LogFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
		if err != nil {
			return nil, fail.Newf(fail.Failure, "log file: %w", err)
		}
		if err := f.Close(); err != nil {
			return nil, fail.Newf(fail.Failure, "log file %s: %w", so.LogFile, err)
		}
		l := srvlog.NewFileLogger(so.LogFile, so.Logtime, so.Debug, so.Trace, true, srvlog.LogUTC(so.LogtimeUTC))
		if so.LogSizeLimit > 0 {
			if err := l.SetSizeLimit(so.LogSizeLimit); err != nil {
				return nil, fail.Newf(fail.Failure, "log file %s: %w", so.LogFile, err)
			}
		}
		if so.LogMaxFiles > 0 {
			if err := l.SetMaxNumFiles(int(so.LogMaxFiles)); err != nil {
				return nil, fail.Newf(fail.Failure, "log file %s: %w", so.LogFile, err)
			}
		}
		return l, nil
	case so.RemoteSyslog != "", so.Syslog:
		if err := trySyslog(so.RemoteSyslog); err != nil {
			return nil, fail.Newf(fail.Failure, "system log %s: %w", so.RemoteSyslog, err)
		}
		if so.RemoteSyslog != "" {
			return srvlog.NewRemoteSysLogger(so.RemoteSyslog, so.Debug, so.Trace), nil
		}
		return srvlog.NewSysLogger(so.Debug, so.Trace), nil
	}
	return nil, nil
}
