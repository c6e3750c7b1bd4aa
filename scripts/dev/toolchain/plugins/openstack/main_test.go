package main

import (
	"testing"

	"secure-backups/toolchain/nodesdk"
	"secure-backups/toolchain/plugins/internal/bridged"
)

func TestServesWhatTheNodeSDKDeclares(t *testing.T) {
	info, err := providerInfo()
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := nodesdk.Load("../../../../../node_modules", "openstack")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the SDK declares %d resources and %d functions", len(sdk.Resources), len(sdk.Functions))
	for _, difference := range bridged.Differences(info, sdk) {
		t.Error(difference)
	}
}
