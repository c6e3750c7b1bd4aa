import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks";
import { ed25519 } from "./config-example";

/** A resource as the program asked the engine for it. */
export interface Registered {
  type: string;
  name: string;
  /** Inputs by name; a secret is marked as `{ secret: VALUE }`. */
  inputs: Record<string, unknown>;
  custom: boolean;
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

function marked(value: unknown): unknown {
  if (
    typeof value === "object" &&
    value !== null &&
    (value as Record<string, unknown>)[SIGNATURE] === SECRET
  ) {
    return { secret: (value as { value: unknown }).value };
  }
  return value;
}

/** A function of the cloud's provider that the program called. */
export interface Lookup {
  token: string;
  inputs: object;
}

/** What there is before the program runs. */
export interface MockedCloud {
  /** Type and outputs of the stack's resources, by URN; default: none. */
  state?: Record<string, { type: string; outputs: object }>;
  /** Names that the cloud knows nothing by; `all` where it does not answer at all. Default: none. */
  missing?: readonly string[] | "all";
}

/** A port's addresses, an IPv6 one for a second subnet: in the order in which a cloud may list them. */
function addressesOf({ fixedIps }: { fixedIps: object[] }, count: number): string[] {
  return [`10.20.0.${String(count)}`, `2001:db8:0:20::${String(count)}`].slice(0, fixedIps.length).reverse();
}

/** What the cloud would answer: just what the program reads again. */
function outputs({ type, name, ...args }: pulumi.runtime.MockResourceArgs, count: number): object {
  const inputs = args.inputs as object;
  switch (type) {
    case "tls:index/privateKey:PrivateKey":
      return {
        ...inputs,
        publicKeyOpenssh: `${ed25519(count)}\n`,
        privateKeyOpenssh: `private key of ${name}`,
        privateKeyPem: `private PEM of ${name}`,
      };
    case "openstack:networking/port:Port":
      return { ...inputs, allFixedIps: addressesOf(inputs as { fixedIps: object[] }, count) };
    case "openstack:networking/floatingIp:FloatingIp":
      return { ...inputs, address: `172.24.4.${String(count)}` };
    case "command:remote:Command":
      return { ...inputs, stdout: "secure-backups: the install came to its end\n" };
    case "openstack:identity/ec2CredentialV3:Ec2CredentialV3":
      return { ...inputs, access: `access of ${name}`, secret: `secret of ${name}` };
    default:
      return inputs;
  }
}

/** A URN as the engine makes it, with the types of all parents; the mocks' own name the direct one alone. */
function engineUrn(parent: string, type: string, name: string): string {
  const types = parent === "" ? type : `${parent.split("::")[2] ?? ""}$${type}`;
  return `urn:pulumi:test::secure-backups::${types}::${name}`;
}

/**
 * Runs index.ts against a mocked engine, with this configuration, and gives what it registered (and the URNs of that)
 * and exported, and the functions that it called.
 * One program a Jest module registry: call it once in a test file's `beforeAll`, or after `jest.resetModules`.
 */
export async function mockedStack(
  config: Record<string, unknown>,
  { state = {}, missing = [] }: MockedCloud = {},
): Promise<{ resources: Registered[]; urns: string[]; exports: Record<string, unknown>; asked: Lookup[] }> {
  const resources: Registered[] = [];
  const asked: Lookup[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource(args) {
        const inputs = Object.fromEntries(
          Object.entries(args.inputs as Record<string, unknown>).map(([key, value]) => [key, marked(value)]),
        );
        resources.push({ type: args.type, name: args.name, inputs, custom: args.custom ?? true });
        return { id: `id of ${args.name}`, state: outputs(args, resources.length) };
      },
      call: ({ token, inputs }) => {
        if (token === "pulumi:pulumi:readStackResourceOutputs") return { outputs: state };
        asked.push({ token, inputs: inputs as object });
        const { name = "" } = inputs as { name?: string };
        if (missing === "all" || missing.includes(name)) {
          const details = `invocation of ${token} returned an error: Your query returned no results`;
          throw Object.assign(new Error(details), { details });
        }
        return { ...(inputs as object), id: `id of ${name}` };
      },
    },
    "secure-backups",
    "test",
    false,
    "organization",
  );
  const monitor = pulumi.runtime.getMonitor() as unknown as MockMonitor;
  Object.assign(monitor, { newUrn: engineUrn });
  const entries = Object.entries(config).map(([key, value]) => [
    `secure-backups:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(
    Object.fromEntries(entries) as Record<string, string>,
    entries.map(([key]) => key as string),
  );
  const { default: program } = (await import("../../index")) as unknown as {
    default: () => Promise<Record<string, unknown>>;
  };
  const exports = await program();
  await pulumi.runtime.disconnect();
  return { resources, urns: [...monitor.getRegisteredResources().keys()].sort(), exports, asked };
}
