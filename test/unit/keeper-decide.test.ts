/** What a run may do, what pauses it, and what it leaves in the state. */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { Action, Result } from "../../keeper/job";
import { afterRun, decide, Decision, mergedArrivals, NEW_STATE, Observed } from "../../keeper/retention";
import { partsOf } from "../../keeper/retention/decide";
import { DAY, HOUR } from "../../keeper/time";
import type { Keep, KeeperSettings, KeptRepository } from "../../keeper/settings";
import type { Approval, Pause, RepositoryState, Tried } from "../../keeper/state";

const NOW = Date.parse("2026-11-29T12:00:00Z");

const KEEP: Keep = { within: 14, days: 7, weeks: 5, months: 0, years: 0 };
const repository: KeptRepository = {
  client: "web",
  repository: "main",
  keep: KEEP,
  pins: [],
  schedule: "*-*-* 03:00",
  window: 30,
  frozen: false,
};
const settings: KeeperSettings = {
  s3: { endpoint: "https://s3.example.org", region: "r", bucket: "b" },
  repositories: [],
  approval: { snapshots: 50, share: 0.25 },
  bounds: { objects: 1e6, metadataBytes: 1e8, packBytes: 1e8, readBytes: 1000, lateObjects: 100 },
  noncurrentVersionDays: 30,
};

const name = (n: number): string => n.toString(16).padStart(64, "0");
/** A snapshot a day, the newest today; the n-th is n days old. */
const snapshots = (days: number): { id: string; arrived: number }[] =>
  Array.from({ length: days }, (_, n) => ({ id: name(n), arrived: NOW - 8 * HOUR - n * DAY }));

const tried = (at: number, ok = true): Tried => ({
  at,
  ok,
  detail: "exit status 1",
  ...(ok ? { succeeded: at } : { failingSince: at }),
});

/** Verified, and at work for a while: the last forgetting was before the newest snapshot arrived. */
const RUNNING: RepositoryState = {
  ...NEW_STATE,
  verified: true,
  tried: {
    guard: tried(NOW - 2 * DAY),
    forget: tried(NOW - DAY),
    prune: tried(NOW - 20 * DAY),
    check: tried(NOW - 20 * DAY),
  },
};

const OBSERVED: Observed = {
  now: NOW,
  settings,
  repository,
  state: RUNNING,
  snapshots: snapshots(18),
  dataBytes: 900,
  putAgain: [],
  held: false,
  asked: false,
};
const deciding = (change: Partial<Observed>): Decision => decide({ ...OBSERVED, ...change });
const kinds = ({ pauses }: Decision): Pause["kind"][] => pauses.map(({ kind }) => kind);

describe("a decision", () => {
  test("without a pause does what is due, and forgets what no unit keeps", () => {
    const decision = deciding({});
    expect(decision.pauses).toEqual([]);
    expect(decision.actions).toEqual(["guard", "forget", "prune", "check"]);
    // Days 14 to 17 ago: the 15th to the 12th of November, of which no Monday is left.
    expect(decision.forget).toEqual([14, 15, 16].map(name));
    expect(decision.plan).toEqual({
      made: NOW,
      forget: [14, 15, 16].map(name),
      kept: [...Array.from({ length: 14 }, (_, n) => n), 17].map(name),
    });
    expect(decision.readData).toEqual({ part: 1, of: 1 });
  });

  test("never forgets a pin", () => {
    expect(deciding({ repository: { ...repository, pins: [name(15)] } }).forget).toEqual([14, 16].map(name));
  });

  test("counts the earliest arrival that it knows: a snapshot that was put again does not become new", () => {
    const again = snapshots(18).map((one) => (one.id === name(15) ? { ...one, arrived: NOW } : one));
    const arrivals = Object.fromEntries(snapshots(18).map(({ id, arrived }) => [id, arrived]));
    expect(deciding({ snapshots: again }).forget).toEqual([14, 16].map(name));
    const known = deciding({ snapshots: again, state: { ...RUNNING, arrivals } });
    expect(known.forget).toEqual([14, 15, 16].map(name));
    expect(known.arrivals).toEqual(arrivals);
  });

  test("forgets nothing without an action of that name", () => {
    const state = { ...RUNNING, tried: { ...RUNNING.tried, guard: tried(NOW - 1), forget: tried(NOW - 1) } };
    expect(deciding({ state })).toMatchObject({ actions: [], forget: [] });
  });
});

