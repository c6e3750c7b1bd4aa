/** Brings a repository back to what it was; shows it as it was. */
import { Deployment } from "../deployment";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { S3 } from "@aws-sdk/client-s3";
import { shellQuote } from "../../hosts";
import { repositoryPassword } from "../../plan/keys";
import { explained } from "../../s3/client";
import { applyActions, REMEDY, writeRecord } from "./apply";
import { RecoverRequest } from "./arguments";
import { Action, Aim, Plan, planRecovery } from "./plan";
import { type Entry, QUARANTINE } from "../../s3/history";
import { identityNames } from "../identity-names";
import { moment, printableLines } from "../printable";
import { withS3 } from "../../s3/with-s3";
import { describePlan, firstOf } from "./report";
import { endsSnapshots, namesDamage, requirePrograms, restic, ResticTarget } from "./restic";
import { listVersions, plannableVersions } from "../../s3/versions";

/** Rounds of listing and mending before somebody else must be at work in the repository. */
const ROUNDS = 3;

/** How much restic check reads of the data, chosen at random: all of a small repository. */
const CHECKED_DATA = "1G";

/** Seconds for restic to list the snapshots, and to check the repository. */
const SNAPSHOTS_SECONDS = 600;
const CHECK_SECONDS = 12 * 3600;

const DAY_MS = 24 * 3600_000;

/** Quotes an argument for the shell where that is needed, to print a command. */
const word = (text: string): string => (/^[\w./:+-]+$/.test(text) ? text : shellQuote(text));

/** The command line that asks for this, with other words at its end. */
function command(request: RecoverRequest, end: string): string {
  const { client, repository, at, stack } = request;
  const options = [
    ...["--client", client, "--repository", repository, "--at", moment(at)],
    ...(stack === undefined ? [] : ["--stack", stack]),
  ];
  return `npm run recover -- ${options.map(word).join(" ")}${end}`;
}

/** The password of the repository; a removed one's is derived. `undefined` for one that the stack does not know. */
function knownPassword(deployment: Deployment, { client, repository }: RecoverRequest): string | undefined {
  return deployment.clients
    .find(({ name }) => name === client)
    ?.repositories.find(({ name }) => name === repository)?.password;
}

/** The password of a repository that the stack has, or once had. */
async function passwordOf(s3: S3, deployment: Deployment, request: RecoverRequest): Promise<string> {
  const known = knownPassword(deployment, request);
  if (known !== undefined) return known;
  const { client, repository } = request;
  if ((await listVersions(s3, deployment.bucket, `${client}/${repository}/`, 1)).length === 0) {
    const all = deployment.clients.flatMap(({ name, repositories }) =>
      repositories.map((each) => `${name}/${each.name}`),
    );
    const unknown = deployment.clients.some(({ name }) => name === client) ? "--repository" : "--client";
    throw new Error(
      `${unknown}: the stack has no repository ${client}/${repository}, and the bucket nothing of a removed one; ` +
        `there are ${all.join(", ")}`,
    );
  }
  return repositoryPassword(deployment.repositoryRootKey, client, repository);
}

/** What keeps a plan from being carried out; `undefined` when nothing does. */
async function obstacle(
  s3: S3,
  { bucket }: Deployment,
  request: RecoverRequest,
): Promise<string | undefined> {
  if (bucket.writer === undefined) {
    return (
      "the stack has one S3 identity, so the policy that lets nobody delete binds the bucket's owner too. " +
      "Give s3.identities.writer a project of its own, run pulumi up, and repeat this; or restore to this machine:\n" +
      `  ${command(request, " -- restore ID --target DIRECTORY")}`
    );
  }
  const { Status } = await explained(bucket, "read the versioning of the bucket", () =>
    s3.getBucketVersioning({ Bucket: bucket.bucket }),
  );
  return Status === "Enabled"
    ? undefined
    : "the bucket keeps no versions now, so a change could destroy what it replaces. Set s3.versioning to true, " +
        "run pulumi up --refresh, and repeat this";
}

/** What the operator should know before he trusts the plan. */
function warnings(deployment: Deployment, request: RecoverRequest, now: number): string[] {
  const { client, repository, at } = request;
  const found: string[] = [];
  if (knownPassword(deployment, request) === undefined) {
    found.push(
      `${client}/${repository} is of no client of the stack, so its password is taken to be the derived one. If it had ` +
        `one of its own, put the client back with it into the configuration, with "frozen: true", and run pulumi up first`,
    );
  }
  if (deployment.clients.some(({ name, frozen }) => name === client && !frozen)) {
    found.push(
      `the client ${client} is not frozen: its keys can add to the repository while it is recovered. ` +
        `run npm run freeze -- ${client} first`,
    );
  }
  const days = deployment.bucket.noncurrentVersionDays;
  if (now - at > days * DAY_MS) {
    found.push(
      `the bucket keeps old versions for ${days} days: of what was deleted or overwritten before ` +
        `${moment(now - days * DAY_MS)}, the versions of then may have expired`,
    );
  }
  return found;
}

