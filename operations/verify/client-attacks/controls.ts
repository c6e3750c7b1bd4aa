/** What must work for a client, and without which a refusal of anything else means nothing. */
import { Finding, Seen } from "../probe";
import { probeAlone } from "./attacker";
import { CanaryRepository, content, KEPT, place, readBack } from "./canary-repository";
import { ResticRequest } from "./restic-session";

/** Adds the objects of this run, lists and reads them, and locks the repository. */
export async function tryControls(
  request: ResticRequest,
  id: string,
): Promise<{ findings: Finding[]; repository: CanaryRepository }> {
  const findings: Finding[] = [];
  const control = async (name: string, tried: string, attempt: () => Promise<Seen>): Promise<boolean> => {
    const about = {
      ring: 1 as const,
      id: `control.${name}`,
      tried,
      expected: "works",
      remedy:
        "make sure that this machine reaches port 22 of the proxy, and that rclone on it reaches the bucket",
    };
    const finding = await probeAlone(about, attempt);
    findings.push(finding);
    return finding.verdict === "pass";
  };

  let config = content("config");
  const adds = await control("adds", "add an object of every type", async () => {
    const made = await request("POST", "/?create=true");
    const there = await request("GET", "/config");
    if (there.status === 200) config = there.body.toString();
    const types = there.status === 200 ? KEPT : [...KEPT, "config"];
    const statuses = [made.status];
    for (const type of types) statuses.push((await request("POST", place(type, id), content(type))).status);
    return { holds: statuses.every((status) => status === 200), happened: `answers ${statuses.join(", ")}` };
  });
  await control("lists", "list the own keys", async () => {
    const { status, body } = await request("GET", "/keys/");
    return {
      holds: status === 200 && body.includes(id),
      happened: `answer ${String(status)}, ${body.includes(id) ? "with" : "without"} the added one`,
    };
  });
  const reads = await control("reads", "read back what was added", async () => {
    const { status, body } = await readBack(request, place("keys", id));
    return {
      holds: status === 200 && body.toString() === content("keys"),
      happened: `answer ${String(status)}`,
    };
  });
  const removes = await control("locks", "add and remove a lock, as restic does", async () => {
    const made = await request("POST", `/locks/${id}`, content("locks"));
    const removed = await request("DELETE", `/locks/${id}`);
    return {
      holds: made.status === 200 && removed.status === 200,
      happened: `answers ${String(made.status)}, ${String(removed.status)}`,
    };
  });
  return { findings, repository: { request, id, config, works: adds && reads, removes } };
}
