//go:build tools

// Package engine pins the Pulumi engine; its program is built straight from the module.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
