/** Paths that leave the repository: nothing outside it can be read, written or deleted. */
import { DeployedBucket, Deployment } from "../../deployment";
import { CANARY } from "../../../hosts";
import { CANARY_KEY } from "../../../s3/proof";
import { inParallel } from "../../../keeper/parallel";
import { listVersions } from "../../../s3/versions";
import { withS3 } from "../../../s3/with-s3";
import { Probe, Seen } from "../probe";
import { refusedOrNot } from "./attacker";
import {
  attack,
  CanaryRepository,
  content,
  isRefused,
  MOST_VERSIONS,
  needControl,
  readBack,
} from "./canary-repository";

const REPOSITORY = `${CANARY.client}/${CANARY.repository}/`;
const LOOKED_FOR_AT_ONCE = 4;

/** Leaves the repository by every trick, and returns into it or reaches the other clients' repositories. */
export function outsideAttacks(repository: CanaryRepository, deployment: Deployment): Probe[] {
  const { request, id } = repository;
  const { bucket } = deployment;
  // Out of the repository and back into it: a proxy that allows such a path harms only the canary.
  const around = `../${CANARY.repository}/keys/${id}`;
  const aroundByRoot = `../../../${bucket.bucket}/${CANARY.client}/${CANARY.repository}/keys/${id}`;
  const tryAll = async (method: string, targets: readonly string[]): Promise<Seen> => {
    const followed: string[] = [];
    for (const target of targets) {
      const { status, body } = await request(method, target);
      if (status < 300) followed.push(`${target} ANSWERED WITH CONTENT (${String(body.length)} bytes)`);
      else if (!isRefused(status))
        followed.push(`${target} was attempted by rclone and failed (${String(status)})`);
    }
    return refusedOrNot(followed, `${String(targets.length)} paths, all refused`);
  };
  return [
    attack("read-outside", "read objects by paths that leave the repository, plain and encoded", async () => {
      needControl(repository);
      return tryAll("GET", [around, aroundByRoot].flatMap(pathTricks));
    }),
    attack("write-outside", "write by such paths", async () => {
      needControl(repository);
      const name = `${id}-outside`;
      const targets = pathTricks(`../${CANARY.repository}/keys/${name}`);
      const answers: WriteAnswer[] = [];
      for (const [at, target] of targets.entries()) {
        const landing = `${name}-${String(at)}`;
        const { status } = await request("POST", target.replace(name, landing), content("escaped"));
        answers.push({ target, landing, status });
      }
      // The canary sees only the inside of the repository.
      const written = await withS3(bucket, bucket.owner, (owner) =>
        listVersions(owner, bucket, `${CANARY.client}/`, MOST_VERSIONS),
      );
      if (written.length >= MOST_VERSIONS)
        throw new Error(`${CANARY.client}/ has too many versions to look at all`);
      return refusedOrNot(
        escapes(
          answers,
          written.map(({ key }) => key),
        ),
        `${String(targets.length)} paths, none leaves the repository`,
      );
    }),
    attack("delete-outside", "delete by such paths, and through the locks", async () => {
      needControl(repository, "removes");
      const throughLocks = [`/locks/../keys/${id}`, `/locks/..%2fkeys%2f${id}`, `/keys/${id}/locks/..`];
      const seen = await tryAll("DELETE", [...pathTricks(around), ...throughLocks]);
      const { status } = await readBack(request, `/keys/${id}`);
      return status === 200
        ? seen
        : { holds: false, happened: `the object is GONE (${String(status)}); ${seen.happened}` };
    }),
    attack("read-other-repositories", "read the other clients' repositories by such paths", async () => {
      needControl(repository);
      const others = await existing(bucket, [
        ...deployment.clients.flatMap(({ name, repositories }) =>
          repositories.slice(0, 1).map((other) => `${name}/${other.name}/config`),
        ),
        // The proof of the bucket's policy adds one in every stack.
        CANARY_KEY,
      ]);
      if (others.length === 0) throw new Error("no other repository contains anything yet");
      const { holds, happened } = await tryAll(
        "GET",
        others.flatMap((key) => pathTricks(`../../${key}`)),
      );
      return { holds, happened: `${String(others.length)} repositories with content: ${happened}` };
    }),
  ];
}

/** rclone's answer to a write by a path that leaves the repository. */
interface WriteAnswer {
  target: string;
  /** The part of the key that is unique to this write. */
  landing: string;
  status: number;
}

/**
 * The writes that left the repository, or may have.
 *
 * @param written the keys inside the repository and beside it
 */
export function escapes(answers: readonly WriteAnswer[], written: readonly string[]): string[] {
  return answers.flatMap(({ target, landing, status }) => {
    // Followed by the key's end, or by what a trick appends.
    const keys = written.filter((key) => new RegExp(`${landing}(?!\\d)`).test(key));
    const followed = keys.find(
      (key) => !key.startsWith(REPOSITORY) || key.startsWith(`${REPOSITORY}keys/${landing}`),
    );
    if (followed !== undefined) return [`${target} WROTE ${followed} (${String(status)})`];
    if (status >= 500) return [`${target} was attempted by rclone and failed (${String(status)})`];
    // A path that is stored as a plain name inside the repository reaches nothing.
    return status < 300 && keys.length === 0
      ? [`${target} was ACCEPTED (${String(status)}) and is not found`]
      : [];
  });
}

/** The keys that exist, as the owner sees them: reading one that does not exist proves nothing. */
async function existing(bucket: DeployedBucket, keys: readonly string[]): Promise<string[]> {
  return withS3(bucket, bucket.owner, async (owner) => {
    const found = await inParallel(LOOKED_FOR_AT_ONCE, keys, async (Key) => {
      const { Contents = [] } = await owner.listObjectsV2({ Bucket: bucket.bucket, Prefix: Key, MaxKeys: 1 });
      return Contents.some((listed) => listed.Key === Key);
    });
    return keys.filter((_, at) => found[at]);
  });
}

/** Spellings of a path that leaves the repository, each of which some server has followed. */
export function pathTricks(target: string): string[] {
  const encoded = target.replaceAll("..", "%2e%2e");
  return [
    `/${target}`,
    `//${target}`,
    `/./${target}`,
    `/data/../${target}`,
    `/data/../locks/../${target}`,
    `/locks/../${target}`,
    `/${encoded}`,
    `/${target.replaceAll("/", "%2f")}`,
    `/${encoded.replaceAll("/", "%2F")}`,
    `/${encoded.replaceAll("%", "%25")}`,
    `/${target.replaceAll("/", "%252f")}`,
    `/${target.replaceAll("/", "%5c")}`,
    `/data/${`../${target}`.replaceAll("/", "%2f")}`,
    `/${target}%00`,
    `/${target}/.`,
    `/${target}?create=true`,
  ];
}
