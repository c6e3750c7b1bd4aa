/** Restores a repository to an earlier state, or shows it. */
import type { Deployment } from "../deployment";
import { withHold } from "../hold";
import { identityNames } from "../identity-names";
import { moment, printableLines } from "../printable";
import { S3Store } from "../../keeper/gate/store";
import { REPORT_TAG } from "../../keeper/reported";
import { withS3 } from "../../s3/with-s3";
import { apply } from "./apply";
import type { RecoverRequest } from "./arguments";
import {
  aimOf,
  commandLine,
  currentPlan,
  nameOf,
  obstacle,
  passwordOf,
  type Recovery,
  warnings,
} from "./recovery";
import { describePlan, describeSnapshots } from "./report";
import { latestBackup, readSnapshots, requirePrograms, restic, Snapshot } from "./restic";

/** Seconds for restic to list the snapshots. */
const SNAPSHOTS_SECONDS = 600;

/**
 * Carries a request out.
 *
 * @param print prints one or more lines for the operator
 * @returns the exit status
 * @throws Error that names the cause and the remedy
 */
export async function recover(
  deployment: Deployment,
  request: RecoverRequest,
  print: (text: string) => void,
): Promise<number> {
  await requirePrograms();
  return withS3(deployment.bucket, deployment.bucket.owner, async (s3) => {
    const password = await passwordOf(s3, deployment, request);
    const recovery: Recovery = {
      ...{ s3, deployment, request, password },
      print: (text) => {
        print(printableLines(text));
      },
    };
    if (request.restic !== undefined) {
      const args = latestBackup(request.restic);
      return await restic({ bucket: deployment.bucket, ...request, password }, args);
    }
    if (!request.apply) return await show(recovery);
    if (deployment.keeper === undefined) return await apply(recovery);
    const store = new S3Store(s3, deployment.bucket);
    const options = { print: recovery.print };
    return await withHold(store, request, "npm run recover", options, () => apply(recovery));
  });
}

/** Prints what would be done, and the snapshots at that time. */
async function show(recovery: Recovery): Promise<number> {
  const { deployment, request, password, print } = recovery;
  const { bucket } = deployment;
  const identities = await identityNames(bucket);
  const aim = aimOf(request, identities.owner);
  const plan = await currentPlan(recovery, aim);
  const time = moment(request.at);
  print(`${nameOf(request)} as it was at ${time}\n`);
  print(describePlan(plan, aim.prefix, identities.nameOf));
  print(`\nThe snapshots at ${time}:`);
  const snapshots: Snapshot[] = [];
  const code = await restic({ bucket, ...request, password }, ["snapshots", "--json"], {
    show: (line) => {
      const read = readSnapshots(line);
      if (typeof read === "string") print(read);
      else snapshots.push(...read);
    },
    seconds: SNAPSHOTS_SECONDS,
  });
  if (code !== 0) {
    print("restic cannot read the repository at that time. If it reports damage, try an earlier time.");
  } else {
    print(describeSnapshots(snapshots, commandLine(request, `-- snapshots --tag ${REPORT_TAG}`)));
  }
  for (const warning of warnings(recovery, Date.now())) print(`\nWarning: ${warning}.`);

  const stop = await obstacle(recovery);
  if (plan.actions.length === 0) {
    print("\nNothing to do: the repository is as it was at that time.");
  } else if (stop === undefined) {
    print(
      `\nNothing was changed. To recover the repository:\n  ${commandLine(request, "--apply")}\n` +
        `To restore from the repository at that time, to this machine:\n  ${commandLine(request, "-- restore ID --target DIRECTORY")}`,
    );
  } else {
    print(`\nThis cannot be applied: ${stop}.`);
  }
  return code === 0 ? 0 : 1;
}
