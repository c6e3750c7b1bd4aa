/** What must work for a client; without it a refusal of anything else proves nothing. */
import { Finding, inTurn, Probe, Seen } from "../probe";
import { CanaryRepository, content, KEPT, place, readBack } from "./canary-repository";
import { ResticRequest } from "./restic-session";

const control = (name: string, tried: string, attempt: () => Promise<Seen>): Probe => ({
  ring: 1,
  id: `control.${name}`,
  tried,
  expected: "works",
  remedy:
    "make sure that this machine reaches port 22 of the proxy, and that rclone on it reaches the bucket",
  attempt,
});

/** Adds the objects of this run, lists and reads them, and locks the repository. */
export async function tryControls(
  request: ResticRequest,
  id: string,
): Promise<{ findings: Finding[]; repository: CanaryRepository }> {
  let config = content("config");
  const findings = await inTurn([
    control("adds", "add an object of every type", async () => {
      const created = await request("POST", "/?create=true");
      const existing = await request("GET", "/config");
      if (existing.status === 200) config = existing.body.toString();
      const types = existing.status === 200 ? KEPT : [...KEPT, "config"];
      const statuses = [created.status];
      for (const type of types) statuses.push((await request("POST", place(type, id), content(type))).status);
      return {
        holds: statuses.every((status) => status === 200),
        happened: `answers ${statuses.join(", ")}`,
      };
    }),
    control("lists", "list its own keys", async () => {
      const { status, body } = await request("GET", "/keys/");
      return {
        holds: status === 200 && body.includes(id),
        happened: `answer ${String(status)}, ${body.includes(id) ? "with" : "without"} the added one`,
      };
    }),
    control("reads", "read back what was added", async () => {
      const { status, body } = await readBack(request, place("keys", id));
      return {
        holds: status === 200 && body.toString() === content("keys"),
        happened: `answer ${String(status)}`,
      };
    }),
    control("locks", "add and remove a lock, as restic does", async () => {
      const added = await request("POST", `/locks/${id}`, content("locks"));
      const removed = await request("DELETE", `/locks/${id}`);
      return {
        holds: added.status === 200 && removed.status === 200,
        happened: `answers ${String(added.status)}, ${String(removed.status)}`,
      };
    }),
  ]);
  const passed = (...names: string[]): boolean =>
    names.every((name) => findings.some((one) => one.id === `control.${name}` && one.verdict === "pass"));
  return {
    findings,
    repository: { request, id, config, works: passed("adds", "reads"), removes: passed("locks") },
  };
}
