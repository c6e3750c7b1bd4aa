/** How the backups of a stack without a keeper are: looked at from here. */
import type { WatchedStore } from "../../keeper/watch/bucket";
import { WatchedBucket } from "../../keeper/watch/bucket";
import { observe } from "../../keeper/watch/observe";
import type { KeeperSettings } from "../../keeper/settings";
import { judge } from "../../keeper/status/judge";
import type { Status } from "../../keeper/status/schema";
import { BOUNDS, watched } from "../../plan/keeper";
import { withS3 } from "../../s3/with-s3";
import type { Deployment } from "../deployment";
import { identityNames } from "../identity-names";

/** What a keeper would know of the stack; nothing is forgotten or read, so limits of that are 0. */
export function settingsOf({ bucket, clients, retentionOff }: Deployment): KeeperSettings {
  return {
    s3: { endpoint: bucket.endpoint, region: bucket.region, bucket: bucket.bucket },
    ...(retentionOff !== undefined && { retentionOff }),
    repositories: clients.flatMap(({ repositories, ...client }) =>
      repositories.map((repository) => watched(client, repository)),
    ),
    approval: { snapshots: 0, share: 0 },
    bounds: { ...BOUNDS, readBytes: 0 },
    noncurrentVersionDays: bucket.noncurrentVersionDays,
  };
}

/**
 * Lists the whole bucket and judges it. Nothing is put, so what only a keeper remembers is not known: how a repository
 * grew, and what the clients report.
 *
 * @param owner the owner's S3 ID, where the service reports it
 * @param now milliseconds since 1970
 */
export async function lookAt(
  store: WatchedStore,
  deployment: Deployment,
  owner: string | undefined,
  now: () => number = Date.now,
): Promise<Status> {
  const settings = settingsOf(deployment);
  const identities = owner === undefined ? {} : { owner };
  const observed = await observe(store, { settings, identities, now });
  return judge({ now: now(), by: "workstation", settings, watch: deployment.alarms, observed });
}

/** The same of the stack's bucket, with the owner's keys. */
export async function look(deployment: Deployment): Promise<Status> {
  const { bucket } = deployment;
  const { owner } = await identityNames(bucket);
  return await withS3(bucket, bucket.owner, (s3) => lookAt(new WatchedBucket(s3, bucket), deployment, owner));
}
