/** Access to the cloud through the provider that the operator has configured for the stack anyway. */
import * as openstack from "@pulumi/openstack";
import * as automation from "@pulumi/pulumi/automation";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT, run } from "../../transport/run";
import { withTemporaryFolder } from "../../transport/temporary-folder";
import { ask } from "../http";

/** A session with the cloud. */
export interface OpenStackSession {
  /** The URL of a service by its type in the catalog, such as `network`. @throws Error for an unknown type */
  endpoint: (type: string) => string;
  /**
   * Asks a service; `path` begins with a slash.
   * @throws Error where the answer is not 200; its message holds no token
   */
  get: (type: string, path: string, headers?: Record<string, string>) => Promise<unknown>;
}

/** Seconds to get a token: Pulumi starts, and the provider logs in. */
const LOGIN_SECONDS = 140;

const REMEDY =
  "set OS_* or clouds.yaml as for pulumi up, and NODE_EXTRA_CA_CERTS too where the cloud's certificates are of its " +
  "own CA";

/** The stack's own settings of the provider, `openstack:*`, which take precedence over the environment. */
export async function openStackSettings(stack?: string): Promise<Record<string, string>> {
  const chosen = stack === undefined ? [] : ["--stack", stack];
  const name = (await run("pulumi", ["stack", "--show-name", "--non-interactive", ...chosen])).stdout.trim();
  const file = path.join(ROOT, `Pulumi.${name}.yaml`);
  if (!fs.existsSync(file) || !/^\s*["']?openstack:/m.test(fs.readFileSync(file, "utf8"))) return {};
  const { stdout } = await run("pulumi", ["config", "--json", "--show-secrets", ...chosen]).catch(() => {
    // Not passed on: what Pulumi printed may contain the secrets.
    throw new Error(`pulumi config cannot read ${file}: is the passphrase set?`);
  });
  const config = JSON.parse(stdout) as Record<string, { value?: string }>;
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, { value }]) =>
      key.startsWith("openstack:") && value !== undefined ? [[key, value]] : [],
    ),
  );
}

/**
 * Logs in as `pulumi up` does: a program of one line asks the provider for a token and the catalog, in a preview
 * with a temporary state. The token stays in this process's memory.
 *
 * @param settings what the stack's configuration sets under `openstack:`
 * @throws Error with the remedy
 */
export async function openStackSession(settings: Record<string, string> = {}): Promise<OpenStackSession> {
  const scope = await authScope(settings).catch((error: unknown) => {
    const { message } = error as Error;
    // Pulumi and the provider print many lines, of which one names the cause.
    const why = /ENOENT/.test(message)
      ? "pulumi is not on PATH"
      : (/^\s*(?:\* |error: )(.+)$/m.exec(message)?.[1] ?? message.split("\n", 1)[0] ?? "");
    throw new Error(`cannot log in to OpenStack: ${why}; ${REMEDY}`);
  });
  const endpoint = (type: string): string => {
    const all = scope.serviceCatalogs
      .filter((service) => service.type === type)
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ interface: kind }) => kind === "public");
    const chosen = all.find(({ region }) => scope.region === "" || region === scope.region) ?? all[0];
    if (chosen === undefined) throw new Error(`OpenStack's catalog has no service "${type}"`);
    return chosen.url.replace(/\/$/, "");
  };
  return {
    endpoint,
    get: async (type, path, headers = {}) => {
      const url = `${endpoint(type)}${path}`;
      const answer = await ask(url, { headers: { ...headers, "x-auth-token": scope.tokenId } });
      if (answer.status !== 200) throw new Error(`${url}: HTTP ${String(answer.status)}`);
      return await answer.json();
    },
  };
}

async function authScope(settings: Record<string, string>): Promise<openstack.identity.GetAuthScopeResult> {
  const options = Object.keys(process.env).filter((name) => name.startsWith("PULUMI_OPTION_"));
  return withTemporaryFolder(async (folder) => {
    const url = `file://${folder}`;
    let scope: openstack.identity.GetAuthScopeResult | undefined;
    let failure: Error | undefined;
    const stack = await automation.LocalWorkspace.createStack(
      {
        stackName: "verify",
        projectName: "verify",
        program: async () => {
          try {
            scope = await openstack.identity.getAuthScope({ name: "verify", setTokenId: true });
          } catch (error) {
            failure = error as Error;
          }
        },
      },
      {
        workDir: folder,
        projectSettings: { name: "verify", runtime: "nodejs", backend: { url } },
        // In a file of this folder: pulumi config set would show passwords in the process list.
        stackSettings: { verify: { config: settings } },
        envVars: {
          // What the operator has set for all commands is meant for their own stack.
          ...Object.fromEntries(options.map((name) => [name, ""])),
          PULUMI_BACKEND_URL: url,
          PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex"),
          PULUMI_CONFIG_PASSPHRASE_FILE: "",
        },
      },
    );
    await stack.preview({ signal: AbortSignal.timeout(LOGIN_SECONDS * 1000) });
    if (scope === undefined) throw failure ?? new Error("the provider did not answer");
    return scope;
  });
}
