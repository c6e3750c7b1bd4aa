package main

import "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

// override holds the few fields whose name or shape in the Node SDK differs from what the bridge derives by itself.
func override(info *tfbridge.ProviderInfo) {
	info.Resources["openstack_compute_servergroup_v2"].Fields = map[string]*tfbridge.SchemaInfo{
		"policies": {MaxItemsOne: tfbridge.False()},
	}
	info.Resources["openstack_networking_subnet_v2"].Fields = map[string]*tfbridge.SchemaInfo{
		"allocation_pool": {Name: "allocationPoolsCollection"},
	}
	info.Resources["openstack_orchestration_stack_v1"].Fields = map[string]*tfbridge.SchemaInfo{
		"outputs": {Name: "StackOutputs"},
	}
}
