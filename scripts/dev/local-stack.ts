import { CACHE, IN_LOCAL_CLOUD, LOCAL_CLOUD } from "./cloud";
import { Deployment } from "../../operations/deployment";
import { accessTo } from "../../operations/ssh";
import { deploymentIn } from "../../operations/read-deployment";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { isIPv6 } from "node:net";
import * as path from "node:path";
import * as YAML from "yaml";
import { authorizedKeysLine, fingerprint, repositoryAddress } from "../../hosts";
import { BootedHost } from "./booted-host";
import { instructionsFor } from "../../operations/instructions";
import { ROOT, Result, run, RunOptions } from "../../operations/transport/run";
import { SshHost } from "../../operations/transport/ssh";
import { KeyPair } from "../../config";
import { sshKey } from "../../operations/transport/ssh-key";

/** What the local cloud reports of itself, in `$CACHE/local-cloud/run/facts.json`. */
export interface CloudFacts {
  projects: { owner: string; writer: string; keeper: string };
  s3Endpoint: string;
  artifactsUrl: string;
  guestRoot: string;
}

/** The outputs of the stack that scripts and tests use. */
export interface Outputs {
  bucket: { name: string; versioning: string };
  proxy: {
    address: string;
    fixedAddress: string;
    address6?: string;
    hostKey: string;
    hostKeyFingerprint: string;
  };
  clients: Record<
    string,
    {
      kind: string;
      address?: string;
      instructions?: string;
      repositories: Record<
        string,
        { address: string; publicKey: string; fingerprint: string; authorizedKeysLine: string }
      >;
    }
  >;
  operatorPublicKey: string;
  operatorPrivateKey: string;
  passwords: Record<string, string>;
  repositoryRootKey: string;
}

const TOOLCHAIN = path.join(ROOT, "scripts/dev/toolchain");

/** The project of the configuration keys, see Pulumi.yaml. */
const PROJECT = "secure-backups";
const CLIENTS = `${PROJECT}:clients` as const;
const ALARMS = `${PROJECT}:alarms` as const;

const FACTS = path.join(CACHE, "local-cloud/run/facts.json");

/** The part of a client's configuration that this file reads. */
interface ConfiguredClient {
  name: string;
  /** Given for an existing server. */
  ssh?: { address: string };
}

/** The same of the whole configuration. */
interface Configured {
  [CLIENTS]?: ConfiguredClient[];
  [ALARMS]?: { webhooks?: { url: string }[] };
}

/** The facts of the local cloud that runs now. */
export function cloudFacts(): CloudFacts {
  return JSON.parse(fs.readFileSync(FACTS, "utf8")) as CloudFacts;
}

/** Identifies a run of the local cloud: each writes its facts once, when it is up. */
function cloudId(): string {
  return fs.statSync(FACTS).mtime.toISOString();
}

/** @see LocalStack */
export interface LocalStackOptions {
  /** @default "local" */
  name?: string;
  /** The folder below `$CACHE` that holds what a run writes. @default "demo" */
  folder?: string;
  /** The checkout whose program runs, and whose Pulumi.local.yaml the configuration begins with. @default this one */
  checkout?: string;
}

/**
 * A stack on the local cloud, with its state, passphrase and completed configuration in a folder of the cache: nothing
 * of a run is written into the checkout.
 */
export class LocalStack {
  readonly name: string;
  readonly folder: string;
  /** The copy of the demo's Pulumi.local.yaml that holds this machine's facts too. */
  readonly configFile: string;
  private checkout: string;
  private env: Record<string, string> = {};

  constructor({ name = "local", folder = "demo", checkout = ROOT }: LocalStackOptions = {}) {
    this.name = name;
    this.folder = path.join(CACHE, folder);
    this.configFile = path.join(this.folder, `Pulumi.${name}.yaml`);
    this.checkout = checkout;
  }

  /** From now on the program of this checkout runs, with the state and the configuration that are there. */
  useThisCheckout(): void {
    this.checkout = ROOT;
  }

