//go:build !windows

package shell

import "github.com/choria-io/fisk"

// bindCertStore declares nothing: certificate stores exist on Windows.
func bindCertStore(*globals, *fisk.Application) {}
