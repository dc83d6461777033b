package testkit

// LeaksWithin is Leaks with a wait of choice, so that a test can afford to see it fail.
var LeaksWithin = leaks
