/** What retention is on this stack, and what the keeper's program has to know of it. */
import type { ClientConfig, RepositoryConfig, StackConfig } from "../config";
import type { KeeperSettings, KeptRepository } from "../keeper/settings";

/**
 * Days in which damage by a prune is found at the latest: prune runs once a week, and the check after it is done before
 * another week has passed. Old versions must live as long, or what a prune removed is gone before anybody knows.
 */
export const RETENTION_CYCLE_DAYS = 14;

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** The bounds that no configuration changes. */
export const BOUNDS: Omit<KeeperSettings["bounds"], "readBytes"> = {
  // 4.5 TiB in packs of restic's default size, more in larger ones; gate and worker hold a listing in memory.
  objects: 300_000,
  // restic begins a new index after 50,000 blobs, about 8 MiB of JSON.
  metadataBytes: 64 * MIB,
  // A pack ends with the blob that reaches its size, 128 MiB at most; a tree of a folder with a million files is large.
  packBytes: 256 * MIB,
  // About 3 GiB in packs of restic's default size, which are read while the repository is locked.
  lateObjects: 200,
};

/** Why nothing is forgotten on this stack, with the remedy after a semicolon; `undefined`: retention is on. */
export function retentionOff({ keeper, s3 }: StackConfig): string | undefined {
  const { identities, versioning, noncurrentVersionDays } = s3;
  if (keeper === undefined) return "there is no keeper; give keeper a host";
  if (identities.writer === undefined || identities.keeper === undefined) {
    return "the keeper has no S3 identity of its own; give s3.identities.writer and s3.identities.keeper a project (or credentials) each";
  }
  if (!versioning) {
    return "what retention removes could not be brought back without versions; set s3.versioning to true";
  }
  if (noncurrentVersionDays < RETENTION_CYCLE_DAYS) {
    return (
      `what retention removes can be brought back for ${noncurrentVersionDays} days only, and a whole cycle of prune and ` +
      `check takes ${RETENTION_CYCLE_DAYS}; set s3.noncurrentVersionDays to ${RETENTION_CYCLE_DAYS} or more`
    );
  }
  return undefined;
}

/** What watching a repository takes; nothing of it is forgotten. */
export const watched = (
  { name: client, kind, frozen }: Pick<ClientConfig, "name" | "kind" | "frozen">,
  { name: repository, schedule, window }: Pick<RepositoryConfig, "name" | "schedule" | "window">,
): KeptRepository => ({
  client,
  ...(kind === "key-only" && { keyOnly: true }),
  repository,
  pins: [],
  schedule,
  window,
  frozen,
});

/** The settings of the keeper's program; `undefined` without a keeper. */
export function keeperSettings(config: StackConfig, s3Endpoint: string): KeeperSettings | undefined {
  const { keeper, s3, clients } = config;
  if (keeper === undefined) return undefined;
  const off = retentionOff(config);
  return {
    s3: { endpoint: s3Endpoint, region: s3.region, bucket: s3.bucket },
    ...(off !== undefined && { retentionOff: off }),
    repositories: clients.flatMap(({ repositories, ...client }) =>
      repositories.map(({ keep = keeper.keep, pins, ...repository }) => ({
        ...watched(client, repository),
        ...(keep && { keep }),
        pins,
      })),
    ),
    approval: keeper.approval,
    bounds: { ...BOUNDS, readBytes: keeper.readGibPerDay * GIB },
    noncurrentVersionDays: s3.noncurrentVersionDays,
  };
}
