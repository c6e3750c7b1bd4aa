/** The status of a stack without a keeper, which the workstation looks at itself. */
import { expect, test } from "@jest/globals";
import { statusSchema } from "../../keeper/status/schema";
import { lookAt } from "../../operations/status/look";
import { SAMPLE_SETTINGS, sampleDeployment } from "../harness/sample-deployment";
import { WatchedMemory } from "../harness/watched-store";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 29, 12);
const id = (n: number): string => n.toString(16).padStart(64, "0");

const repository = { ...SAMPLE_SETTINGS, schedule: "daily", publicKey: "", password: "p" };
const client = (name: string, kind: "vm" | "key-only" = "vm", frozen = false) => ({
  name,
  kind,
  frozen,
  repositories: [repository],
});

test("is judged by arrivals, as the keeper would, and nothing is put", async () => {
  const store = new WatchedMemory();
  store.identity = "W";
  for (const name of ["well", "dead", "cold"]) {
    store.add(`${name}/main/config`, Buffer.alloc(155), NOW - 40 * DAY);
    store.add(`${name}/main/snapshots/${id(1)}`, Buffer.alloc(300), NOW - (name === "well" ? 0.2 : 3) * DAY);
  }
  store.add(`well/main/snapshots/intruder`, Buffer.alloc(300), NOW - DAY);
  store.add(`well/main/data/00/${id(2)}`, Buffer.alloc(300), NOW - DAY);
  store.identity = "O";
  store.add(`well/main/index/${id(2)}`, Buffer.alloc(300), NOW - DAY);
  store.add(`well/main/index/${id(2)}`, undefined, NOW - DAY);
  store.identity = "W";
  store.add(`well/main/data/00/${id(2)}`, undefined, NOW - DAY);
  const deployment = sampleDeployment({
    clients: [client("well"), client("dead"), client("cold", "vm", true), client("laptop", "key-only")],
    retentionOff: "there is no keeper; give keeper a host",
  });
  const status = await lookAt(store, deployment, "O", () => NOW);
  expect(statusSchema.parse(status)).toEqual(status);
  expect(status).toMatchObject({
    by: "workstation",
    at: NOW,
    ways: [],
    retentionOff: deployment.retentionOff,
  });
  expect(status.validUntil).toBeUndefined();
  expect(status.repositories.map(({ client, canary }) => [client, canary])).toEqual([
    ...["well", "dead", "cold", "laptop"].map((name) => [name, false]),
    [".canary", true],
  ]);
  // What the owner hid is no alarm, nor is a client that is frozen, or one that may not have begun yet.
  expect(status.alarms.map(({ kind, client }) => `${kind} ${client ?? ""}`).sort()).toEqual([
    "hidden-object well",
    "overdue dead",
    "unknown-object well",
  ]);
  expect(status.repositories[0]?.hidden).toMatchObject({ count: 1, some: [`well/main/data/00/${id(2)}`] });
  expect(store.calls.filter((call) => /^(put|hide)/.test(call))).toEqual([]);
});
