//go:build tools

// Package host pins the engine's language host for Node.js, in the last module version that contains it.
package host

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"
