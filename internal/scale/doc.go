// Package scale measures the built program as a process at full size: memory, the time to the first row, and speeds as shares of
// what a bare client of nats.go achieves in the same run. It holds tests and benchmarks alone.
//
//	go test ./internal/scale -run '^$' -bench . -benchtime 1x                                        # at a tenth of the size
//	NATSKIT_SOAK=1 go test ./internal/scale -run '^$' -bench . -benchtime 1x -timeout 60m            # at full size
//	NATSKIT_SOAK=1 go test ./internal/scale -timeout 60m                                             # the bounds of memory
package scale
