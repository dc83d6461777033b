package contexts

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// The sieve behind all other care: no error we pass on quotes a secret, and none loses its cause.
func TestS4_ErrorsOfOthersAreScrubbed(t *testing.T) {
	t.Parallel()
	m := NewManager(Resolved{URL: "nats://bob:s3cr3t-url@h:1", Token: "s3cr3t-token"}, Options{})
	cause := fmt.Errorf("talking of s3cr3t-token to bob:s3cr3t-url@h: %w", os.ErrPermission)
	for _, err := range []error{m.configError(cause), m.connectError(cause), m.notAllowed(cause), m.closedError(cause)} {
		if text := err.Error(); scrub(text, []string{"s3cr3t"}) != text || !errors.Is(err, os.ErrPermission) {
			t.Errorf("%v", err)
		}
	}
	if err := m.closedError(nil); err == nil || m.configError(nil) != nil {
		t.Errorf("%v", err)
	}
}
