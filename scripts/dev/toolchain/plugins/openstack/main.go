// Command openstack is the Pulumi resource plugin "openstack", bridged from the Terraform provider of the same name.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-provider-openstack/terraform-provider-openstack/openstack"
)

const version = "3.15.2"

// providerInfo maps the Terraform provider onto the names of the Node SDK. An error lists what either side has and
// the tables do not.
func providerInfo() (tfbridge.ProviderInfo, error) {
	upstream := openstack.Provider()
	info := tfbridge.ProviderInfo{
		P:            sdkv2.NewProvider(upstream),
		Name:         "openstack",
		Version:      version,
		Resources:    map[string]*tfbridge.ResourceInfo{},
		DataSources:  map[string]*tfbridge.DataSourceInfo{},
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	var mistakes []error
	for name := range upstream.ResourcesMap {
		module, member, found := strings.Cut(resourceTokens[name], ".")
		if !found {
			mistakes = append(mistakes, fmt.Errorf("resource %s has no token", name))
			continue
		}
		info.Resources[name] = &tfbridge.ResourceInfo{Tok: tfbridge.MakeResource(info.Name, module, member)}
	}
	for name := range upstream.DataSourcesMap {
		module, member, found := strings.Cut(dataSourceTokens[name], ".")
		if !found {
			mistakes = append(mistakes, fmt.Errorf("data source %s has no token", name))
			continue
		}
		info.DataSources[name] = &tfbridge.DataSourceInfo{Tok: tfbridge.MakeDataSource(info.Name, module, member)}
	}
	override(&info)
	info.SetAutonaming(255, "-")
	return info, errors.Join(mistakes...)
}

func main() {
	info, err := providerInfo()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tfbridge.Main(info.Name, info.Version, info, []byte("{}"))
}
