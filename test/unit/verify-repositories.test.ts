import { type DeployedClient } from "../../operations/deployment";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  judgeRepository,
  probeRepositories,
  strays,
  type SeenRepository,
} from "../../operations/verify/bucket/repositories";
import { judgeClock, s3Clock } from "../../operations/verify/clock";
import type { Verdict } from "../../operations/verify/probe";
import { S3Store } from "../harness/s3-store";
import { SAMPLE_SETTINGS, sampleBucket, sampleDeployment } from "../harness/sample-deployment";

const NOW = Date.parse("2026-11-28T12:00:00Z");
const DAY = 24 * 3600 * 1000;

function client(name: string, change: Partial<DeployedClient> = {}): DeployedClient {
  const repository = { ...SAMPLE_SETTINGS, publicKey: "", password: "p" };
  return { name, kind: "existing", frozen: false, repositories: [repository], ...change };
}

describe("a repository", () => {
  const there: SeenRepository = { there: true, above: false, snapshots: { count: 2, newest: NOW - DAY } };
  const never = { ...there, snapshots: { count: 0 } };
  const old = { ...there, snapshots: { count: 9, newest: NOW - 7 * DAY } };
  const missing = { ...never, there: false };
  const above = { ...missing, above: true };
  const [keyOnly, frozen] = [client("web", { kind: "key-only" }), client("web", { frozen: true })];
  test.each<[string, DeployedClient, SeenRepository, boolean | "open", RegExp, RegExp | undefined]>([
    [
      "backed up yesterday",
      client("web"),
      there,
      true,
      /2 snapshots, the last one of 2026-11-27T12/,
      undefined,
    ],
    ["silent for a week", client("web"), old, false, /NOTHING for 7 days/, /restic-backup --status main/],
    ["never backed up", client("web"), never, false, /NOTHING was ever/, /restic-backup --status main/],
    ["missing", client("web"), missing, false, /^it is NOT there$/, /pulumi up --replace URN/],
    [
      "in the wrong place",
      client("web"),
      above,
      false,
      /one right below web\//,
      /A repository in the wrong place/,
    ],
    ["a key-only client's that is silent", keyOnly, old, false, /NOTHING for 7 days/, /restic-backup/],
    ["a key-only client's that never was used", keyOnly, never, "open", /NOTHING was ever/, /restic-backup/],
    ["a key-only client's that is missing", keyOnly, missing, "open", /NOT there/, /operator of web/],
    ["a key-only client's in the wrong place", keyOnly, above, false, /right below/, /wrong place/],
    ["a frozen client's that is silent", frozen, old, true, /web is frozen/, undefined],
    ["a frozen client's that is missing", frozen, missing, "open", /NOT there/, /nothing, or/],
  ])("%s", (_what, whose, seen, holds, happened, remedy) => {
    const judged = judgeRepository(whose, "main", seen, NOW);
    expect(judged).toMatchObject({ holds, happened: expect.stringMatching(happened) });
    if (remedy === undefined) expect(judged.remedy).toBeUndefined();
    else expect(judged.remedy).toMatch(remedy);
  });
});

test("what belongs in a folder depends on what the folder is", () => {
  expect(strays("bucket", ["web/", "old/", ".canary/", "config"])).toEqual(["config"]);
  expect(strays("client", ["main/", "renamed/", "config", "data/", "keys/"])).toEqual([
    "config",
    "data/",
    "keys/",
  ]);
  expect(
    strays("repository", ["config", "data/", "index/", "keys/", "locks/", "snapshots/", "x", "y/"]),
  ).toEqual(["x", "y/"]);
});

describe("the bucket's repositories", () => {
  let store: S3Store;
  beforeEach(async () => {
    store = await S3Store.start("b");
    const put = (key: string, modified = Date.now() - DAY) => {
      store.objects.set(key, Buffer.from("x"));
      store.modified.set(key, modified);
    };
    put("web/main/config");
    put("web/main/snapshots/1", Date.now() - 30 * DAY);
    put("web/main/snapshots/2");
    put("db/config");
    put("db/keys/1");
    put("removed/main/config");
    put(".canary/verify/config");
  });
  afterEach(() => store.stop());

  const verdicts = async (clients: DeployedClient[]): Promise<[string, Verdict, string][]> => {
    const bucket = sampleBucket({ endpoint: store.endpoint });
    const findings = await probeRepositories(sampleDeployment({ bucket, clients }));
    return findings.map(({ id, verdict, happened }) => [id, verdict, happened]);
  };

  test("are found, missed, misplaced, and what lies beside them is named", async () => {
    expect(
      await verdicts([client("web"), client("db"), client("new"), client("gone", { kind: "key-only" })]),
    ).toEqual([
      ["repository.web.main", "pass", expect.stringMatching(/^it is there, with 2 snapshots/)],
      ["repository.db.main", "FAIL", "it is NOT there, and there is one right below db/"],
      ["repository.new.main", "FAIL", "it is NOT there"],
      ["repository.gone.main", "open", "it is NOT there"],
      ["repository.beside", "FAIL", "there is db/config, db/keys/"],
      ["s3.clock", "pass", "less than 60 s apart"],
    ]);
  });

  test("are all right where they are", async () => {
    expect((await verdicts([client("web")])).map(([id, verdict]) => `${verdict} ${id}`)).toEqual([
      "pass repository.web.main",
      "pass repository.beside",
      "pass s3.clock",
    ]);
  });

  test("are unknown where the service does not answer, never missing", async () => {
    store.answer = ({ method }) => (method === "GET" ? 403 : undefined);
    expect((await verdicts([client("web")])).map(([id, verdict]) => `${verdict} ${id}`)).toEqual([
      "unknown repository.web.main",
      "unknown repository.beside",
      "pass s3.clock",
    ]);
  });

  test("a service whose clock is off is a finding", async () => {
    store.ahead = 120;
    const [, , clock] = await verdicts([client("web")]);
    expect(clock).toEqual([
      "s3.clock",
      "FAIL",
      expect.stringMatching(/^it is 1[12]\d s ahead of the clock of this/),
    ]);
    const { shown, latest } = await s3Clock(store.endpoint);
    expect(shown - latest).toBeGreaterThan(100_000);
  });
});

describe("a clock", () => {
  test.each<[string, number, boolean, string]>([
    ["that is right", 0, true, "less than 60 s apart"],
    ["that is right for all that is known", 30, true, "less than 60 s apart"],
    ["a minute behind", -60, true, "less than 60 s apart"],
    ["more than that behind", -61, false, "it is 61 s behind the clock of this machine"],
    ["more than that ahead", 91, false, "it is 61 s ahead of the clock of this machine"],
  ])("%s, where the answer took 30 s", (_what, seconds, holds, happened) => {
    const reading = { shown: NOW + seconds * 1000, earliest: NOW, latest: NOW + 30_000 };
    expect(judgeClock(reading)).toEqual({ holds, happened });
  });
  test("that tells nothing is no clock that is right", () => {
    expect(() => judgeClock({ shown: NaN, earliest: NOW, latest: NOW })).toThrow("it reports no time");
  });
});