const approvalOf = (...ids: number[]): Approval => ({ at: NOW, forget: ids.map(name), versions: [] });
const putAgain = [{ type: "data", id: name(1), versionIds: ["v1", "v2"] }] as const;
const { keep: _keep, ...withoutKeep } = repository;

describe("what pauses", () => {
  const forgetAndPrune: readonly Action[] = ["guard", "check"];

  test.each<[Pause["kind"], string, Partial<Observed>, readonly Action[]]>([
    ["off", "retention is off", { settings: { ...settings, retentionOff: "it is off" } }, forgetAndPrune],
    ["off", "a cycle is longer than old versions live", { dataBytes: 32_001 }, forgetAndPrune],
    ["no-keep", "there is no keep", { repository: withoutKeep }, forgetAndPrune],
    ["frozen", "the client is frozen", { repository: { ...repository, frozen: true } }, forgetAndPrune],
    ["held", "the owner's hold stands", { held: true }, forgetAndPrune],
    [
      "silent",
      "no snapshot came for three days",
      {
        snapshots: snapshots(18).slice(3),
        state: { ...RUNNING, tried: { ...RUNNING.tried, forget: tried(1) } },
      },
      forgetAndPrune,
    ],
    ["put-again", "an object was put again", { putAgain }, forgetAndPrune],
    [
      "findings",
      "the guard found something",
      { state: { ...RUNNING, findings: [{ kind: "claims-disagree", objects: [], why: "w" }] } },
      forgetAndPrune,
    ],
    [
      "findings",
      "the last check failed",
      { state: { ...RUNNING, tried: { ...RUNNING.tried, check: tried(NOW - DAY, false) } } },
      forgetAndPrune,
    ],
    ["unverified", "a pack is not verified", { state: { ...RUNNING, verified: false } }, forgetAndPrune],
    [
      "waits-for-approval",
      "more than the share goes",
      { snapshots: snapshots(33) },
      ["guard", "prune", "check"],
    ],
    [
      "nothing-arrived",
      "nothing came since the last forgetting",
      { state: { ...RUNNING, tried: { ...RUNNING.tried, forget: tried(NOW - 7 * HOUR) } } },
      ["guard", "prune", "check"],
    ],
  ])("%s: %s", (kind, _, change, actions) => {
    const decision = deciding(change);
    expect(kinds(decision)).toEqual([kind]);
    expect([decision.actions, decision.forget]).toEqual([actions, []]);
    for (const { why } of decision.pauses) expect(why).not.toMatch(/undefined|NaN|[.\n]$/);
  });

  test("names the client or repository where the remedy is a command", () => {
    const frozen = deciding({ repository: { ...repository, frozen: true } });
    expect(frozen.pauses[0]?.why).toMatch(/npm run thaw -- web$/);
    expect(deciding({ held: true }).pauses[0]?.why).toMatch(/npm run keeper -- release web\/main$/);
  });

  test("a repository with no snapshot, and one without a schedule, are not silent", () => {
    expect(kinds(deciding({ snapshots: [] }))).toEqual(["nothing-arrived"]);
    const old = snapshots(60).slice(40);
    const state = { ...RUNNING, tried: { ...RUNNING.tried, forget: tried(NOW - 50 * DAY) } };
    const none = deciding({ snapshots: old, state, repository: { ...repository, schedule: "none" } });
    expect(kinds(none)).not.toContain("silent");
  });

  test("without new snapshots none ever ages out, with a schedule or without", () => {
    for (const schedule of ["*-*-* 03:00", "none"]) {
      let state = RUNNING;
      let there = snapshots(17);
      for (let now = NOW; now < NOW + 40 * DAY; now += HOUR) {
        const of = { ...repository, schedule };
        const { actions, forget, arrivals } = deciding({ now, state, snapshots: there, repository: of });
        if (actions.length === 0) continue;
        there = there.filter(({ id }) => !forget.includes(id));
        const done = Object.fromEntries(actions.map((action) => [action, { ok: true, detail: "" }]));
        const result = { findings: [], done, verified: true, readBytes: 0, claims: {} };
        state = afterRun(now, { ...state, arrivals }, { actions }, result);
      }
      // What was due when the last one came goes, and nothing that became so later.
      expect(there.length).toBeGreaterThanOrEqual(14);
    }
  });

  describe("reports of runs that were not whole", () => {
    const claim = { time: "", hostname: "" };
    const claimsOf = (reports: (n: number) => boolean, from = 1) =>
      Object.fromEntries(
        Array.from({ length: 60 - from }, (_, at) => [
          name(at + from),
          { ...claim, ...(reports(at + from) ? { report: "failed" as const } : {}) },
        ]),
      );

    test("are no backups: a client that leaves nothing else is silent, and the newest of them is not waited for", () => {
      const state = { ...RUNNING, claims: claimsOf((n) => n < 4) };
      const decision = deciding({ state });
      expect(kinds(decision)).toEqual(["silent"]);
      expect(decision.pauses[0]?.why).toContain("the last snapshot arrived 2026-11-25T04:00Z");
      expect(kinds(deciding({ state: { ...RUNNING, claims: claimsOf((n) => n === 1) } }))).toEqual([]);
      // The newest may be a backup where the last word was one, however long ago it was.
      const later = { ...RUNNING, claims: claimsOf(() => false, 4) };
      expect(kinds(deciding({ state: later }))).toEqual([]);
    });

    test("that were read are nothing that arrived", () => {
      const forgot = { ...RUNNING.tried, forget: tried(NOW - 2 * DAY) };
      const schedule = { ...repository, schedule: "none" };
      const claims = claimsOf((n) => n < 3, 0);
      expect(kinds(deciding({ repository: schedule, state: { ...RUNNING, tried: forgot, claims } }))).toEqual(
        ["nothing-arrived"],
      );
    });

    test("never have a backup age out, and a claim to be one has nothing forgotten", () => {
      const goes = (claims: RepositoryState["claims"]) =>
        deciding({
          repository: { ...repository, keep: { ...KEEP, within: 0, weeks: 0 }, schedule: "none" },
          state: { ...RUNNING, claims },
        }).plan?.forget;
      const all = Array.from({ length: 11 }, (_, n) => name(n + 7));
      expect(goes({})).toEqual(all);
      // The seven days of the last backups stay beside those of the reports.
      expect(goes(claimsOf((n) => n < 7))).toEqual(Array.from({ length: 4 }, (_, n) => name(n + 14)));
      fc.assert(
        fc.property(fc.array(fc.boolean(), { minLength: 18, maxLength: 18 }), (reports) => {
          const less = goes(claimsOf((n) => reports[n] === true)) ?? [];
          expect(all).toEqual(expect.arrayContaining([...less]));
        }),
      );
    });
  });

  test("objects that were put again no longer pause once each of their versions was judged", () => {
    const judged = (...versions: string[]) =>
      kinds(deciding({ putAgain, approval: { at: NOW, forget: [], versions } }));
    expect(judged("v1")).toEqual(["put-again"]);
    expect(judged("v1", "v2")).toEqual([]);
  });
});

