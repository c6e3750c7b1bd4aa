/** Brings a repository back to what it was; shows it as it was. */
import type { S3 } from "@aws-sdk/client-s3";
import { Operations } from "../../plan";
import { repositoryPassword } from "../../plan/keys";
import { connect, explained } from "../../providers/s3-client";
import { applyActions, writeRecord } from "./apply";
import { RecoverRequest } from "./arguments";
import { Entry, Plan, planRecovery } from "./plan";
import { describePlan, moment, printable } from "./report";
import { requirePrograms, restic, ResticTarget } from "./restic";
import { listVersions } from "./versions";

/** Rounds of listing and mending before somebody else must be at work in the repository. */
const ROUNDS = 3;

/** How much restic check reads of the data, chosen at random: all of a small repository. */
const CHECKED_DATA = "1G";

/** Seconds for restic to list the snapshots, and to check the repository. */
const SNAPSHOTS_SECONDS = 600;
const CHECK_SECONDS = 12 * 3600;

const DAY_MS = 24 * 3600_000;

/** Quotes an argument for the shell where that is needed, to print a command. */
const word = (text: string): string =>
  /^[\w./:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

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
function knownPassword(operations: Operations, { client, repository }: RecoverRequest): string | undefined {
  return operations.clients
    .find(({ name }) => name === client)
    ?.repositories.find(({ name }) => name === repository)?.password;
}

/** The password of a repository that the stack has, or once had. */
async function passwordOf(s3: S3, operations: Operations, request: RecoverRequest): Promise<string> {
  const known = knownPassword(operations, request);
  if (known !== undefined) return known;
  const { client, repository } = request;
  if ((await listVersions(s3, operations.bucket, `${client}/${repository}/`, 1)).length === 0) {
    const all = operations.clients.flatMap(({ name, repositories }) =>
      repositories.map((each) => `${name}/${each.name}`),
    );
    const unknown = operations.clients.some(({ name }) => name === client) ? "--repository" : "--client";
    throw new Error(
      `${unknown}: the stack has no repository ${client}/${repository}, and the bucket nothing of a removed one; ` +
        `there are ${all.join(", ")}`,
    );
  }
  return repositoryPassword(operations.repositoryRootKey, client, repository);
}

/** What keeps a plan from being carried out; `undefined` when nothing does. */
async function obstacle(
  s3: S3,
  { bucket }: Operations,
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
function warnings(operations: Operations, request: RecoverRequest, now: number): string[] {
  const { client, at } = request;
  const found: string[] = [];
  if (operations.clients.some(({ name, frozen }) => name === client && !frozen)) {
    found.push(
      `the client ${client} is not frozen: its keys can add to the repository while it is recovered. ` +
        `Set "frozen: true" for it and run pulumi up first`,
    );
  }
  const days = operations.bucket.noncurrentVersionDays;
  if (now - at > days * DAY_MS) {
    found.push(
      `the bucket keeps old versions for ${days} days: of what was deleted or overwritten before ` +
        `${moment(now - days * DAY_MS)}, the versions of then may have expired`,
    );
  }
  return found;
}

/** The stack's identities by what S3 calls them. One that does not answer is shown by its ID. */
async function identityNames({ bucket }: Operations): Promise<(id: string) => string> {
  const names = new Map<string, string>();
  for (const identity of ["keeper", "writer", "owner"] as const) {
    const keys = bucket[identity];
    if (keys === undefined) continue;
    const s3 = await connect(bucket, keys);
    try {
      const { Owner } = await s3.listBuckets({});
      if (Owner?.ID !== undefined) names.set(Owner.ID, `the ${identity}`);
    } catch {
      // Its keys may have been revoked after the break-in.
    } finally {
      s3.destroy();
    }
  }
  return (id) => names.get(id) ?? id;
}

/**
 * Does what is asked for, and gives the exit status.
 *
 * @param operations of the deployed stack
 * @param print takes what is said to the operator, a line or more at a time
 * @throws Error that names the cause and the remedy
 */
export async function recover(
  operations: Operations,
  request: RecoverRequest,
  print: (text: string) => void,
): Promise<number> {
  await requirePrograms();
  const { bucket } = operations;
  const s3 = await connect(bucket, bucket.owner);
  try {
    const { client, repository, at } = request;
    const password = await passwordOf(s3, operations, request);
    const target: ResticTarget = { bucket, client, repository, password };
    if (request.restic !== undefined) return await restic({ ...target, at }, request.restic);
    return await (request.apply ? apply : show)(s3, operations, request, target, print);
  } finally {
    s3.destroy();
  }
}

/** Prints what would be done. */
async function show(
  s3: S3,
  operations: Operations,
  request: RecoverRequest,
  target: ResticTarget,
  print: (text: string) => void,
): Promise<number> {
  const prefix = `${request.client}/${request.repository}/`;
  const plan = await planned(s3, operations, request);
  print(`${prefix.slice(0, -1)} as it was at ${moment(request.at)}\n`);
  print(describePlan(plan, prefix, await identityNames(operations)));
  print(`\nThe snapshots at ${moment(request.at)}:`);
  const code = await restic({ ...target, at: request.at }, ["snapshots"], {
    show: (line) => {
      print(printable(line));
    },
    seconds: SNAPSHOTS_SECONDS,
  });
  if (code !== 0) print("restic cannot read the repository of then: try an earlier time.");
  for (const warning of warnings(operations, request, Date.now())) print(`\nWarning: ${warning}.`);

  const stop = await obstacle(s3, operations, request);
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

/** The plan, from what the bucket holds now. */
async function planned(s3: S3, { bucket }: Operations, request: RecoverRequest): Promise<Plan> {
  const prefix = `${request.client}/${request.repository}/`;
  const entries = await listVersions(s3, bucket, prefix);
  const plan = planRecovery(entries, prefix, request.at);
  if (!plan.existed) {
    const first = firstConfig(entries, prefix);
    throw new Error(
      `--at ${moment(request.at)}: there was no repository ${prefix.slice(0, -1)} then, or its versions of then have expired; ` +
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

/** Carries the plan out, until there is nothing left of it. */
async function apply(
  s3: S3,
  operations: Operations,
  request: RecoverRequest,
  target: ResticTarget,
  print: (text: string) => void,
): Promise<number> {
  const stop = await obstacle(s3, operations, request);
  if (stop !== undefined) throw new Error(stop);
  const { bucket } = operations;
  const prefix = `${request.client}/${request.repository}/`;
  const started = new Date();
  const quarantine = `.quarantine/${started.toISOString().replace(/[-:]|\.\d+/g, "")}`;
  const nameOf = await identityNames(operations);
  for (const warning of warnings(operations, request, started.getTime())) print(`Warning: ${warning}.\n`);

  let plan = await planned(s3, operations, request);
  if (plan.tooLarge.length > 0) {
    throw new Error(
      `${plan.tooLarge.map(printable).join(", ")}: too large to be put back; restic makes no such files. Give a time before it was put`,
    );
  }
  const changed = plan.actions.length > 0;
  for (let round = 1; plan.actions.length > 0; round += 1) {
    if (round > ROUNDS) {
      throw new Error(
        `${prefix} keeps changing: somebody writes to it. Freeze the client ("frozen: true" and pulumi up), then repeat this`,
      );
    }
    print(`${describePlan(plan, prefix, nameOf)}\n`);
    await writeRecord(s3, bucket, `${quarantine}/${prefix.slice(0, -1)}.${round}.json`, {
      at: moment(request.at),
      ...plan,
    });
    let shown = 0;
    await applyActions(s3, {
      address: bucket,
      actions: plan.actions,
      quarantine,
      progress: (done, all) => {
        const tenth = Math.floor((10 * done) / all);
        if (tenth > shown) print(`  ${done} of ${all}`);
        shown = tenth;
      },
    });
    plan = await planned(s3, operations, request);
  }
  print(
    changed
      ? `\nEvery file is what it was at ${moment(request.at)}. Nothing was deleted: what was moved away, and a record ` +
          `of all changes, is below ${bucket.bucket}/${quarantine}/`
      : `Every file is what it was at ${moment(request.at)} already: nothing was changed.`,
  );
  return await verdict(request, target, print);
}

/** Lets restic check the repository as it is now, and says what to do next. */
async function verdict(
  request: RecoverRequest,
  target: ResticTarget,
  print: (text: string) => void,
): Promise<number> {
  print(`\nrestic check (all structures, and ${CHECKED_DATA} of the data):`);
  const code = await restic(target, ["check", `--read-data-subset=${CHECKED_DATA}`], {
    show: (line) => {
      print(printable(line));
    },
    seconds: CHECK_SECONDS,
  });
  const { client, repository } = request;
  if (code !== 0) {
    print(
      `\nThe repository ${client}/${repository} is NOT clean: it was damaged before ${moment(request.at)}, or in the ` +
        "middle of a change then. Repeat this with an earlier time: what has been moved away comes back where it was there.",
    );
    return 1;
  }
  print(
    `\nThe repository ${client}/${repository} is clean. Next:\n` +
      `  - replace the client's keys: pulumi up --replace URN, with the URN of the key ${client}-${repository} from pulumi stack --show-urns\n` +
      `  - set "frozen: false" once the machine is clean, and run pulumi up\n` +
      "  - back up, and compare the newest snapshots with what you know",
  );
  return 0;
}
