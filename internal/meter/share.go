// Package meter measures: it divides work among clients, paces it by intended send times, records latencies, accounts for
// lost and repeated messages, and makes reports of it that people, spreadsheets and scripts can read and compare.
package meter

// Share is the part of a run that one client does.
type Share struct {
	Messages int64 // how many
	Offset   int64 // the number of messages that belong to the clients before this one
}

// Divide splits messages among clients: the same number each, the remainder one by one to the first. Fewer than one
// client counts as one; a negative number of messages as none.
func Divide(messages int64, clients int) []Share {
	clients = max(clients, 1)
	messages = max(messages, 0)
	each, rest := messages/int64(clients), messages%int64(clients)
	out := make([]Share, clients)
	var offset int64
	for i := range out {
		n := each
		if int64(i) < rest {
			n++
		}
		out[i] = Share{Messages: n, Offset: offset}
		offset += n
	}
	return out
}