describe("approval", () => {
  const first = { ...RUNNING, tried: { guard: tried(NOW - 2 * DAY) } };

  test("the first plan that forgets anything waits for it", () => {
    const decision = deciding({ state: first });
    expect(decision).toMatchObject({
      forget: [],
      plan: { waits: expect.stringMatching(/^3 snapshots of 18/) },
    });
    expect(kinds(decision)).toEqual(["waits-for-approval"]);
    expect(deciding({ state: first, snapshots: snapshots(14) }).pauses).toEqual([]);
  });

  test("lets it begin, with those that became due since then", () => {
    const decision = deciding({ state: first, approval: approvalOf(15, 16) });
    expect(decision.pauses).toEqual([]);
    expect(decision.forget).toEqual([14, 15, 16].map(name));
  });

  test("of other snapshots is none", () => {
    expect(kinds(deciding({ state: first, approval: approvalOf(1, 2, 3) }))).toEqual(["waits-for-approval"]);
    expect(deciding({ state: first, approval: approvalOf(1, 2, 3) }).forget).toEqual([]);
  });

  test("of some lets these go, while the others wait if they are too many", () => {
    const goes = deciding({ snapshots: snapshots(33) }).plan?.forget ?? [];
    expect(goes.length).toBeGreaterThan(33 / 4);
    const [one = "", ...others] = goes;
    const approval = { at: NOW, forget: [one], versions: [] };
    const many = { ...settings, approval: { snapshots: 2, share: 1 } };
    const some = deciding({ snapshots: snapshots(33), settings: many, approval });
    expect(kinds(some)).toEqual(["waits-for-approval"]);
    expect(some.forget).toEqual([one]);
    expect(some.actions).toContain("forget");
    const all = deciding({ snapshots: snapshots(33), approval: { ...approval, forget: [one, ...others] } });
    expect([kinds(all), all.forget]).toEqual([[], goes]);
  });

  test("is needed for more than a number", () => {
    const few = { ...settings, approval: { snapshots: 2, share: 1 } };
    expect(deciding({ settings: few }).plan?.waits).toBe("3 snapshots of 18 would go, more than 2 at once");
    expect(deciding({ settings: { ...few, approval: { snapshots: 3, share: 1 } } }).pauses).toEqual([]);
  });
});

