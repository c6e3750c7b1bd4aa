// Command command stands in for the Pulumi resource plugin "command" where the official one cannot be obtained. It
// keeps to the schema and the behavior of version 1.2.1 for the resources that it serves and refuses all others.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"secure-backups/toolchain/command/local"
	"secure-backups/toolchain/command/remote"
)

const (
	name    = "command"
	version = "1.2.1"
)

// served lists the resources that newProvider implements.
var served = []tokens.Type{"command:local:Command", "command:remote:Command"}

// refusal says what to do about a resource or function that only the official plugin has.
func refusal(token string) error {
	names := make([]string, len(served))
	for i, t := range served {
		names[i] = string(t)
	}
	return fmt.Errorf("%s: this stand-in for the plugin %q serves only %s; "+
		"install the official one: pulumi plugin install resource %s v%s",
		token, name, strings.Join(names, " and "), name, version)
}

func newProvider() p.Provider {
	provider := infer.Provider(infer.Options{
		Resources: []infer.InferredResource{
			infer.Resource(&local.Command{}),
			infer.Resource(&remote.Command{}),
		},
	})
	check := provider.Check
	provider.Check = func(ctx context.Context, req p.CheckRequest) (p.CheckResponse, error) {
		if !slices.Contains(served, req.Urn.Type()) {
			return p.CheckResponse{}, refusal(string(req.Urn.Type()))
		}
		return check(ctx, req)
	}
	provider.Invoke = func(_ context.Context, req p.InvokeRequest) (p.InvokeResponse, error) {
		return p.InvokeResponse{}, refusal(string(req.Token))
	}
	return provider
}

func main() {
	if err := p.RunProvider(context.Background(), name, version, newProvider()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
