package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blang/semver"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/integration"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"secure-backups/toolchain/nodesdk"
)

const (
	remoteType = "command:remote:Command"
	localType  = "command:local:Command"
)

func startProvider(t *testing.T) integration.Server {
	t.Helper()
	t.Setenv("SSH_AUTH_SOCK", "")
	server, err := integration.NewServer(t.Context(), name, semver.MustParse(version),
		integration.WithProvider(newProvider()))
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func urn(kind string) resource.URN {
	return resource.URN("urn:pulumi:test::test::" + kind + "::thing")
}

// text makes a property map of strings.
func text(pairs ...string) property.Map {
	members := map[string]property.Value{}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i]] = property.New(pairs[i+1])
	}
	return property.NewMap(members)
}

// reach is the connection to a test server.
func (s *sshServer) reach() property.Map {
	return text("host", "127.0.0.1", "privateKey", s.clientKey, "hostKey", s.hostKey).
		Set("port", property.New(float64(s.port))).
		Set("dialErrorLimit", property.New(0.0))
}

// checked sends inputs through Check, as the engine does.
func checked(t *testing.T, server integration.Server, kind string, inputs property.Map) property.Map {
	t.Helper()
	answer, err := server.Check(p.CheckRequest{Urn: urn(kind), Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Failures) > 0 {
		t.Fatalf("check: %v", answer.Failures)
	}
	return answer.Inputs
}

func create(t *testing.T, server integration.Server, kind string, inputs property.Map) (p.CreateResponse, error) {
	t.Helper()
	return server.Create(p.CreateRequest{Urn: urn(kind), Properties: checked(t, server, kind, inputs)})
}

func created(t *testing.T, server integration.Server, kind string, inputs property.Map) p.CreateResponse {
	t.Helper()
	answer, err := create(t, server, kind, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func want(t *testing.T, state property.Map, key, value string) {
	t.Helper()
	if have := state.Get(key); !have.IsString() || have.AsString() != value {
		t.Errorf("%s is %v, not %q", key, have, value)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; it should say %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func TestSchemaIsThatOfTheNodeSDK(t *testing.T) {
	sdk, err := nodesdk.Load("../../../../node_modules", name)
	if err != nil {
		t.Fatal(err)
	}
	if sdk.Version != version {
		t.Errorf("the plugin is %s, the SDK %s", version, sdk.Version)
	}
	answer, err := startProvider(t).GetSchema(p.GetSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var schema schemaSpec
	if err := json.Unmarshal([]byte(answer.Schema), &schema); err != nil {
		t.Fatal(err)
	}
	for _, token := range served {
		spec := schema.Resources[string(token)]
		for _, side := range []struct {
			what       string
			sdk        nodesdk.Shape
			properties map[string]typeSpec
		}{
			{" inputs", sdk.Inputs[string(token)], spec.InputProperties},
			{" outputs", sdk.Resources[string(token)], spec.Properties},
		} {
			shape := nodesdk.Shape{}
			schema.describe(side.properties, "", shape)
			for _, difference := range nodesdk.Compare(string(token)+side.what, side.sdk, shape) {
				t.Error(difference)
			}
		}
	}
}

func TestConnectionHasTheDefaultsAndIsSecret(t *testing.T) {
	inputs := checked(t, startProvider(t), remoteType,
		property.NewMap(map[string]property.Value{"connection": property.New(text("host", "h"))}))
	connection := inputs.Get("connection")
	if !connection.Secret() {
		t.Error("the connection is not secret")
	}
	for key, value := range map[string]property.Value{
		"user": property.New("root"), "port": property.New(22.0),
		"dialErrorLimit": property.New(10.0), "perDialTimeout": property.New(15.0),
	} {
		if have := connection.AsMap().Get(key); !have.Equals(value) {
			t.Errorf("%s is %v, not %v", key, have, value)
		}
	}
}

func TestRunsCreateUpdateAndDeleteWithStdinAndOutput(t *testing.T) {
	host := newSSHServer(t, "PULUMI_COMMAND_STDOUT", "PULUMI_COMMAND_STDERR", "EXTRA")
	server := startProvider(t)
	trace := filepath.Join(t.TempDir(), "trace")
	inputs := text(
		"create", "cat; echo out; echo err >&2",
		"update", `printf '%s|%s|%s' "$PULUMI_COMMAND_STDOUT" "$PULUMI_COMMAND_STDERR" "$EXTRA"`,
		"delete", fmt.Sprintf(`printf %%s "$PULUMI_COMMAND_STDOUT" >%s`, trace),
		"stdin", "in\n",
	).Set("connection", property.New(host.reach()))
	first := created(t, server, remoteType, inputs)
	want(t, first.Properties, "stdout", "in\nout")
	want(t, first.Properties, "stderr", "err")

	changed := checked(t, server, remoteType, inputs.Set("environment", property.New(text("EXTRA", "more"))))
	second, err := server.Update(p.UpdateRequest{
		ID: first.ID, Urn: urn(remoteType), State: first.Properties, Inputs: changed,
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, second.Properties, "stdout", "in\nout|err|more")

	if err := server.Delete(p.DeleteRequest{ID: first.ID, Urn: urn(remoteType), Properties: second.Properties}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadFile(trace); err != nil || string(left) != "in\nout|err|more" {
		t.Errorf("delete left %q, %v", left, err)
	}
}

func TestUpdateWithoutAnUpdateCommandRunsCreateAgain(t *testing.T) {
	host := newSSHServer(t)
	server := startProvider(t)
	inputs := text("create", "cat", "stdin", "one").Set("connection", property.New(host.reach()))
	first := created(t, server, remoteType, inputs)
	// The server refuses the variables with the previous output; that is only worth a warning.
	second, err := server.Update(p.UpdateRequest{
		ID: first.ID, Urn: urn(remoteType), State: first.Properties,
		Inputs: checked(t, server, remoteType, inputs.Set("stdin", property.New("two"))),
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, second.Properties, "stdout", "two")
}

func TestAPreviewRunsNothing(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	server := startProvider(t)
	inputs := text("create", "touch "+trace).Set("connection", property.New(newSSHServer(t).reach())).
		Set("stdin", property.New(property.Computed))
	answer, err := server.Create(p.CreateRequest{
		Urn: urn(remoteType), Properties: checked(t, server, remoteType, inputs), DryRun: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("the command ran")
	}
	if out := answer.Properties.Get("stdout"); !out.IsComputed() {
		t.Errorf("stdout is %v, not unknown", out)
	}
}

func TestDiff(t *testing.T) {
	server := startProvider(t)
	base := text("create", "true", "stdin", "a").
		Set("connection", property.New(text("host", "h"))).
		Set("triggers", property.New([]property.Value{property.New("1")}))
	for _, test := range []struct {
		name, key string
		value     property.Value
		kind      p.DiffKind
	}{
		{"stdin updates", "stdin", property.New("b"), p.Update},
		{"an unknown stdin updates", "stdin", property.New(property.Computed), p.Update},
		{"create updates", "create", property.New("false"), p.Update},
		// That this replaces the resource is the SDK's doing, which asks the engine for it.
		{"a trigger updates", "triggers", property.New([]property.Value{property.New("2")}), p.Update},
		{"no triggers replaces", "triggers", property.New(property.Null), p.DeleteReplace},
	} {
		t.Run(test.name, func(t *testing.T) {
			state := checked(t, server, remoteType, base)
			answer, err := server.Diff(p.DiffRequest{
				ID: "x", Urn: urn(remoteType),
				State:     state.Set("stdout", property.New("")).Set("stderr", property.New("")),
				OldInputs: state,
				Inputs:    checked(t, server, remoteType, base.Set(test.key, test.value)),
			})
			if err != nil {
				t.Fatal(err)
			}
			for path, detail := range answer.DetailedDiff {
				if strings.HasPrefix(path, test.key) && detail.Kind == test.kind {
					return
				}
			}
			t.Errorf("the difference is %v", answer.DetailedDiff)
		})
	}
}

func TestNothingChangedIsNoDifference(t *testing.T) {
	server := startProvider(t)
	state := checked(t, server, remoteType, text("create", "true").Set("connection", property.New(text("host", "h"))))
	answer, err := server.Diff(p.DiffRequest{
		ID: "x", Urn: urn(remoteType), OldInputs: state, Inputs: state,
		State: state.Set("stdout", property.New("")).Set("stderr", property.New("")),
	})
	if err != nil || answer.HasChanges {
		t.Errorf("%v %v", answer, err)
	}
}

func TestAFailureShowsTheStatusTheCommandAndItsOutput(t *testing.T) {
	inputs := text("create", "echo said; exit 7", "stdin", "not shown").
		Set("connection", property.New(newSSHServer(t).reach()))
	_, err := create(t, startProvider(t), remoteType, inputs)
	wantError(t, err, "Process exited with status 7", `running "echo said; exit 7":`, "said")
	if strings.Contains(err.Error(), "not shown") {
		t.Errorf("the error shows stdin: %v", err)
	}
}

func TestAnEnvironmentThatTheServerRefusesFails(t *testing.T) {
	inputs := text("create", "true").Set("connection", property.New(newSSHServer(t).reach())).
		Set("environment", property.New(text("EXTRA", "x")))
	_, err := create(t, startProvider(t), remoteType, inputs)
	wantError(t, err, `could not set environment variable "EXTRA"`)
}

func TestAnotherHostKeyIsRefused(t *testing.T) {
	host, other := newSSHServer(t), newSSHServer(t)
	inputs := text("create", "true").Set("connection", property.New(host.reach().Set("hostKey", property.New(other.hostKey))))
	_, err := create(t, startProvider(t), remoteType, inputs)
	wantError(t, err, "after 0 failed attempts", "host key mismatch")

	inputs = text("create", "true").Set("connection", property.New(host.reach().Set("hostKey", property.New("nonsense"))))
	_, err = create(t, startProvider(t), remoteType, inputs)
	wantError(t, err, "failed to parse host key")
}

func TestLogsInWithAPassword(t *testing.T) {
	host := newSSHServer(t)
	connection := host.reach().Delete("privateKey").
		Set("user", property.New("other")).Set("password", property.New("pass word"))
	answer := created(t, startProvider(t), remoteType,
		text("create", "echo in").Set("connection", property.New(connection)))
	want(t, answer.Properties, "stdout", "in")
}

func TestGoesThroughAProxy(t *testing.T) {
	host, proxy := newSSHServer(t), newSSHServer(t)
	answer := created(t, startProvider(t), remoteType, text("create", "echo there").
		Set("connection", property.New(host.reach().Set("proxy", property.New(proxy.reach())))))
	want(t, answer.Properties, "stdout", "there")
	if proxy.onwardDial != 1 {
		t.Errorf("the proxy forwarded %d connections", proxy.onwardDial)
	}
}

func TestGivesUpAfterTheLimitOfDialErrors(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	began := time.Now()
	connection := text("host", "127.0.0.1", "password", "x").
		Set("port", property.New(float64(port))).Set("dialErrorLimit", property.New(2.0))
	_, err = create(t, startProvider(t), remoteType, text("create", "true").Set("connection", property.New(connection)))
	wantError(t, err, "after 2 failed attempts", "connection refused")
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestALineTooLongForTheLogIsStillCaptured(t *testing.T) {
	answer := created(t, startProvider(t), remoteType,
		text("create", "head -c 200000 /dev/zero | tr '\\0' x").
			Set("connection", property.New(newSSHServer(t).reach())))
	if length := len(answer.Properties.Get("stdout").AsString()); length != 200000 {
		t.Errorf("stdout has %d bytes", length)
	}
}

func TestLocalCommandRunsHereAndReturnsFiles(t *testing.T) {
	directory := t.TempDir()
	inputs := text("create", `cat; printf "$WORD"; echo 1 >a.txt; echo 2 >b.log; echo 3 >c.txt`,
		"stdin", "in ", "dir", directory).
		Set("environment", property.New(text("WORD", "out"))).
		Set("assetPaths", property.New([]property.Value{property.New("*.txt"), property.New("!c*")}))
	answer := created(t, startProvider(t), localType, inputs)
	want(t, answer.Properties, "stdout", "in out")
	var names []string
	for name := range answer.Properties.Get("assets").AsMap().All {
		names = append(names, name)
	}
	if !slices.Equal(names, []string{"a.txt"}) {
		t.Errorf("assets are %v", names)
	}
}

func TestWhatIsNotServedIsRefused(t *testing.T) {
	server := startProvider(t)
	_, err := server.Check(p.CheckRequest{Urn: urn("command:remote:CopyToRemote"), Inputs: property.Map{}})
	wantError(t, err, "command:remote:CopyToRemote", "pulumi plugin install resource command v"+version)
	_, err = server.Invoke(p.InvokeRequest{Token: "command:local:run", Args: property.Map{}})
	wantError(t, err, "command:local:run", "pulumi plugin install resource command v"+version)
}

// schemaSpec is the part of a provider's schema that is compared.
type schemaSpec struct {
	Resources map[string]struct {
		InputProperties, Properties map[string]typeSpec
	}
	Types map[string]struct {
		Type       string
		Properties map[string]typeSpec
		Enum       []struct{ Value string }
	}
}

type typeSpec struct {
	Type                 string
	Ref                  string `json:"$ref"`
	Items                *typeSpec
	AdditionalProperties *typeSpec
}

func (s *schemaSpec) describe(properties map[string]typeSpec, prefix string, into nodesdk.Shape) {
	for name, property := range properties {
		into[prefix+name] = s.kind(property, prefix+name, into)
	}
}

func (s *schemaSpec) kind(spec typeSpec, path string, into nodesdk.Shape) string {
	switch {
	case spec.Items != nil:
		return s.kind(*spec.Items, path, into) + "[]"
	case spec.AdditionalProperties != nil:
		return s.kind(*spec.AdditionalProperties, path, into) + "{}"
	case spec.Type == "integer":
		return "number"
	case spec.Ref == "":
		return spec.Type
	}
	token, found := strings.CutPrefix(spec.Ref, "#/types/")
	if !found {
		return map[string]string{
			"pulumi.json#/Any": "any", "pulumi.json#/Archive": "pulumi.asset.Archive",
			"pulumi.json#/Asset": "pulumi.asset.Asset|pulumi.asset.Archive",
		}[spec.Ref]
	}
	if named := s.Types[token]; named.Type == "object" {
		s.describe(named.Properties, path+".", into)
		return "object"
	}
	return "enums." + strings.TrimPrefix(strings.ReplaceAll(token, ":", "."), "command.")
}