  /**
   * Makes the stack ready for use: state folder, passphrase, completed configuration. State of a cloud that is
   * gone describes nothing any more and is removed.
   * @throws Error where the local cloud is not up
   */
  async open(): Promise<void> {
    const { code } = await run(LOCAL_CLOUD, ["exec", "--", "true"], { accept: "any" });
    if (code !== 0) throw new Error("the local cloud is not up: start it with npm run demo");
    fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const passphrase = path.join(this.folder, "passphrase");
    if (!fs.existsSync(passphrase))
      fs.writeFileSync(passphrase, randomBytes(32).toString("hex"), { mode: 0o600 });

    const state = path.join(this.folder, "state");
    const owner = path.join(this.folder, "cloud-id");
    if (!fs.existsSync(owner) || fs.readFileSync(owner, "utf8") !== cloudId()) {
      fs.rmSync(state, { recursive: true, force: true });
      fs.rmSync(this.configFile, { force: true });
      fs.writeFileSync(owner, cloudId());
    }
    fs.mkdirSync(state, { recursive: true });

    const exports = (await run(path.join(TOOLCHAIN, "env"), [])).stdout;
    const shell = await run("sh", ["-c", `${exports}\nenv -0`]);
    const variables = shell.stdout.split("\0").map((line) => line.split(/=(.*)/s, 2) as [string, string]);
    this.env = {
      ...Object.fromEntries(variables.filter(([name]) => name === "PATH" || name.startsWith("PULUMI_"))),
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE_FILE: passphrase,
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    fs.copyFileSync(path.join(this.checkout, "Pulumi.yaml"), path.join(this.folder, "Pulumi.yaml"));
    await this.pulumi(["stack", "select", "--create"]);
  }

  /** The environment in which Pulumi, rclone and restic work on this stack without naming it. */
  environment(): Record<string, string> {
    return {
      ...this.env,
      PULUMI_STACK: this.name,
      PATH: `${path.join(CACHE, "artifacts")}:${this.env["PATH"] ?? ""}`,
      PULUMI_OPTION_CONFIG_FILE: this.configFile,
    };
  }

  /**
   * Sets the configuration back to the demo's Pulumi.local.yaml, completed with this machine's facts. The existing
   * servers that it names are started; they run until the cloud ends.
   *
   * @param change made to Pulumi.local.yaml before anything else
   */
  async resetConfig(change: (document: YAML.Document) => void = () => undefined): Promise<void> {
    // Version 0.1.0 has it in the root of the checkout.
    const files = ["scripts/dev/demo", "."].map((place) =>
      path.join(this.checkout, place, "Pulumi.local.yaml"),
    );
    const document = YAML.parseDocument(
      fs.readFileSync(files.find((file) => fs.existsSync(file)) ?? "", "utf8"),
    );
    change(document);
    const set = (field: (string | number)[], value: string) => {
      const [key, ...rest] = field;
      document.setIn(["config", `${PROJECT}:${String(key)}`, ...rest], value);
    };
    const { encryptionsalt } = YAML.parse(fs.readFileSync(this.configFile, "utf8")) as Record<string, string>;
    if (encryptionsalt !== undefined) document.setIn(["encryptionsalt"], encryptionsalt);
    const facts = cloudFacts();
    for (const [identity, project] of Object.entries(facts.projects)) {
      set(["s3", "identities", identity, "projectId"], project);
    }
    const withKeeper = document.hasIn(["config", `${PROJECT}:keeper`]);
    const artifacts: [field: string[], artifact: string][] = [
      [["proxy", "rclone"], "rclone"],
      [["restic"], "restic"],
      ...(withKeeper
        ? ([
            [["keeper", "node"], "node"],
            [["keeper", "restic"], "restic"],
          ] as [string[], string][])
        : []),
    ];
    for (const [field, artifact] of artifacts) {
      const made = JSON.parse(fs.readFileSync(path.join(CACHE, `artifacts/${artifact}.json`), "utf8")) as {
        version: string;
        sha256: string;
      };
      set([...field, "version"], made.version);
      set([...field, "url"], `${facts.artifactsUrl.replace(/\/$/, "")}/${artifact}`);
      set([...field, "sha256"], made.sha256);
    }
    const { config } = document.toJS() as { config: Configured };
    const existing = (config[CLIENTS] ?? []).flatMap(({ name, ssh }, place) =>
      ssh === undefined ? [] : [{ name, place, address: ssh.address }],
    );
    const servers = await Promise.all(
      existing.map(async ({ name, place, address }) => ({
        place,
        server: await BootedHost.start(name, address, await this.serverKey(name)),
      })),
    );
    for (const { place, server } of servers) set(["clients", place, "ssh", "hostKey"], server.hostKey);
    fs.writeFileSync(this.configFile, document.toString(), { mode: 0o600 });
    for (const { place, server } of servers) {
      await this.setConfig(`clients[${String(place)}].ssh.privateKey`, server.operator.privateKey, {
        secret: true,
      });
    }
    for (const [place, { url }] of (config[ALARMS]?.webhooks ?? []).entries()) {
      await this.setConfig(`alarms.webhooks[${String(place)}].url`, url, { secret: true });
    }
  }

  /** The key by which an existing server's operator has always logged in to it. */
  private async serverKey(name: string): Promise<KeyPair> {
    const file = path.join(this.folder, `${name}-key.json`);
    if (!fs.existsSync(file)) fs.writeFileSync(file, JSON.stringify(await sshKey()), { mode: 0o600 });
    return JSON.parse(fs.readFileSync(file, "utf8")) as KeyPair;
  }

  /** Sets one value of the configuration; `key` is a path below the project, e.g. `clients[0].name`. */
  async setConfig(key: string, value: string, options: { secret?: boolean } = {}): Promise<void> {
    const secret = options.secret ? ["--secret"] : [];
    await this.pulumi(["config", "set", "--path", ...secret, `${PROJECT}:${key}`], { input: value });
  }

  /** Changes the configuration's text, as its owner does in an editor. */
  editConfig(change: (text: string) => string): void {
    fs.writeFileSync(this.configFile, change(fs.readFileSync(this.configFile, "utf8")));
  }

  /**
   * Runs Pulumi on this stack, inside the cloud's network. What concerns the program runs in its checkout; the
   * rest beside the configuration, for Pulumi writes a new stack's salt into the folder that it stands in.
   */
  pulumi(args: string[], options: RunOptions = {}): Promise<Result> {
    const program = ["up", "preview", "refresh", "destroy"].includes(args[0] as string);
    const place = program
      ? ["--cwd", this.checkout, "--config-file", this.configFile]
      : ["--cwd", this.folder];
    return run(
      LOCAL_CLOUD,
      ["exec", "--", "pulumi", ...args, "--non-interactive", "--stack", this.name, ...place],
      { timeout: 1500, ...options, env: { ...this.env, ...options.env } },
    );
  }

  async up(args: string[] = [], options: RunOptions = {}): Promise<Result> {
    const result = await this.pulumi(
      ["up", "--yes", "--skip-preview", "--suppress-progress", ...args],
      options,
    );
    if (result.code === 0) await this.routeIpv6();
    return result;
  }

  /** Leads the cloud's namespace to the stack's IPv6 subnet as a provider does: through the stack's router. */
  private async routeIpv6(): Promise<void> {
    const resources = await this.resources();
    const outputsOf = (type: string) =>
      resources.filter((resource) => resource.type.endsWith(`:${type}`)).map(({ outputs }) => outputs);
    const subnet = outputsOf("Subnet").find((outputs) => outputs?.["ipVersion"] === 6);
    const [router] = outputsOf("Router");
    const gateway = (router?.["externalFixedIps"] as { ipAddress: string }[] | undefined)?.find(
      ({ ipAddress }) => isIPv6(ipAddress),
    );
    if (subnet === undefined || gateway === undefined) return;
    const route = ["route", "replace", subnet["cidr"] as string, "via", gateway.ipAddress, "dev", "br-ex"];
    await run(LOCAL_CLOUD, ["exec", "--", "ip", "-6", ...route]);
  }

  /** Runs one of the operator's commands of this checkout (`npm run COMMAND`) on this stack. */
  operate(command: string, args: string[] = [], options: RunOptions = {}): Promise<Result> {
    return run(
      LOCAL_CLOUD,
      ["exec", "--", "npm", "run", "--silent", command, "--", "--stack", this.name, ...args],
      { timeout: 1500, ...options, env: { ...this.environment(), ...options.env } },
    );
  }

  /** Destroys the stack and gives its backups up; what it exports goes into its folder. */
  async destroy(): Promise<void> {
    await this.setConfig("s3.givenUp", "true");
    await this.operate("destroy", ["--yes"], { env: { XDG_STATE_HOME: this.folder } });
  }

  /** Whether an update has made anything on the cloud that runs. */
  async deployed(): Promise<boolean> {
    return (await this.resources()).length > 0;
  }

  private async resources(): Promise<{ type: string; outputs?: Record<string, unknown> }[]> {
    const { stdout } = await this.pulumi(["stack", "export"]);
    const { deployment } = JSON.parse(stdout) as {
      deployment: { resources?: { type: string; outputs?: Record<string, unknown> }[] };
    };
    return deployment.resources ?? [];
  }

  async outputs(): Promise<Outputs> {
    const outputs = await this.rawOutputs();
    return { ...outputs, clients: clientsOf(deploymentIn(outputs, this.name)) };
  }

  /** All that the operator's tools know of the deployed stack. */
  async deployment(): Promise<Deployment> {
    return deploymentIn(await this.rawOutputs(), this.name);
  }

  private async rawOutputs(): Promise<Omit<Outputs, "clients"> & Record<string, unknown>> {
    const { stdout } = await this.pulumi(["stack", "output", "--json", "--show-secrets"]);
    return JSON.parse(stdout) as Omit<Outputs, "clients"> & Record<string, unknown>;
  }

  /** A host of this stack, as its operator reaches it by SSH. */
  async host(name: string): Promise<SshHost> {
    const access = accessTo(await this.deployment(), name);
    return new SshHost(access, { folder: path.join(this.folder, "ssh"), via: IN_LOCAL_CLOUD });
  }
}

/** What the stack's state has of each client and its repositories that is no secret. */
function clientsOf(deployment: Deployment): Outputs["clients"] {
  const { bucket } = deployment.bucket;
  const clients = deployment.clients.map(({ name, kind, host, repositories }) => {
    const described = repositories.map(({ name: repository, publicKey }) => [
      repository,
      {
        address: repositoryAddress(bucket, name, repository),
        publicKey,
        fingerprint: fingerprint(publicKey),
        authorizedKeysLine: authorizedKeysLine({ client: name, repository, publicKey }, bucket),
      },
    ]);
    const instructions = kind === "key-only" ? instructionsFor(deployment, name) : undefined;
    return [
      name,
      { kind, address: host?.host, instructions, repositories: Object.fromEntries(described) as object },
    ];
  });
  return Object.fromEntries(clients) as Outputs["clients"];
}

/** Starts the local cloud, and gets or builds the toolchain, where they are missing, side by side. */
export async function ensurePrerequisites(): Promise<void> {
  await Promise.all([
    run(path.join(TOOLCHAIN, "ensure"), [], { timeout: 3600, show: true }),
    run(LOCAL_CLOUD, ["up"], { timeout: 3600, show: true }),
  ]);
}

/** Ends the local cloud and whatever runs in it. */
export async function cloudDown(): Promise<void> {
  await run(LOCAL_CLOUD, ["down"], { timeout: 120, show: true });
}
