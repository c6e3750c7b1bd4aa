package main

import (
	"slices"
	"testing"

	"secure-backups/toolchain/nodesdk"
	"secure-backups/toolchain/plugins/internal/bridged"
)

// unserved is what the SDK has from a later Terraform provider than the last one that the bridge takes without its
// Plugin Framework part. A program that sets one of these gets an error; one that reads one gets nothing.
var unserved = []string{
	"tls:index/certRequest:CertRequest: privateKeyPemWo is missing",
	"tls:index/certRequest:CertRequest: privateKeyPemWoVersion is missing",
	"tls:index/certRequest:CertRequest: subject.emailAddress is missing",
	"tls:index/getCertificate:getCertificate: certificates.maxPathLength is missing",
	"tls:index/locallySignedCert:LocallySignedCert: caPrivateKeyPemWo is missing",
	"tls:index/locallySignedCert:LocallySignedCert: caPrivateKeyPemWoVersion is missing",
	"tls:index/locallySignedCert:LocallySignedCert: maxPathLength is missing",
	"tls:index/privateKey:PrivateKey: privateKeyPemPkcs8 is missing",
	"tls:index/selfSignedCert:SelfSignedCert: maxPathLength is missing",
	"tls:index/selfSignedCert:SelfSignedCert: privateKeyPemWo is missing",
	"tls:index/selfSignedCert:SelfSignedCert: privateKeyPemWoVersion is missing",
	"tls:index/selfSignedCert:SelfSignedCert: subject.emailAddress is missing",
}

func TestServesWhatTheNodeSDKDeclaresButForWhatIsListed(t *testing.T) {
	info, err := providerInfo()
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := nodesdk.Load("../../../../../node_modules", "tls")
	if err != nil {
		t.Fatal(err)
	}
	differences := bridged.Differences(info, sdk)
	for _, difference := range differences {
		if !slices.Contains(unserved, difference) {
			t.Error(difference)
		}
	}
	for _, known := range unserved {
		if !slices.Contains(differences, known) {
			t.Errorf("no longer so: %s", known)
		}
	}
}
