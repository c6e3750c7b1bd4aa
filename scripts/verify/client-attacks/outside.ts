/** Paths that leave the repository: nothing beside it can be read, written or deleted. */
import { CANARY } from "../../../files";
import { Operations } from "../../../plan";
import { Finding, Seen } from "../probe";
import { refusedOrNot } from "./attacker";
import {
  attack,
  CanaryRepository,
  content,
  needControl,
  place,
  refuses,
  verdictOn,
} from "./canary-repository";

/** Leaves the repository by every trick, to come back into it or to reach the other clients'. */
export async function attackOutside(
  repository: CanaryRepository,
  operations: Operations,
): Promise<Finding[]> {
  const { request, id } = repository;
  // Out of the repository and back into it: a proxy that follows such a path harms only the canary.
  const around = `../${CANARY.repository}/keys/${id}`;
  const aroundByRoot = `../../../${operations.bucket.bucket}/${CANARY.client}/${CANARY.repository}/keys/${id}`;
  const tried = async (method: string, targets: readonly string[], body?: string): Promise<Seen> => {
    needControl(repository);
    const followed: string[] = [];
    for (const target of targets) {
      const answer = await request(method, target, body);
      if (answer.status < 300)
        followed.push(`${target} ANSWERED WITH CONTENT (${String(answer.body.length)} bytes)`);
      else if (!refuses(answer.status)) followed.push(`${target} ${verdictOn(answer.status)}`);
    }
    return refusedOrNot(followed, `${String(targets.length)} paths, all refused`);
  };
  return [
    await attack("read-outside", "read objects by paths that leave the repository, plain and encoded", () =>
      tried("GET", [around, aroundByRoot].flatMap(pathTricks)),
    ),
    await attack("write-outside", "write by such paths", async () => {
      needControl(repository);
      const landing = `${id}-outside`;
      const targets = pathTricks(`../${CANARY.repository}/keys/${landing}`);
      for (const target of targets) {
        const { status } = await request("POST", target, content("escaped"));
        // One that is taken as a plain name inside the repository reaches nothing.
        const { status: landed } = await request("GET", `/keys/${landing}`);
        if (landed === 200) return { holds: false, happened: `${target} WROTE outside (${String(status)})` };
      }
      return { holds: true, happened: `${String(targets.length)} paths, none left the repository` };
    }),
    await attack("delete-outside", "delete by such paths, and through the locks", async () => {
      const throughLocks = [`/locks/../keys/${id}`, `/locks/..%2fkeys%2f${id}`, `/keys/${id}/locks/..`];
      const seen = await tried("DELETE", [...pathTricks(around), ...throughLocks]);
      const { status } = await request("GET", place("keys", id));
      return status === 200
        ? seen
        : { holds: false, happened: `the object is GONE (${String(status)}); ${seen.happened}` };
    }),
    await attack("read-other-repositories", "read the other clients' repositories by such paths", () => {
      const others = operations.clients.flatMap(({ name, repositories }) =>
        repositories.slice(0, 1).map((other) => `../../${name}/${other.name}/config`),
      );
      if (others.length === 0)
        return Promise.resolve({ holds: true, happened: "there are no other clients" });
      return tried("GET", others.flatMap(pathTricks));
    }),
  ];
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
    `/data/${target.replaceAll("/", "%2f")}`,
    `/${target}%00`,
    `/${target}/.`,
    `/${target}?create=true`,
  ];
}
