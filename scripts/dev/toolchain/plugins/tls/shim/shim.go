// Package shim hands out the Terraform TLS provider, which its own module keeps internal.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-tls/internal/provider"
)

// New returns the provider; an error means that its schema is not sound.
func New() (*schema.Provider, error) { return provider.New() }
