//go:build tools

// Package restic pins restic; its program is built straight from the module.
package restic

import _ "github.com/restic/restic/cmd/restic"
