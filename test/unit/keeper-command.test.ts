/** `npm run keeper`: what it shows, and that it approves exactly that. */
import { describe, expect, jest, test } from "@jest/globals";
import type { Approval, Planned, RepositoryState } from "../../keeper/state";
import { NEW_STATE } from "../../keeper/retention";
import { EXIT, UsageError } from "../../operations/exit-status";
import { isHeld, putHold, removeHold } from "../../operations/hold";
import { askKeeper, keeper, KeeperRequest, namedRepositories } from "../../operations/retention/keeper";
import type { Deployment } from "../../operations/deployment";
import { MemoryStore } from "../harness/memory-store";
import { S3Store } from "../harness/s3-store";

const NOW = Date.parse("2026-11-29T12:00:00Z");
const DAY = 24 * 3_600_000;
const WEB = { client: "web", repository: "main" };

const name = (n: number): string => n.toString(16).padStart(64, "a");

const planned: Planned = {
  version: 1,
  at: NOW,
  pauses: [{ kind: "waits-for-approval", why: "2 snapshots of 5 would go" }],
  plan: {
    made: NOW,
    forget: [name(1), name(2)],
    kept: [name(3), name(4), name(5)],
    waits: "2 snapshots of 5 would go, for the first time",
  },
  putAgain: [],
};
const state: RepositoryState = {
  ...NEW_STATE,
  verified: true,
  arrivals: { [name(1)]: NOW - 40 * DAY, [name(3)]: NOW - DAY },
  claims: {
    [name(1)]: { time: "2026-10-20T12:00:00Z", hostname: "web", report: "failed" },
    [name(3)]: { time: "2099-01-01T00:00:00Z", hostname: "web\u001b[2J" },
  },
  tried: {
    guard: { at: NOW, ok: true, detail: "12 packs", succeeded: NOW },
    prune: { at: NOW - DAY, ok: true, detail: "3 packs removed", succeeded: NOW - DAY },
  },
  allDataRead: NOW - 2 * DAY,
  nextPart: { part: 2, of: 4 },
  cycleBegan: NOW - DAY,
};

function bucket(documents: Record<string, unknown>): MemoryStore {
  const store = new MemoryStore();
  for (const [key, value] of Object.entries(documents)) store.add(key, Buffer.from(JSON.stringify(value)));
  return store;
}
const PLAN = ".keeper/web/main/plan.json";
const STATE = ".keeper/web/main/state.json";
const APPROVAL = ".owner/web/main/approval.json";

async function ask(request: KeeperRequest, store: MemoryStore, answer?: boolean) {
  const printed: string[] = [];
  const questions: string[] = [];
  const status = await askKeeper(request, [WEB], {
    store,
    noncurrentVersionDays: 30,
    now: NOW,
    print: (text) => printed.push(text),
    confirm: (question) => {
      questions.push(question);
      if (answer === undefined) throw new Error("nothing was to be asked");
      return Promise.resolve(answer);
    },
  });
  return { status, questions, text: printed.join("\n") };
}
const approvalIn = (store: MemoryStore): Approval | undefined => {
  const content = store.shown(APPROVAL);
  return content && (JSON.parse(content.toString()) as Approval);
};

describe("plan", () => {
  test("shows every snapshot that would go in full, when it arrived and what it claims, and each pause", async () => {
    const { status, text } = await ask("plan", bucket({ [PLAN]: planned, [STATE]: state }));
    expect(status).toBe(EXIT.done);
    expect(text.split("\n")).toEqual([
      "web/main",
      "  decided 2026-11-29T12:00:00Z",
      "  2 snapshots to forget, 3 stay; this waits for approval: 2 snapshots of 5 would go, for the first time",
      `    ${name(1)} arrived 2026-10-20T12:00:00Z, claims 2026-10-20T12:00:00Z on web, reports that a run was failed`,
      `    ${name(2)} arrived at an unknown time`,
      "  stands still:",
      "    waits-for-approval: 2 snapshots of 5 would go",
    ]);
  });

  test("is unknown before the keeper's first run", async () => {
    expect((await ask("plan", bucket({}))).status).toBe(EXIT.unknown);
  });

  test.each([
    ["another version", { ...planned, version: 2 }],
    ["an ID that is none", { ...planned, plan: { ...planned.plan, forget: ["../x"] } }],
    ["a time that the calendar does not have", { ...planned, at: 1e300 }],
    ["no object", "plan"],
  ])("refuses a document with %s", async (_, document) => {
    await expect(ask("plan", bucket({ [PLAN]: document }))).rejects.toThrow(
      /plan\.json is not what the keeper/,
    );
  });
});