describe("arrivals", () => {
  test("only ever become earlier, whatever is listed and in whatever order", () => {
    const ids = fc.constantFrom(...["a", "b", "c", "__proto__", "constructor"]);
    const listing = fc.uniqueArray(fc.record({ id: ids, arrived: fc.oneof(fc.nat(), fc.constant(NaN)) }), {
      selector: ({ id }) => id,
    });
    fc.assert(
      fc.property(fc.array(listing), (listings) => {
        let known: Record<string, number> = {};
        for (const listed of listings) {
          const next = mergedArrivals(known, listed);
          for (const [id, time] of Object.entries(known)) expect(next[id]).toBeLessThanOrEqual(time);
          for (const { id, arrived } of listed) {
            if (Number.isFinite(arrived))
              expect(Object.getOwnPropertyDescriptor(next, id)?.value).toBeLessThanOrEqual(arrived);
          }
          known = next;
        }
      }),
    );
  });

  test("of snapshots that are gone are remembered, the latest ten thousand", () => {
    const gone = Object.fromEntries(Array.from({ length: 10_002 }, (_, n) => [name(n), n]));
    const merged = mergedArrivals(gone, [{ id: name(0), arrived: 5 }]);
    expect(Object.keys(merged)).toHaveLength(10_001);
    expect(merged[name(0)]).toBe(0);
    expect(merged[name(1)]).toBeUndefined();
    expect(merged[name(2)]).toBe(2);
  });
});

const RESULT: Result = {
  findings: [],
  done: { guard: { ok: true, detail: "12 packs" }, check: { ok: true, detail: "no errors" } },
  verified: true,
  readBytes: 10,
  claims: {},
};
const job = (...actions: Action[]) => ({ actions });

describe("after a run", () => {
  test("the claims of the snapshots that arrived last stay, so that no attacker makes the state grow", () => {
    const ids = Array.from({ length: 10_002 }, (_, at) => at.toString(16).padStart(64, "0"));
    const arrivals = Object.fromEntries(ids.map((id, at) => [id, NOW - at]));
    const claims = Object.fromEntries(ids.map((id) => [id, { time: "", hostname: "" }]));
    const known = { ...RUNNING, arrivals, claims: Object.fromEntries(Object.entries(claims).slice(5000)) };
    const after = afterRun(NOW, known, job("guard"), { ...RESULT, claims });
    expect(Object.keys(after.claims).sort()).toEqual(ids.slice(0, 10_000));
  });

  test("each action that was tried has its outcome, and when it last succeeded", () => {
    const failing = afterRun(NOW, RUNNING, job("guard", "check"), {
      ...RESULT,
      done: { guard: { ok: true, detail: "12 packs" }, check: { ok: false, detail: "pack is damaged" } },
    });
    expect(failing.tried).toEqual({
      ...RUNNING.tried,
      guard: { at: NOW, ok: true, detail: "12 packs", succeeded: NOW },
      check: {
        at: NOW,
        ok: false,
        detail: "pack is damaged",
        succeeded: NOW - 20 * DAY,
        failingSince: NOW,
      },
    });
    const again = afterRun(NOW + 1, failing, job("check"), {
      ...RESULT,
      done: { check: { ok: false, detail: "" } },
    });
    expect(again.tried.check).toMatchObject({ at: NOW + 1, failingSince: NOW });
    expect(afterRun(NOW + 2, again, job("check"), RESULT).tried.check).toEqual({
      at: NOW + 2,
      ok: true,
      detail: "no errors",
      succeeded: NOW + 2,
    });
  });

  test("that ended without a result all its actions failed, and nothing counts as verified", () => {
    const state = afterRun(NOW, RUNNING, job("guard", "prune"), undefined);
    expect(state.tried.guard).toMatchObject({ at: NOW, ok: false });
    expect(state.tried.prune).toMatchObject({ at: NOW, ok: false });
    expect(state.tried.check).toEqual(RUNNING.tried.check);
    expect(state.verified).toBe(false);
  });

  test("an action that was not of the job has no outcome", () => {
    expect(afterRun(NOW, RUNNING, job("guard"), RESULT).tried.check).toEqual(RUNNING.tried.check);
  });

  test("findings stand until a guard that was complete has none", () => {
    const finding = { kind: "k", objects: ["data/1"], why: "w" };
    const found = afterRun(NOW, RUNNING, job("guard"), { ...RESULT, findings: [finding], verified: false });
    expect(found).toMatchObject({ findings: [finding], verified: false });
    const failed = afterRun(NOW, found, job("guard"), {
      ...RESULT,
      done: { guard: { ok: false, detail: "" } },
    });
    expect(failed).toMatchObject({ findings: [finding], verified: false });
    expect(afterRun(NOW, found, job("guard"), undefined).findings).toEqual([finding]);
    expect(afterRun(NOW, failed, job("guard"), RESULT)).toMatchObject({ findings: [], verified: true });
  });

  test("the key that was pinned stays", () => {
    const pinned = afterRun(NOW, RUNNING, job("guard"), { ...RESULT, keyId: "k1" });
    expect(pinned.keyId).toBe("k1");
    expect(afterRun(NOW, pinned, job("guard"), { ...RESULT, keyId: "k2" }).keyId).toBe("k1");
  });

  test("claims are kept of snapshots that are known alone", () => {
    const state = { ...RUNNING, arrivals: { a: 1, b: 2 }, claims: { a: { time: "t", hostname: "h" } } };
    const claim = { time: "2099", hostname: "web" };
    expect(afterRun(NOW, state, job("guard"), { ...RESULT, claims: { b: claim, c: claim } }).claims).toEqual({
      a: { time: "t", hostname: "h" },
      b: claim,
    });
  });
});

