package meter

// window is how far back a Tracker remembers which messages it saw, in messages: 8 KiB for each publisher.
const window = 1 << 16

// Delivery is what became of the messages of publishers that number them.
type Delivery struct {
	Expected   int64 `json:"expected"`   // sent, as far as known
	Received   int64 `json:"received"`   // arrived, repetitions included
	Lost       int64 `json:"lost"`       // expected and never seen
	Duplicates int64 `json:"duplicates"` // seen before
	Reordered  int64 `json:"reordered"`  // arrived after a later one
	Gaps       int64 `json:"gaps"`       // times that a number was left out, even if it came later
	Late       int64 `json:"late"`       // so late that it can't be told from a duplicate
	Unnumbered int64 `json:"unnumbered"` // without a number of ours
	// Shared says that a queue group outside this run has the rest: nothing is expected then, and a number left out means nothing.
	Shared bool `json:"shared,omitempty"`
}

// Merge adds another part of the account.
func (d *Delivery) Merge(o Delivery) {
	d.Expected += o.Expected
	d.Received += o.Received
	d.Lost += o.Lost
	d.Duplicates += o.Duplicates
	d.Reordered += o.Reordered
	d.Gaps += o.Gaps
	d.Late += o.Late
	d.Unnumbered += o.Unnumbered
	d.Shared = d.Shared || o.Shared
}

// Share is the account when others may have received the messages that were not seen.
func (d Delivery) Share() Delivery {
	d.Expected, d.Lost, d.Gaps, d.Reordered, d.Shared = 0, 0, 0, 0, true
	return d
}

// Clean reports that every expected message arrived exactly once; the order does not matter.
func (d Delivery) Clean() bool { return d.Lost == 0 && d.Duplicates == 0 && d.Late == 0 }

// Tracker follows the sequence of one publisher, numbers from 0, in bounded memory.
type Tracker struct {
	seen   []uint64 // a ring of bits: bit i%window says whether number i was seen, for i in [next-window, next)
	next   uint64   // one more than the highest number seen
	first  uint64   // the lowest number seen
	unique int64
	d      Delivery
}

// Observe takes note of a message. Of its number the bits that a stamp holds are enough. In order and without gaps it touches one
// word.
func (t *Tracker) Observe(seq uint64) {
	if t.seen == nil {
		t.seen = make([]uint64, window/64)
		t.first = seq
	}
	seq = t.whole(seq)
	t.first = min(t.first, seq)
	t.d.Received++
	if seq < t.next {
		t.behind(seq)
		return
	}
	if gap := seq - t.next; gap > 0 {
		t.d.Gaps++
		t.forget(t.next, min(gap, window))
	}
	t.mark(seq)
	t.next = seq + 1
	t.unique++
}

// whole is the number nearest to the next one that ends in the bits of seq.
func (t *Tracker) whole(seq uint64) uint64 {
	n := int64(t.next) + int64((seq-t.next)<<(64-numbers))>>(64-numbers)
	if n < 0 { // before the first: it is as far ahead instead
		n += maxSequence + 1
	}
	return uint64(n)
}

func (t *Tracker) behind(seq uint64) {
	if t.next-seq > window {
		t.d.Late++
		return
	}
	word, bit := seq%window/64, uint64(1)<<(seq%64)
	if t.seen[word]&bit != 0 {
		t.d.Duplicates++
		return
	}
	t.seen[word] |= bit
	t.d.Reordered++
	t.unique++
}

func (t *Tracker) mark(seq uint64) { t.seen[seq%window/64] |= 1 << (seq % 64) }

// forget clears the bits of n numbers that were left out, from seq on: the bits still stand for numbers a window ago, and
// those must not be taken for these.
func (t *Tracker) forget(seq, n uint64) {
	for i := range n {
		s := seq + i
		t.seen[s%window/64] &^= 1 << (s % 64)
	}
}

// Count takes note of a message that carries no number.
func (t *Tracker) Count() {
	t.d.Received++
	t.d.Unnumbered++
}

// Result is the account when sent messages were published. 0 means that nobody knows: then it covers the numbers from the
// lowest to the highest seen, since a receiver that came later than the publisher has lost nothing by that.
func (t *Tracker) Result(sent uint64) Delivery {
	d := t.d
	if sent == 0 {
		d.Expected = int64(t.next - t.first)
		if t.first > 0 {
			d.Gaps-- // what came before us is none
		}
	} else {
		d.Expected = int64(max(sent, t.next))
	}
	d.Lost = max(d.Expected-t.unique-d.Late, 0)
	return d
}
