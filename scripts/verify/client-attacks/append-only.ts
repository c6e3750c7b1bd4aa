/** Append-only: what is in the canary's repository can be neither removed nor changed through rclone. */
import { Finding } from "../probe";
import {
  attack,
  CanaryRepository,
  content,
  KEPT,
  needControl,
  place,
  refuses,
  verdictOn,
} from "./canary-repository";

/** Deletes and overwrites an object of every type, then deletes the repository. */
export async function attackObjects(repository: CanaryRepository): Promise<Finding[]> {
  const { request, id, config } = repository;
  const findings: Finding[] = [];
  for (const type of [...KEPT, "config"]) {
    const original = type === "config" ? config : content(type);
    for (const [word, method, body] of [
      ["delete", "DELETE", undefined],
      ["overwrite", "POST", "overwritten by an attacker\n"],
    ] as const) {
      findings.push(
        await attack(`${word}-${type}`, `${word} ${anObject(type)}`, async () => {
          needControl(repository);
          const { status } = await request(method, place(type, id), body);
          const after = await request("GET", place(type, id));
          const intact = after.status === 200 && after.body.toString() === original;
          return {
            holds: refuses(status) && intact,
            happened: `${verdictOn(status)}; the object is ${intact ? "as it was" : "NOT as it was"}`,
          };
        }),
      );
    }
  }
  findings.push(
    await attack("delete-repository", "delete the whole repository at once", async () => {
      needControl(repository);
      const { status } = await request("DELETE", "/");
      const { status: after } = await request("GET", place("keys", id));
      return {
        holds: refuses(status) && after === 200,
        happened: `${verdictOn(status)}; its objects ${after === 200 ? "are there" : "are GONE"}`,
      };
    }),
  );
  return findings;
}

const anObject = (type: string): string =>
  type === "config" ? "the repository's config" : `an object of ${type}`;