describe("approve", () => {
  test("shows, asks, and approves exactly what it showed", async () => {
    const store = bucket({ [PLAN]: planned, [STATE]: state });
    const { status, text, questions } = await ask("approve", store, true);
    expect(status).toBe(EXIT.done);
    for (const id of [name(1), name(2)]) expect(text).toContain(id);
    expect(questions).toEqual(["  web/main: forget these 2 snapshots? Type yes: "]);
    expect(approvalIn(store)).toEqual({ at: NOW, forget: [name(1), name(2)], versions: [] });
  });

  test("approves nothing after another answer", async () => {
    const store = bucket({ [PLAN]: planned, [STATE]: state });
    expect((await ask("approve", store, false)).status).toBe(EXIT.failed);
    expect(approvalIn(store)).toBeUndefined();
  });

  test("asks nothing where nothing waits", async () => {
    const { waits: _waits, ...plan } = planned.plan as NonNullable<Planned["plan"]>;
    const store = bucket({ [PLAN]: { ...planned, plan, pauses: [] } });
    const { status, text } = await ask("approve", store);
    expect([status, approvalIn(store)]).toEqual([EXIT.done, undefined]);
    expect(text).toContain("nothing waits for approval");
  });

  test("judges the versions of objects that were put again, besides those judged before", async () => {
    const store = bucket({
      [PLAN]: {
        ...planned,
        plan: undefined,
        putAgain: [{ type: "data", id: name(9), versionIds: ["v1", "v2"] }],
      },
      [APPROVAL]: { at: 1, forget: [name(7)], versions: ["v0", "v1"] },
    });
    const { text } = await ask("approve", store, true);
    expect(text).toContain(`data/${name(9)}, versions v1, v2`);
    expect(approvalIn(store)).toEqual({ at: NOW, forget: [], versions: ["v0", "v1", "v2"] });
  });
});

describe("status", () => {
  test("says how each action went, when all data was read, and until when deletes can be undone", async () => {
    const { status, text } = await ask("status", bucket({ [PLAN]: planned, [STATE]: state }));
    expect(status).toBe(EXIT.done);
    expect(text).toContain("  guard: done 2026-11-29T12:00:00Z: 12 packs\n  forget: never\n");
    expect(text).toContain(
      "  all data read by a check: by 2026-11-27T12:00:00Z; this time since 2026-11-28T12:00:00Z, part 2 of 4 is next",
    );
    expect(text).toContain("can be brought back until 2026-12-28T12:00:00Z, by npm run recover");
    expect(text).toContain("    waits-for-approval: 2 snapshots of 5 would go");
  });

  test("reports a forged date, without what controls a terminal", async () => {
    const { text } = await ask("status", bucket({ [STATE]: state }));
    expect(text).toContain(`    ${name(3)} arrived 2026-11-28T12:00:00Z and claims 2099-01-01T00:00:00Z`);
    expect(text).not.toContain(name(1));
    const { text: plan } = await ask(
      "plan",
      bucket({ [STATE]: state, [PLAN]: { ...planned, plan: { ...planned.plan, forget: [name(3)] } } }),
    );
    expect(plan).toContain("on web\\u{1b}[2J");
  });

  test("fails on a finding and on an action that failed, and names the objects", async () => {
    const finding = { kind: "claims-disagree", objects: ["index/1"], why: "two indexes disagree" };
    const found = await ask("status", bucket({ [STATE]: { ...state, findings: [finding] } }));
    expect(found.status).toBe(EXIT.failed);
    expect(found.text).toContain("  FOUND claims-disagree: two indexes disagree\n    index/1");
    const check = { at: NOW, ok: false, detail: "exit status 1", succeeded: NOW - DAY, failingSince: NOW };
    const failed = await ask("status", bucket({ [STATE]: { ...state, tried: { check } } }));
    expect(failed.status).toBe(EXIT.failed);
    expect(failed.text).toContain(
      "  check: FAILED 2026-11-29T12:00:00Z: exit status 1; last succeeded 2026-11-28T12:00:00Z",
    );
  });

  test("is unknown before the keeper's first run, and says that it is held", async () => {
    const store = bucket({});
    await ask("hold", store);
    expect(await ask("status", store)).toMatchObject({
      status: EXIT.unknown,
      text: "web/main\n  HELD by the owner\n  the keeper has not worked on it yet",
    });
  });
});

