// Package bridged compares a bridged provider with the Node SDK that it serves.
package bridged

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"

	"secure-backups/toolchain/nodesdk"
)

// Differences lists the tokens that only one side has and the properties that differ in name or type.
func Differences(info tfbridge.ProviderInfo, sdk *nodesdk.SDK) []string {
	var out []string
	if info.Version != sdk.Version {
		out = append(out, fmt.Sprintf("the plugin is %s, the SDK %s", info.Version, sdk.Version))
	}
	resources, functions := map[string]nodesdk.Shape{}, map[string]nodesdk.Shape{}
	for name, resource := range info.Resources {
		resources[string(resource.Tok)] = shapeOf(info.P.ResourcesMap().Get(name).Schema(), resource.Fields)
	}
	for name, source := range info.DataSources {
		functions[string(source.Tok)] = shapeOf(info.P.DataSourcesMap().Get(name).Schema(), source.Fields)
	}
	out = append(out, compare(sdk.Resources, resources)...)
	return append(out, compare(sdk.Functions, functions)...)
}

func compare(sdk, plugin map[string]nodesdk.Shape) []string {
	var out []string
	for _, token := range slices.Sorted(maps.Keys(sdk)) {
		if shape, found := plugin[token]; found {
			// Every resource and every function has an id, whether or not its schema lists one.
			delete(sdk[token], "id")
			delete(shape, "id")
			out = append(out, nodesdk.Compare(token, sdk[token], shape)...)
		} else {
			out = append(out, token+": is not served")
		}
	}
	for _, token := range slices.Sorted(maps.Keys(plugin)) {
		if _, found := sdk[token]; !found {
			out = append(out, token+": is unknown to the SDK")
		}
	}
	return out
}

func shapeOf(schema shim.SchemaMap, fields map[string]*tfbridge.SchemaInfo) nodesdk.Shape {
	shape := nodesdk.Shape{}
	describe(schema, fields, "", shape)
	return shape
}

func describe(schema shim.SchemaMap, fields map[string]*tfbridge.SchemaInfo, prefix string, into nodesdk.Shape) {
	schema.Range(func(name string, field shim.Schema) bool {
		if field.Removed() != "" {
			return true
		}
		path := prefix + tfbridge.TerraformToPulumiNameV2(name, schema, fields)
		into[path] = kindOf(field, fields[name], path, into)
		return true
	})
}

// kindOf returns the kind of a field as nodesdk names it, and adds the members of an object.
func kindOf(field shim.Schema, info *tfbridge.SchemaInfo, path string, into nodesdk.Shape) string {
	suffix := ""
	switch field.Type() {
	case shim.TypeBool:
		return "boolean"
	case shim.TypeInt, shim.TypeFloat:
		return "number"
	case shim.TypeString:
		return "string"
	case shim.TypeList, shim.TypeSet:
		if !tfbridge.IsMaxItemsOne(field, info) {
			suffix = "[]"
		}
	case shim.TypeMap:
		if _, object := field.Elem().(shim.Resource); !object {
			suffix = "{}"
		}
	}
	var element *tfbridge.SchemaInfo
	if info != nil {
		element = info.Elem
	}
	switch elem := field.Elem().(type) {
	case shim.Resource:
		var fields map[string]*tfbridge.SchemaInfo
		if element != nil {
			fields = element.Fields
		}
		describe(elem.Schema(), fields, path+".", into)
		return "object" + suffix
	case shim.Schema:
		return kindOf(elem, element, path, into) + suffix
	default:
		return "any" + suffix
	}
}
