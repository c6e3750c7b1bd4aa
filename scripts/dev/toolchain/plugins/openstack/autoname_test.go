package main

import "testing"

// Pulumi gives a resource without a name one of its own, so that a replacement can be created before the deletion.
func TestNamesAreMadeUpWhereTheOfficialPluginDoes(t *testing.T) {
	info, err := providerInfo()
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range []string{
		"openstack_networking_network_v2", "openstack_networking_subnet_v2", "openstack_networking_router_v2",
		"openstack_networking_port_v2", "openstack_networking_secgroup_v2", "openstack_compute_instance_v2",
		"openstack_compute_keypair_v2", "openstack_compute_servergroup_v2", "openstack_blockstorage_volume_v3",
		"openstack_images_image_v2", "openstack_objectstorage_container_v1",
	} {
		field := info.Resources[resource].Fields["name"]
		if field == nil || field.Default == nil || !field.Default.AutoNamed {
			t.Errorf("%s: name is not made up", resource)
		}
	}
}