describe("the data check", () => {
  test("reads in parts of equal size, each within the bytes of a run", () => {
    fc.assert(
      fc.property(fc.nat(1e9), fc.integer({ min: 1, max: 1e6 }), (data, read) => {
        const parts = partsOf(data, read);
        expect(Number.isInteger(Math.log2(parts))).toBe(true);
        expect(data / parts).toBeLessThanOrEqual(read);
        if (parts > 1) expect(data / (parts / 2)).toBeGreaterThan(read);
      }),
    );
  });

  test("reads every part once, then begins again; a part that failed is repeated", () => {
    let state: RepositoryState = RUNNING;
    const read: string[] = [];
    for (let run = 0; run < 10; run += 1) {
      const due = { ...state, tried: RUNNING.tried };
      const { readData } = deciding({ state: due, dataBytes: 3500 });
      if (readData === undefined) throw new Error("no check");
      const ok = run !== 2;
      read.push(`${String(readData.part)}/${String(readData.of)}`);
      state = afterRun(
        NOW + run,
        state,
        { actions: ["check"], readData },
        { ...RESULT, done: { check: { ok, detail: "" } } },
      );
      if (run === 3) expect(state).toMatchObject({ cycleBegan: NOW, nextPart: { part: 4, of: 4 } });
      if (run === 4) {
        expect(state).toMatchObject({ allDataRead: NOW + 4, nextPart: { part: 1, of: 4 } });
        expect(state.cycleBegan).toBeUndefined();
      }
    }
    expect(read).toEqual(["1/4", "2/4", "3/4", "3/4", "4/4", "1/4", "2/4", "3/4", "4/4", "1/4"]);
  });

  test.each([
    [{ part: 3, of: 4 }, 900, { part: 3, of: 4 }],
    [{ part: 3, of: 4 }, 4001, { part: 1, of: 8 }],
    [{ part: 1, of: 4 }, 900, { part: 1, of: 1 }],
  ])("after %j of data that has become %i bytes comes %j", (nextPart, dataBytes, expected) => {
    expect(deciding({ state: { ...RUNNING, nextPart }, dataBytes }).readData).toEqual(expected);
  });

  test("reads nothing of what restic cannot cut into small enough parts", () => {
    const decision = deciding({ dataBytes: 256_001 });
    expect(decision.actions).toEqual(["guard", "check"]);
    expect(decision.readData).toBeUndefined();
    expect(kinds(decision)).toEqual(["off"]);
  });
});
