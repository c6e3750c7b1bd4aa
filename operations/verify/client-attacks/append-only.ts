/** Append-only: objects in the canary's repository can be neither removed nor changed through rclone. */
import { Probe } from "../probe";
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
export function objectAttacks(repository: CanaryRepository): Probe[] {
  const { request, id, config } = repository;
  const attempts = [
    { verb: "delete", method: "DELETE", control: "removes", body: undefined },
    // With this run's ID: a config that a weak proxy let an earlier run overwrite differs.
    { verb: "overwrite", method: "POST", control: "works", body: `overwritten by an attacker, ${id}\n` },
  ] as const;
  return [
    ...[...KEPT, "config"].flatMap((type) => {
      const original = type === "config" ? config : content(type);
      const target = place(type, id);
      const object = type === "config" ? "the repository's config" : `an object of ${type}`;
      return attempts.map(({ verb, method, control, body }) =>
        attack(`${verb}-${type}`, `${verb} ${object}`, async () => {
          needControl(repository, control);
          const { holds, happened } = refusal(await request(method, target, body));
          const after = holds ? await readBack(request, target) : await request("GET", target);
          const intact = after.status === 200 && after.body.toString() === original;
          return {
            holds: holds && intact,
            happened: `${happened}; the object is ${intact ? "unchanged" : "CHANGED"}`,
          };
        }),
      );
    }),
    // No rclone so far implements this call of the protocol; rest-server does.
    attack("delete-repository", "delete the whole repository at once", async () => {
      needControl(repository, "removes");
      const { status } = await request("DELETE", "/");
      const { status: after } = await request("GET", place("keys", id));
      const refused = isRefused(status);
      return {
        holds: refused && after === 200,
        happened: `${refused ? "refused" : "NOT refused"} (${String(status)}); its objects are ${after === 200 ? "unchanged" : "GONE"}`,
      };
    }),
  ];
}
