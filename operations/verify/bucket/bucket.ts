/**
 * Ring 2 as the S3 service has it: the bucket's settings, and what each identity can do, tried with small objects
 * in the canary's repository. Safe in production: no call here would weaken anything by its success. A setting
 * is put only as it is already in force; what cannot be tried like that is judged by the policy's text.
 */
import { type Deployment } from "../../deployment";
import { connect } from "../../../s3/client";
import { openStackSession, type OpenStackSession } from "../openstack/session";
import type { Finding } from "../probe";
import { anonymous } from "./anonymous";
import type { Bench } from "./bench";
import { deletesMany, deletesVersion, destruction } from "./destruction";
import { history } from "./history";
import { identities, keystoneTokens } from "./identities";
import { readSettings } from "./in-force";
import { overwrites } from "./overwrites";
import { keeperRemoves, ownerReads, ownerRestores, tidied } from "./owner";
import { settingsAsTheyAre } from "./settings";
import { policyText, tampering } from "./tampering";
import { workOfTheWriter } from "./writer";

/**
 * Probes ring 2 at the S3 service, and states what is open in ring 3.
 *
 * @param session how OpenStack is asked; default: as the operator's environment says
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
  const bench: Bench = {
    address,
    bucket,
    ...clients,
    open: { writer: remedyOf(bucket.writer === undefined), versioning: remedyOf(!bucket.versioning) },
  };
  try {
    const seen = readSettings(bench.owner, address);
    // Where it cannot be read, the probes of the settings say why.
    const inForce = await seen.catch(() => undefined);
    const findings = await Promise.all([
      ...settingsAsTheyAre(bench, seen),
      identities(bench),
      ...workOfTheWriter(bench),
      ...destruction(bench),
      ...overwrites(bench),
      ...tampering(bench, { role: "writer", s3: bench.writer }, inForce),
      policyText(bench, inForce),
      ...(bench.keeper === undefined
        ? []
        : [
            keeperRemoves(bench, bench.keeper),
            deletesVersion(bench, { role: "keeper", s3: bench.keeper }),
            deletesMany(bench, { role: "keeper", s3: bench.keeper }, "a canary's version"),
            ...tampering(bench, { role: "keeper", s3: bench.keeper }, inForce),
          ]),
      ownerReads(bench),
      ownerRestores(bench),
      ...history(bench, deployment.clients),
      ...anonymous(bench, inForce),
      ...keystoneTokens(bench, session),
    ]);
    return [...findings, await tidied(bench), ...ring3(deployment)];
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
}

/** What the configuration leaves open in ring 3, which no probe can try. */
function ring3({ openRings }: Deployment): Finding[] {
  return openRings
    .filter(({ ring }) => ring === 3)
    .map(({ why, remedy }, at) => ({
      ring: 3,
      id: at === 0 ? "s3.ring-3" : `s3.ring-3-${String(at + 1)}`,
      tried: "the configuration is looked at",
      expected: "the loss of the cloud account is survived",
      happened: why,
      verdict: "open",
      remedy,
    }));
}
