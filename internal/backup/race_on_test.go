//go:build race

package backup

// raceDetector multiplies the memory of a process.
const raceDetector = true
