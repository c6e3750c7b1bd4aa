/** Append-only: what is in the canary's repository can be neither removed nor changed through rclone. */
import { Finding } from "../probe";
import {
  attack,
  CanaryRepository,
  content,
  isRefused,
  KEPT,
  needControl,
  place,
  readBack,
  refusal,
} from "./canary-repository";

/** Deletes and overwrites an object of every type, then deletes the repository. */
export async function attackObjects(repository: CanaryRepository): Promise<Finding[]> {
  const { request, id, config } = repository;
  const findings: Finding[] = [];
  for (const type of [...KEPT, "config"]) {
    const original = type === "config" ? config : content(type);
    // By this run: a config that a weak proxy let an earlier one overwrite is not this text.
    for (const [word, method, control, body] of [
      ["delete", "DELETE", "removes", undefined],
      ["overwrite", "POST", "works", `overwritten by an attacker, ${id}\n`],
    ] as const) {
      findings.push(
        await attack(`${word}-${type}`, `${word} ${anObject(type)}`, async () => {
          needControl(repository, control);
          const { holds, happened } = refusal(await request(method, place(type, id), body));
          const now = () => request("GET", place(type, id));
          const after = holds ? await readBack(request, place(type, id)) : await now();
          const intact = after.status === 200 && after.body.toString() === original;
          return {
            holds: holds && intact,
            happened: `${happened}; the object is ${intact ? "as it was" : "NOT as it was"}`,
          };
        }),
      );
    }
  }
  // No rclone so far knows this call of the protocol's; rest-server does.
  findings.push(
    await attack("delete-repository", "delete the whole repository at once", async () => {
      needControl(repository, "removes");
      const { status } = await request("DELETE", "/");
      const { status: after } = await request("GET", place("keys", id));
      const refused = isRefused(status);
      return {
        holds: refused && after === 200,
        happened: `${refused ? "refused" : "NOT refused"} (${String(status)}); its objects ${after === 200 ? "are there" : "are GONE"}`,
      };
    }),
  );
  return findings;
}

const anObject = (type: string): string =>
  type === "config" ? "the repository's config" : `an object of ${type}`;
