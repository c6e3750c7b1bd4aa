package main

import "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

// override holds the few fields whose shape in the Node SDK differs from what the bridge derives by itself.
func override(info *tfbridge.ProviderInfo) {
}