/**
 * Does what is asked for, and gives the exit status.
 *
 * @param deployment of the deployed stack
 * @param print takes what is said to the operator, a line or more at a time
 * @throws Error that names the cause and the remedy
 */
export async function recover(
  deployment: Deployment,
  request: RecoverRequest,
  print: (text: string) => void,
): Promise<number> {
  await requirePrograms();
  const { bucket } = deployment;
  const say = (text: string) => {
    print(printableLines(text));
  };
  return withS3(bucket, bucket.owner, async (s3) => {
    const { client, repository, at } = request;
    const password = await passwordOf(s3, deployment, request);
    const target: ResticTarget = { bucket, client, repository, password };
    if (request.restic !== undefined) return await restic({ ...target, at }, request.restic);
    return await (request.apply ? apply : show)(s3, deployment, request, target, say);
  });
}

/** Prints what would be done. */
async function show(
  s3: S3,
  deployment: Deployment,
  request: RecoverRequest,
  target: ResticTarget,
  print: (text: string) => void,
): Promise<number> {
  const prefix = `${request.client}/${request.repository}/`;
  const { nameOf, owner } = await identityNames(deployment.bucket);
  const plan = await planned(s3, deployment, aimOf(request, owner));
  print(`${prefix.slice(0, -1)} as it was at ${moment(request.at)}\n`);
  print(describePlan(plan, prefix, nameOf));
  print(`\nThe snapshots at ${moment(request.at)}:`);
  const listed: string[] = [];
  const code = await restic({ ...target, at: request.at }, ["snapshots"], {
    show: (text) => {
      listed.push(text);
      print(text);
    },
    seconds: SNAPSHOTS_SECONDS,
  });
  if (code === 0 && !listed.some(endsSnapshots))
    print("none: the repository had been made, and nothing was backed up to it yet");
  if (code !== 0)
    print("restic cannot read the repository of then. If what it says is damage, try an earlier time.");
  for (const warning of warnings(deployment, request, Date.now())) print(`\nWarning: ${warning}.`);

  const stop = await obstacle(s3, deployment, request);
  if (plan.actions.length === 0) {
    print("\nNothing to do: the repository is what it was then.");
  } else if (stop === undefined) {
    print(
      `\nNothing was changed. To bring the repository back:\n  ${command(request, " --apply")}\n` +
        `To restore from the repository of then, to this machine:\n  ${command(request, " -- restore ID --target DIRECTORY")}`,
    );
  } else {
    print(`\nThis cannot be applied: ${stop}.`);
  }
  return code === 0 ? 0 : 1;
}

/** What a plan is made for that starts now. */
function aimOf({ client, repository, at }: RecoverRequest, owner: string | undefined): Aim {
  const run = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const own = owner === undefined ? {} : { owner };
  return { prefix: `${client}/${repository}/`, at, quarantine: `${QUARANTINE}/${run}`, ...own };
}

/** The plan, from what the bucket holds now. */
async function planned(s3: S3, { bucket }: Deployment, aim: Aim): Promise<Plan> {
  const { prefix, at } = aim;
  const entries = await plannableVersions(s3, bucket, prefix);
  const plan = planRecovery(entries, aim);
  if (!plan.existed) {
    const first = firstConfig(entries, prefix);
    throw new Error(
      `--at ${moment(at)}: there was no repository ${prefix.slice(0, -1)} then, or its versions of then have expired; ` +
        (first === undefined
          ? "no time will do: the bucket has no version of its file config"
          : `give a time from ${moment(first)} on`),
    );
  }
  return plan;
}

function firstConfig(entries: Entry[], prefix: string): number | undefined {
  return entries.findLast(({ key, marker }) => key === `${prefix}config` && !marker)?.modified;
}

/** Writes the record of a recovery, a part before it is carried out: to the bucket, or else to this machine. */
function recorder(
  s3: S3,
  { bucket }: Deployment,
  { quarantine, prefix, at }: Aim,
  print: (text: string) => void,
): (part: readonly Action[]) => Promise<void> {
  let written = 0;
  let local = false;
  return async (part) => {
    const name = `${quarantine}/${prefix}`.slice(0, -1);
    written += 1;
    const key = `${name}.${written}.json`;
    // Only where a version was put back it is not the change itself.
    const actions = part.map(({ cause, ...action }) =>
      action.does === "put-back" ? { ...action, cause } : action,
    );
    const body = JSON.stringify({ at: moment(at), actions });
    try {
      await writeRecord(s3, bucket, key, body);
    } catch (error) {
      const state = process.env.XDG_STATE_HOME ?? path.join(os.homedir(), ".local/state");
      const file = path.join(state, "secure-backups", key.replace(/^\./, ""));
      fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      fs.writeFileSync(file, body, { mode: 0o600 });
      if (!local)
        print(`${(error as Error).message}\nThe record is on this machine, in ${file} and beside it.`);
      local = true;
    }
  };
}

