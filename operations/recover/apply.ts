/** Applies the plan of a recovery until nothing is left of it, then has restic check the repository. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { identityNames } from "../identity-names";
import { moment } from "../printable";
import { type Applied, applyActions, REMEDY, writeRecord } from "./actions";
import type { Action, Aim } from "./plan";
import { aimOf, currentPlan, nameOf, obstacle, type Recovery, warnings } from "./recovery";
import { describePlan, firstOf } from "./report";
import { namesDamage, restic } from "./restic";

/** Rounds of planning and applying after which another process must be writing to the repository. */
const ROUNDS = 3;

/** How much of the data restic check reads, chosen at random: all of a small repository. */
const CHECKED_DATA = "1G";
const CHECK_SECONDS = 12 * 3600;

/**
 * Applies the plan, and prints what was done.
 *
 * @returns the exit status
 * @throws Error that names the cause and the remedy
 */
export async function apply(recovery: Recovery): Promise<number> {
  const { deployment, request, print } = recovery;
  const stop = await obstacle(recovery);
  if (stop !== undefined) throw new Error(stop);
  const identities = await identityNames(deployment.bucket);
  const copies = new Set<string>();
  const aim = { ...aimOf(request, identities.owner), copies };
  for (const warning of warnings(recovery, Date.now())) print(`Warning: ${warning}.\n`);

  const record = recorder(recovery, aim);
  const total: Omit<Applied, "copies"> = { failures: [], hidden: [] };
  let plan = await currentPlan(recovery, aim);
  const changed = plan.actions.length > 0;
  for (let round = 1; plan.actions.length > 0 && total.failures.length === 0; round += 1) {
    if (round > ROUNDS) {
      throw new Error(
        `${aim.prefix} keeps changing: something writes to it. Freeze the client (npm run freeze), then repeat this`,
      );
    }
    print(`${describePlan(plan, aim.prefix, identities.nameOf)}\n`);
    let tenths = 0;
    const applied = await applyActions(recovery.s3, {
      address: deployment.bucket,
      actions: plan.actions,
      record,
      progress: (done, all) => {
        const reached = Math.floor((10 * done) / all);
        if (reached > tenths) print(`  ${done} of ${all}`);
        tenths = reached;
      },
    });
    total.failures = applied.failures;
    total.hidden.push(...applied.hidden);
    for (const id of applied.copies) copies.add(id);
    plan = await currentPlan(recovery, aim);
  }
  summarize(recovery, aim, total, changed);
  const code = await check(recovery, total.failures.length === 0);
  if (code !== 0) return code;
  // What was added during the check is in neither: a later snapshot may refer to a pack that was moved away.
  const { actions } = await currentPlan(recovery, aim);
  if (actions.length === 0) return 0;
  print(
    `\nBut ${actions.length} ${actions.length === 1 ? "file was" : "files were"} added, changed or hidden in ` +
      `${aim.prefix} meanwhile, so this is not its state at that time. Freeze the client, then repeat this.`,
  );
  return 1;
}

/** Records each part of a recovery before it is applied: in the bucket, or if that fails, on this machine. */
function recorder(
  { s3, deployment: { bucket }, print }: Recovery,
  { quarantine, prefix, at }: Aim,
): (part: readonly Action[]) => Promise<void> {
  let written = 0;
  let local = false;
  return async (part) => {
    written += 1;
    const key = `${quarantine}/${prefix}`.slice(0, -1) + `.${written}.json`;
    // Except for a version that is put back, the action names its cause itself.
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

/** Prints what was done and what was not. */
function summarize(
  { deployment: { bucket }, print }: Recovery,
  { at, quarantine }: Aim,
  { failures, hidden }: Omit<Applied, "copies">,
  changed: boolean,
): void {
  const days = bucket.noncurrentVersionDays;
  if (hidden.length > 0) {
    print(
      `\n${hidden.length} added files could not be copied to the quarantine; they are hidden by delete markers, and ` +
        `stay as old versions for ${days} days:\n${firstOf(hidden, "  ")}`,
    );
  }
  if (failures.length > 0) {
    print(
      `\n${failures.length} files could NOT be recovered; all others are:\n${firstOf(failures, "  ")}\n` +
        REMEDY,
    );
  } else if (changed) {
    print(`\nEvery file is as it was at ${moment(at)}.`);
  } else {
    print(`Every file is as it was at ${moment(at)} already: nothing was changed.`);
  }
  if (changed) {
    print(
      "Nothing was deleted: what was moved away, and the record of all changes that the bucket accepted, stays below " +
        `${bucket.bucket}/${quarantine}/ until the owner deletes it; its space is free ${days} days later.`,
    );
  }
}

/**
 * Has restic check the repository as it is now, and prints what to do next.
 *
 * @param whole whether every file is as it was; if not, damage may be of the recovery's own, and it is no success
 */
async function check({ deployment, request, password, print }: Recovery, whole: boolean): Promise<number> {
  print(`\nrestic check (all structures, and ${CHECKED_DATA} of the data):`);
  const name = nameOf(request);
  const { client, repository } = request;
  const damage: string[] = [];
  const code = await restic(
    { bucket: deployment.bucket, client, repository, password },
    ["check", `--read-data-subset=${CHECKED_DATA}`],
    {
      show: (line) => {
        if (namesDamage(line)) damage.push(line);
        print(line);
      },
      seconds: CHECK_SECONDS,
    },
  );
  if (code !== 0 && damage.length === 0) {
    print(
      `\nrestic check did not finish (exit status ${code}) and reports no damage, so it decides nothing about ` +
        `${name}. See its output, fix the cause, and repeat this: what is recovered stays as it is.`,
    );
    return 1;
  }
  if (code !== 0) {
    print(
      `\nThe repository ${name} is NOT clean: ` +
        (whole
          ? `it was damaged before ${moment(request.at)}, or in the middle of a change at that time. Repeat `
          : "it lacks what could not be recovered. Fix the cause of that, or repeat ") +
        "this with an earlier time: files that were moved away come back if they existed at that time.",
    );
    return 1;
  }
  print(
    `\nThe repository ${name} is clean${whole ? "" : ", but not as it was"}. Next:\n` +
      `  - once the machine is clean, admit it with new keys: npm run thaw -- --new-keys ${client}\n` +
      "  - back up, and compare the newest snapshots with what you know",
  );
  return whole ? 0 : 1;
}
