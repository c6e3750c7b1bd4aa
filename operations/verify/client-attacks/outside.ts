/** Paths that leave the repository: nothing beside it can be read, written or deleted. */
import { DeployedBucket, Deployment } from "../../deployment";
import { CANARY } from "../../../hosts";
import { CANARY_KEY } from "../../../s3/proof";
import { inParallel } from "../../parallel";
import { withS3 } from "../../../s3/with-s3";
import { Finding, Seen } from "../probe";
import { listVersions } from "../../../s3/versions";
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

/** Leaves the repository by every trick, to come back into it or to reach the other clients'. */
export async function attackOutside(
  repository: CanaryRepository,
  deployment: Deployment,
): Promise<Finding[]> {
  const { request, id } = repository;
  const { bucket } = deployment;
  // Out of the repository and back into it: a proxy that follows such a path harms only the canary.
  const around = `../${CANARY.repository}/keys/${id}`;
  const aroundByRoot = `../../../${bucket.bucket}/${CANARY.client}/${CANARY.repository}/keys/${id}`;
  const tried = async (method: string, targets: readonly string[]): Promise<Seen> => {
    const followed: string[] = [];
    for (const target of targets) {
      const { status, body } = await request(method, target);
      if (status < 300) followed.push(`${target} ANSWERED WITH CONTENT (${String(body.length)} bytes)`);
      else if (!isRefused(status))
        followed.push(`${target} was tried by rclone, and failed (${String(status)})`);
    }
    return refusedOrNot(followed, `${String(targets.length)} paths, all refused`);
  };
  return [
    await attack("read-outside", "read objects by paths that leave the repository, plain and encoded", () => {
      needControl(repository);
      return tried("GET", [around, aroundByRoot].flatMap(pathTricks));
    }),
    await attack("write-outside", "write by such paths", async () => {
      needControl(repository);
      const name = `${id}-outside`;
      const targets = pathTricks(`../${CANARY.repository}/keys/${name}`);
      const answers: WriteAnswer[] = [];
      for (const [at, target] of targets.entries()) {
        const landing = `${name}-${String(at)}`;
        const { status } = await request("POST", target.replace(name, landing), content("escaped"));
        answers.push({ target, landing, status });
      }
      // The canary sees what is inside the repository alone.
      const written = await withS3(bucket, bucket.owner, (owner) =>
        listVersions(owner, bucket, `${CANARY.client}/`, MOST_VERSIONS),
      );
      if (written.length >= MOST_VERSIONS)
        throw new Error(`too much lies below ${CANARY.client}/ to look through`);
      return refusedOrNot(
        escapes(
          answers,
          written.map(({ key }) => key),
        ),
        `${String(targets.length)} paths, none left the repository`,
      );
    }),
    await attack("delete-outside", "delete by such paths, and through the locks", async () => {
      needControl(repository, "removes");
      const throughLocks = [`/locks/../keys/${id}`, `/locks/..%2fkeys%2f${id}`, `/keys/${id}/locks/..`];
      const seen = await tried("DELETE", [...pathTricks(around), ...throughLocks]);
      const { status } = await readBack(request, `/keys/${id}`);
      return status === 200
        ? seen
        : { holds: false, happened: `the object is GONE (${String(status)}); ${seen.happened}` };
    }),
    await attack(
      "read-other-repositories",
      "read the other clients' repositories by such paths",
      async () => {
        needControl(repository);
        const others = await existing(bucket, [
          ...deployment.clients.flatMap(({ name, repositories }) =>
            repositories.slice(0, 1).map((other) => `${name}/${other.name}/config`),
          ),
          // The proof of the bucket's policy has left one in every stack.
          CANARY_KEY,
        ]);
        if (others.length === 0) throw new Error("no other repository holds anything yet");
        const { holds, happened } = await tried(
          "GET",
          others.flatMap((key) => pathTricks(`../../${key}`)),
        );
        return { holds, happened: `${String(others.length)} repositories that hold something: ${happened}` };
      },
    ),
  ];
}

/** rclone's answer to a write by a path that leaves the repository. */
interface WriteAnswer {
  target: string;
  /** The part of the key that no other write has. */
  landing: string;
  status: number;
}

/** The writes that left the repository, or may have: `written` are the keys of and beside it. */
export function escapes(answers: readonly WriteAnswer[], written: readonly string[]): string[] {
  return answers.flatMap(({ target, landing, status }) => {
    // Up to its end, or to what a trick puts behind it.
    const keys = written.filter((key) => new RegExp(`${landing}(?!\\d)`).test(key));
    const followed = keys.find(
      (key) => !key.startsWith(REPOSITORY) || key.startsWith(`${REPOSITORY}keys/${landing}`),
    );
    if (followed !== undefined) return [`${target} WROTE ${followed} (${String(status)})`];
    if (status >= 500) return [`${target} was tried by rclone, and failed (${String(status)})`];
    // One that is taken as a plain name inside the repository reaches nothing.
    return status < 300 && keys.length === 0
      ? [`${target} was ACCEPTED (${String(status)}), and is not found`]
      : [];
  });
}

/** The keys that are there, as the bucket's owner sees it: what is not there would be refused to nobody. */
async function existing(bucket: DeployedBucket, keys: readonly string[]): Promise<string[]> {
  return withS3(bucket, bucket.owner, async (owner) => {
    const found = await inParallel(LOOKED_FOR_AT_ONCE, keys, async (Key) => {
      const { Contents = [] } = await owner.listObjectsV2({ Bucket: bucket.bucket, Prefix: Key, MaxKeys: 1 });
      return Contents.some((listed) => listed.Key === Key);
    });
    return keys.filter((_, at) => found[at]);
  });
}

/** Ways to write a path that leaves the repository, each of which some server has followed. */
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
