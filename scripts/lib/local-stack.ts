import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { CACHE, IN_LOCAL_CLOUD, LOCAL_CLOUD, ROOT, Result, run, RunOptions } from "./run";
import { SshHost } from "./ssh";

/** What the local cloud tells about itself, in `$CACHE/local-cloud/run/facts.json`. */
export interface CloudFacts {
  projects: { owner: string; writer: string; keeper: string };
  s3Endpoint: string;
  artifactsUrl: string;
  guestRoot: string;
}

/** The outputs of the stack that scripts and tests use. */
export interface Outputs {
  bucket: { name: string; versioning: string };
  proxy: { address: string; fixedAddress: string; hostKey: string; hostKeyFingerprint: string };
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

const TOOLCHAIN = path.join(ROOT, "scripts/toolchain");

/** The project of the configuration keys, see Pulumi.yaml. */
const PROJECT = "secure-backups";

const FACTS = path.join(CACHE, "local-cloud/run/facts.json");

/** The facts of the local cloud that runs now. */
export function cloudFacts(): CloudFacts {
  return JSON.parse(fs.readFileSync(FACTS, "utf8")) as CloudFacts;
}

/** Tells one run of the local cloud from another: each writes its facts once, when it is up. */
function cloudId(): string {
  return fs.statSync(FACTS).mtime.toISOString();
}

/**
 * The stack `local` on the local cloud, with its state, passphrase and completed configuration in
 * `$CACHE/demo`: nothing of a run is written into the checkout.
 */
export class LocalStack {
  readonly folder = path.join(CACHE, "demo");
  /** The copy of Pulumi.local.yaml that holds this machine's facts too. */
  readonly configFile = path.join(this.folder, "Pulumi.local.yaml");
  private env: Record<string, string> = {};

  /**
   * Makes the stack ready for use: state folder, passphrase, completed configuration. State of a cloud that is
   * gone describes nothing any more and is removed.
   */
  async open(): Promise<void> {
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
    fs.copyFileSync(path.join(ROOT, "Pulumi.yaml"), path.join(this.folder, "Pulumi.yaml"));
    await this.pulumi(["stack", "select", "--create"]);
  }

  /** The environment in which Pulumi, rclone and restic work on this stack. */
  environment(): Record<string, string> {
    return { ...this.env, PATH: `${path.join(CACHE, "artifacts")}:${this.env["PATH"] ?? ""}` };
  }

  /** Sets the configuration back to Pulumi.local.yaml, completed with this machine's facts. */
  async resetConfig(): Promise<void> {
    const salt = /^encryptionsalt:.*$/m.exec(fs.readFileSync(this.configFile, "utf8"))?.[0] ?? "";
    fs.writeFileSync(
      this.configFile,
      `${salt}\n${fs.readFileSync(path.join(ROOT, "Pulumi.local.yaml"), "utf8")}`,
      { mode: 0o600 },
    );
    const facts = cloudFacts();
    const values: Record<string, string> = {};
    for (const [identity, project] of Object.entries(facts.projects)) {
      values[`s3.identities.${identity}.projectId`] = project;
    }
    for (const [field, artifact] of [
      ["proxy.rclone", "rclone"],
      ["restic", "restic"],
    ] as const) {
      const made = JSON.parse(fs.readFileSync(path.join(CACHE, `artifacts/${artifact}.json`), "utf8")) as {
        version: string;
        sha256: string;
      };
      values[`${field}.version`] = made.version;
      values[`${field}.url`] = `${facts.artifactsUrl.replace(/\/$/, "")}/${artifact}`;
      values[`${field}.sha256`] = made.sha256;
    }
    for (const [key, value] of Object.entries(values)) await this.setConfig(key, value);
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
   * Runs Pulumi on this stack, inside the cloud's network. What concerns the program runs in the checkout; the
   * rest beside the configuration, for Pulumi writes a new stack's salt into the folder that it stands in.
   */
  pulumi(args: string[], options: RunOptions = {}): Promise<Result> {
    const program = ["up", "preview", "refresh", "destroy"].includes(args[0] as string);
    const place = program ? ["--config-file", this.configFile] : ["--cwd", this.folder];
    return run(
      LOCAL_CLOUD,
      ["exec", "--", "pulumi", ...args, "--non-interactive", "--stack", "local", ...place],
      { timeout: 1500, ...options, env: { ...this.env, ...options.env } },
    );
  }

  up(args: string[] = [], options: RunOptions = {}): Promise<Result> {
    return this.pulumi(["up", "--yes", "--skip-preview", "--suppress-progress", ...args], options);
  }

  async outputs(): Promise<Outputs> {
    const { stdout } = await this.pulumi(["stack", "output", "--json", "--show-secrets"]);
    return JSON.parse(stdout) as Outputs;
  }

  /** An app server of this stack or its proxy, as its operator reaches it by SSH. */
  async host(name: string): Promise<SshHost> {
    const outputs = await this.outputs();
    const address = name === "rclonesrv" ? outputs.proxy.address : outputs.clients[name]?.address;
    if (address === undefined) throw new Error(`the stack has no host ${name}`);
    return new SshHost(
      {
        host: address,
        port: 22,
        user: "debian",
        hostKey: await this.hostKey(name),
        privateKey: outputs.operatorPrivateKey,
      },
      { folder: path.join(this.folder, "ssh"), via: IN_LOCAL_CLOUD },
    );
  }

  /** The SSH host key that the stack made for a host. */
  private async hostKey(name: string): Promise<string> {
    const { stdout } = await this.pulumi(["stack", "export"]);
    const { deployment } = JSON.parse(stdout) as {
      deployment: { resources: { urn: string; outputs?: { publicKeyOpenssh?: string } }[] };
    };
    const key = deployment.resources.find(({ urn }) => urn.endsWith(`::${name}-host-key`))?.outputs
      ?.publicKeyOpenssh;
    if (key === undefined) throw new Error(`the stack has no host key of ${name}`);
    return key.trim();
  }
}

/** Set in a process that {@link enterLocalCloud} started. */
const ENTERED = "SECURE_BACKUPS_ENTERED";

/**
 * Makes an operator's command work on the stack `local` as it does on any other: starts this very program again
 * in the local cloud's network, with the demo's state and with its rclone and restic on PATH, and ends as it does.
 * Returns at once for every other stack, and in the program that was started.
 */
export async function enterLocalCloud(stack: string | undefined): Promise<void> {
  if (stack !== "local" || process.env[ENTERED] !== undefined) return;
  if (!fs.existsSync(FACTS)) throw new Error("the local cloud is not up: start it with npm run demo");
  const local = new LocalStack();
  await local.open();
  const child = spawn(
    LOCAL_CLOUD,
    ["exec", "--", process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    { stdio: "inherit", env: { ...process.env, ...local.environment(), [ENTERED]: "yes" } },
  );
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject).on("close", (status) => {
      resolve(status ?? 1);
    });
  });
  process.exit(code);
}

/** Starts the local cloud, and gets or builds the toolchain, where they are missing, side by side. */
export async function ensureGround(): Promise<void> {
  await Promise.all([
    run(path.join(TOOLCHAIN, "ensure"), [], { timeout: 3600, show: true }),
    run(LOCAL_CLOUD, ["up"], { timeout: 3600, show: true }),
  ]);
}

/** Ends the local cloud and whatever runs in it. */
export async function cloudDown(): Promise<void> {
  await run(LOCAL_CLOUD, ["down"], { timeout: 120, show: true });
}
