// The module path puts this package below the TLS provider's own path, so that Go lets it import that provider's
// internal package.
module github.com/terraform-providers/terraform-provider-tls/shim

go 1.26.0

require (
	github.com/hashicorp/terraform-plugin-sdk/v2 v2.16.0
	github.com/terraform-providers/terraform-provider-tls v1.2.1-0.20220516152008-a84a40eb6c76
)
