import type { AlarmsConfig } from "../config";
import { Deployment, DEPLOYMENT_VERSION } from "./deployment";
import { Interrupted, run } from "./transport/run";

/** Seconds that Pulumi may take to read its state. */
const PULUMI_SECONDS = 120;

/** The output's name, and the one that it had in version 0.1.0. */
const OUTPUTS = ["deployment", "operations"] as const;

/**
 * What the operator's tools need to know of a deployed stack: its secret output `deployment`. Reads the outputs of
 * versions before as well, so that the tools of a new checkout work until its first update.
 *
 * @param stack name of the stack; default: the one that is selected
 * @throws Error without Pulumi, stack, passphrase or output; it says what to do. No message holds a secret.
 */
export async function readDeployment(stack?: string): Promise<Deployment> {
  const chosen = stack === undefined ? [] : ["--stack", stack];
  const result = await run(
    "pulumi",
    ["stack", "output", "--json", "--show-secrets", "--non-interactive", ...chosen],
    { timeout: PULUMI_SECONDS, accept: "any" },
  ).catch((error: unknown) => {
    if (error instanceof Interrupted) throw error;
    // Not passed on as a cause: what Pulumi printed before its time was up may hold the secrets.
    throw new Error(
      (error as NodeJS.ErrnoException).code === "ENOENT"
        ? "pulumi is not on PATH: install it from https://www.pulumi.com/docs/install/"
        : `pulumi did not read the stack's outputs within ${PULUMI_SECONDS} s: is its backend up?`,
    );
  });
  if (result.code !== 0) throw new Error(problem(result.stderr, stack));
  return deploymentIn(JSON.parse(result.stdout) as Record<string, unknown>, named(stack));
}

/**
 * The deployment among a stack's outputs, secrets in plain text.
 *
 * @param stack what a message calls the stack
 * @throws Error that says what to do, without such an output or with one of another version
 */
export function deploymentIn(outputs: Readonly<Record<string, unknown>>, stack: string): Deployment {
  const name = OUTPUTS.find((name) => outputs[name] !== undefined);
  if (name === undefined) throw new Error(`${stack} has no output "${OUTPUTS[0]}" yet: run pulumi up`);
  const deployment = outputs[name] as Partial<Deployment>;
  if (deployment.version === DEPLOYMENT_VERSION) return deployment as Deployment;
  const version = deployment.version as number | undefined;
  if (version === WITHOUT_ALARMS || version === WITHOUT_KEEPER || version === WITHOUT_SCHEDULES) {
    return completed(deployment as Deployment, version);
  }
  throw new Error(
    `the output "${name}" of ${stack} is not this version's: run pulumi up, or work in a checkout of the version that did it last`,
  );
}

/** The version of the description that knew no alarms. */
const WITHOUT_ALARMS = 5;

/** The version of the description that 0.2.0 left, which knew no keeper. */
const WITHOUT_KEEPER = 4;

/** The version of the description that 0.1.0 left, whose repositories had no schedule. */
const WITHOUT_SCHEDULES = 3;

/** What a configuration without `alarms` has. */
const NO_ALARMS: AlarmsConfig = { graceHours: 6, digestHour: 6, webhooks: [] };

function completed(before: Deployment, version: number): Deployment {
  const known: Deployment = { ...before, version: DEPLOYMENT_VERSION, alarms: NO_ALARMS };
  if (version !== WITHOUT_SCHEDULES) return known;
  const clients = before.clients.map((client) => ({
    ...client,
    repositories: client.repositories.map((repository) => ({
      ...repository,
      schedule: "none",
      window: 0,
    })),
  }));
  return { ...known, project: "0.1.0", clients };
}

function named(stack: string | undefined): string {
  return stack === undefined ? "the selected stack" : `the stack "${stack}"`;
}

function problem(stderr: string, stack: string | undefined): string {
  if (/no stack named/.test(stderr)) {
    return `there is no stack "${stack ?? ""}": see pulumi stack ls, or log in to the backend that holds it`;
  }
  if (/no stack selected/.test(stderr)) {
    return "no stack is selected: name one with --stack, or run pulumi stack select";
  }
  const words = stderr.replace(/\s+/g, " ").trim().slice(0, 300);
  return `pulumi cannot read the outputs of ${named(stack)}: ${words}`;
}