/** Carries the plan out, until there is nothing left of it. */
async function apply(
  s3: S3,
  deployment: Deployment,
  request: RecoverRequest,
  target: ResticTarget,
  print: (text: string) => void,
): Promise<number> {
  const stop = await obstacle(s3, deployment, request);
  if (stop !== undefined) throw new Error(stop);
  const { bucket } = deployment;
  const { nameOf, owner } = await identityNames(deployment.bucket);
  const copies = new Set<string>();
  const aim = { ...aimOf(request, owner), copies };
  const { prefix, quarantine } = aim;
  for (const warning of warnings(deployment, request, Date.now())) print(`Warning: ${warning}.\n`);

  const record = recorder(s3, deployment, aim, print);
  let hidden: string[] = [];
  let failures: string[] = [];
  let plan = await planned(s3, deployment, aim);
  const changed = plan.actions.length > 0;
  for (let round = 1; plan.actions.length > 0 && failures.length === 0; round += 1) {
    if (round > ROUNDS) {
      throw new Error(
        `${prefix} keeps changing: somebody writes to it. Freeze the client (npm run freeze), then repeat this`,
      );
    }
    print(`${describePlan(plan, prefix, nameOf)}\n`);
    let shown = 0;
    const applied = await applyActions(s3, {
      address: bucket,
      actions: plan.actions,
      record,
      progress: (done, all) => {
        const tenth = Math.floor((10 * done) / all);
        if (tenth > shown) print(`  ${done} of ${all}`);
        shown = tenth;
      },
    });
    failures = applied.failures;
    hidden = hidden.concat(applied.hidden);
    for (const id of applied.copies) copies.add(id);
    plan = await planned(s3, deployment, aim);
  }
  const days = bucket.noncurrentVersionDays;
  if (hidden.length > 0) {
    print(
      `\n${hidden.length} added files could not be copied to the quarantine; they are hidden by delete markers, and ` +
        `stay as old versions for ${days} days:\n${firstOf(hidden, "  ")}`,
    );
  }
  if (failures.length > 0) {
    print(
      `\n${failures.length} files could NOT be brought to what they were; all others are:\n${firstOf(failures, "  ")}\n` +
        REMEDY,
    );
  } else if (!changed) {
    print(`Every file is what it was at ${moment(request.at)} already: nothing was changed.`);
  } else {
    print(`\nEvery file is what it was at ${moment(request.at)}.`);
  }
  if (changed) {
    print(
      "Nothing was deleted: what was moved away, and the record of all changes that the bucket took, is below " +
        `${bucket.bucket}/${quarantine}/ until somebody deletes it with the owner's keys; its room is free ${days} days later.`,
    );
  }
  const code = await verdict(request, target, failures.length === 0, print);
  if (code !== 0) return code;
  // What came while restic looked was seen by neither: a pack is moved away of which a snapshot comes to speak after.
  const { actions } = await planned(s3, deployment, aim);
  if (actions.length === 0) return 0;
  print(
    `\nBut ${actions.length} ${actions.length === 1 ? "file was" : "files were"} written to or hidden in ${prefix} ` +
      "meanwhile, so this is not what it was. Freeze the client, then repeat this.",
  );
  return 1;
}

/**
 * Lets restic check the repository as it is now, and says what to do next.
 *
 * @param whole whether every file is what it was; only then damage is of before, and success is one
 */
async function verdict(
  request: RecoverRequest,
  target: ResticTarget,
  whole: boolean,
  print: (text: string) => void,
): Promise<number> {
  print(`\nrestic check (all structures, and ${CHECKED_DATA} of the data):`);
  const damage: string[] = [];
  const code = await restic(target, ["check", `--read-data-subset=${CHECKED_DATA}`], {
    show: (line) => {
      if (namesDamage(line)) damage.push(line);
      print(line);
    },
    seconds: CHECK_SECONDS,
  });
  const { client, repository } = request;
  if (code !== 0 && damage.length === 0) {
    print(
      `\nrestic check did not come to its end (exit status ${code}) and names no damage: that is no verdict on ` +
        `${client}/${repository}. See what it printed, mend the cause, and repeat this: it changes nothing that is right.`,
    );
    return 1;
  }
  if (code !== 0) {
    print(
      `\nThe repository ${client}/${repository} is NOT clean: ` +
        (whole
          ? `it was damaged before ${moment(request.at)}, or in the middle of a change then. Repeat `
          : "it lacks what could not be brought back. Mend the cause of that, or repeat ") +
        "this with an earlier time: what has been moved away comes back where it was there.",
    );
    return 1;
  }
  print(
    `\nThe repository ${client}/${repository} is clean${whole ? "" : ", but not what it was"}. Next:\n` +
      `  - once the machine is clean, let it in with new keys: npm run thaw -- --new-keys ${client}\n` +
      "  - back up, and compare the newest snapshots with what you know",
  );
  return whole ? 0 : 1;
}