describe("a hold", () => {
  test("stands until it is released", async () => {
    const store = bucket({});
    expect((await ask("hold", store)).text).toContain("  held: nothing of it is forgotten");
    expect(await isHeld(store, WEB)).toBe(true);
    expect((await ask("hold", store)).text).toContain("held already");
    expect((await ask("release", store)).text).toContain("  released");
    expect(await isHeld(store, WEB)).toBe(false);
    expect((await ask("release", store)).text).toContain("was not held");
  });

  test("is its caller's alone where there was none, and holds one repository", async () => {
    const store = bucket({});
    expect(await putHold(store, WEB, "recover", NOW)).toBe(true);
    expect(await putHold(store, WEB, "freeze", NOW)).toBe(false);
    expect(JSON.parse(String(store.shown(".owner/web/main/hold")))).toEqual({ at: NOW, why: "recover" });
    expect(await isHeld(store, { client: "web", repository: "other" })).toBe(false);
    expect(await removeHold(store, WEB)).toBe(true);
    expect(await removeHold(store, WEB)).toBe(false);
  });
});

describe("CLIENT[/REPOSITORY]", () => {
  const clients = [
    { name: "web", repositories: [{ name: "main" }, { name: "db" }] },
    { name: "mail", repositories: [{ name: "main" }] },
  ] as Deployment["clients"];

  test("names one repository, or all of a client", () => {
    expect(namedRepositories("web/db", { clients })).toEqual([{ client: "web", repository: "db" }]);
    expect(namedRepositories("web", { clients })).toHaveLength(2);
  });

  test("that the stack does not have is an error, and another form is not understood", () => {
    expect(() => namedRepositories("web/files", { clients })).toThrow(/the stack has no web\/files/);
    expect(() => namedRepositories("shop", { clients })).toThrow(/the stack has no shop/);
    for (const target of ["", "web/", "web/main/x", ".keeper\n", "../web"]) {
      expect(() => namedRepositories(target, { clients })).toThrow(UsageError);
    }
  });
});

describe("on a deployed stack", () => {
  const keys = (accessKeyId: string) => ({ accessKeyId, secretAccessKey: "hush" });
  const deployment = (endpoint: string, withKeeper: boolean) =>
    ({
      bucket: {
        ...{ endpoint, region: "us-east-1", bucket: "databucket", noncurrentVersionDays: 30 },
        owner: keys("OWNER"),
        ...(withKeeper && { keeper: keys("KEEPER") }),
      },
      clients: [{ name: "web", repositories: [{ name: "main" }] }],
    }) as unknown as Deployment;

  test("all is read and written with the owner's keys", async () => {
    const s3 = await S3Store.start("databucket");
    const log = jest.spyOn(console, "log").mockImplementation(() => undefined);
    try {
      s3.objects.set(PLAN, Buffer.from(JSON.stringify(planned)));
      const ask = (request: KeeperRequest) =>
        keeper(deployment(s3.endpoint, true), request, "web/main", true);
      expect(await ask("status")).toBe(EXIT.unknown);
      expect(await ask("approve")).toBe(EXIT.done);
      expect(await ask("hold")).toBe(EXIT.done);
      expect([...s3.objects.keys()].sort()).toEqual([PLAN, APPROVAL, ".owner/web/main/hold"]);
      expect(await ask("release")).toBe(EXIT.done);
      expect([...s3.objects.keys()].sort()).toEqual([PLAN, APPROVAL]);
      for (const { headers } of s3.requests) expect(headers.authorization).toContain("Credential=OWNER/");
      const approved = JSON.parse(String(s3.objects.get(APPROVAL))) as Approval;
      expect(approved.forget).toEqual([name(1), name(2)]);
    } finally {
      log.mockRestore();
      await s3.stop();
    }
  });

  test("without a keeper there is nothing to ask", async () => {
    const asked = keeper(deployment("http://127.0.0.1:1", false), "hold", "web/main", false);
    await expect(asked).rejects.toThrow(/the stack has no keeper/);
  });
});
