// Command tls is the Pulumi resource plugin "tls", bridged from the Terraform provider of the same name.
package main

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-tls/shim"
)

const version = "5.6.1"

func providerInfo() (tfbridge.ProviderInfo, error) {
	upstream, err := shim.New()
	if err != nil {
		return tfbridge.ProviderInfo{}, fmt.Errorf("the Terraform provider tls does not load: %w", err)
	}
	info := tfbridge.ProviderInfo{
		P:            sdkv2.NewProvider(upstream),
		Name:         "tls",
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	return info, info.ComputeTokens(tokens.SingleModule("tls_", "index", tokens.MakeStandard("tls")))
}

func main() {
	info, err := providerInfo()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tfbridge.Main(info.Name, info.Version, info, []byte("{}"))
}
