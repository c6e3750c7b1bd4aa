/**
 * Ring 2 at the S3 service: the bucket's settings, and what each identity can do, tried with small objects in the
 * canary's repository. Safe in production: no call weakens anything by its success. A setting is put only as it is in
 * force; where that is not possible, the policy is read instead.
 */
import { type Deployment } from "../../deployment";
import { connect } from "../../../s3/client";
import { openStackSession, type OpenStackSession } from "../openstack/session";
import type { Finding } from "../probe";
import { anonymous } from "./anonymous";
import type { BucketProbe } from "./target";
import { deletesMany, deletesVersion, destruction } from "./destruction";
import { folders, workOfTheKeeper } from "./folders";
import { history } from "./history";
import { identities, keystoneTokens } from "./identities";
import { readSettings } from "./in-force";
import { overwrites } from "./overwrites";
import { keeperRemoves, ownerReads, ownerRestores, tidied } from "./owner";
import { settingsAsTheyAre } from "./settings";
import { policyDenies, tampering } from "./tampering";
import { workOfTheWriter } from "./writer";

/**
 * Probes ring 2 at the S3 service, and reports what is open in ring 3.
 *
 * @param session to OpenStack. @default from the operator's environment
 */
export async function probeBucket(
  deployment: Deployment,
  session: Promise<OpenStackSession> = openStackSession(),
): Promise<Finding[]> {
  const { bucket, openRings } = deployment;
  session.catch(() => undefined);
  const address = { endpoint: bucket.endpoint, region: bucket.region, bucket: bucket.bucket };
  const clients = {
    owner: await connect(address, bucket.owner),
    writer: await connect(address, bucket.writer ?? bucket.owner),
    ...(bucket.keeper && { keeper: await connect(address, bucket.keeper) }),
  };
  const remedyOf = (missing: boolean): string | undefined =>
    missing
      ? openRings
          .filter(({ ring }) => ring === 2)
          .map(({ remedy }) => remedy)
          .join("; ")
      : undefined;
  const target: BucketProbe = {
    address,
    bucket,
    ...clients,
    open: { writer: remedyOf(bucket.writer === undefined), versioning: remedyOf(!bucket.versioning) },
  };
  try {
    const seen = readSettings(target.owner, address);
    // If they cannot be read, the probes of the settings report why.
    const inForce = await seen.catch(() => undefined);
    const findings = await Promise.all([
      ...settingsAsTheyAre(target, seen),
      identities(target),
      ...workOfTheWriter(target),
      ...destruction(target),
      ...overwrites(target),
      ...tampering(target, { role: "writer", s3: target.writer }, inForce),
      policyDenies(target, inForce),
      ...folders(target),
      ...(target.keeper === undefined
        ? []
        : [
            keeperRemoves(target, target.keeper),
            ...workOfTheKeeper(target, target.keeper),
            deletesVersion(target, { role: "keeper", s3: target.keeper }),
            deletesMany(target, { role: "keeper", s3: target.keeper }, "a canary's version"),
            ...tampering(target, { role: "keeper", s3: target.keeper }, inForce),
          ]),
      ownerReads(target),
      ownerRestores(target),
      ...history(target, deployment.clients),
      ...anonymous(target, inForce),
      ...keystoneTokens(target, session),
    ]);
    return [...findings, await tidied(target), ...retention(deployment), ...ring3(deployment)];
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
}

/** What keeps the stack from forgetting snapshots; the gate is given the same. */
function retention({ retentionOff }: Deployment): Finding[] {
  if (retentionOff === undefined) return [];
  const [why = "", remedy] = retentionOff.split("; ");
  return [
    {
      ring: 2,
      id: "s3.retention",
      tried: "verify reads the configuration",
      expected: "the keeper forgets snapshots, or the bucket only grows",
      happened: `retention is off: ${why}`,
      verdict: "open",
      remedy,
    },
  ];
}

/** What the configuration leaves open in ring 3; no probe can try it. */
function ring3({ openRings }: Deployment): Finding[] {
  return openRings
    .filter(({ ring }) => ring === 3)
    .map(({ why, remedy }, at) => ({
      ring: 3,
      id: at === 0 ? "s3.ring-3" : `s3.ring-3-${String(at + 1)}`,
      tried: "verify reads the configuration",
      expected: "backups survive the loss of the cloud account",
      happened: why,
      verdict: "open",
      remedy,
    }));
}
