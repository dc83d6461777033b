package pub

import "github.com/natskit/natskit/internal/env"

// rejects keeps the records that were not published, as they came, in a file that can be tried again.
type rejects struct {
	draft *env.Draft
	head  func() []byte
	n     int
	err   error
}

func (j *rejects) add(raw []byte) {
	if j == nil || j.err != nil || len(raw) == 0 {
		return
	}
	if j.n == 0 {
		_, j.err = j.draft.Write(j.head())
	}
	j.n++
	if j.err == nil {
		_, j.err = j.draft.Write(raw)
	}
}

// close puts the file in its place; there is none when nothing was rejected.
func (j *rejects) close() error {
	if j == nil {
		return nil
	}
	defer j.draft.Discard()
	if j.err != nil || j.n == 0 {
		return j.err
	}
	return j.draft.Commit()
}
