/**
 * Recovery on the local cloud's S3, with restic and rclone as an operator has them: a repository is wrecked in
 * every way that the writer's and the keeper's keys allow, and brought back.
 */
import { CACHE } from "../../scripts/dev/cloud";
import { Deployment } from "../../operations/deployment";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { createServer, IncomingMessage, request as forward } from "node:http";
import { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { keystonePrincipal } from "../../plan/bucket-policy";
import { strongestPolicy } from "../harness/strongest-policy";
import { repositoryPassword } from "../../plan/keys";
import { adoptOrCreate } from "../../s3/create";
import { POLICY } from "../../s3/settings/policy";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { run } from "../../operations/transport/run";
import { RecoverManyRequest, RecoverRequest } from "../../operations/recover/arguments";
import { applyActions } from "../../operations/recover/actions";
import { planRecovery } from "../../operations/recover/plan";
import { recoverMany } from "../../operations/recover/many";
import { recover } from "../../operations/recover/recover";
import { restic, ResticTarget } from "../../operations/recover/restic";
import { listVersions } from "../../s3/versions";
import { formUpload } from "../harness/form-upload";
import { Identity, s3Identity } from "../../scripts/dev/s3-identity";
import { SAMPLE_SETTINGS, sampleDeployment } from "../harness/sample-deployment";

jest.setTimeout(240_000);

const BUCKET = `recover-test-${String(process.pid)}-${Date.now().toString(36)}`;
const PREFIX = "web/main/";
const ROOT_KEY = "the root key of a stack";
const GARBAGE = "5e".repeat(32);

const facts = cloudFacts();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "recover-test-"));
const source = path.join(folder, "source");
const address = { endpoint: facts.s3Endpoint, region: "eu-central-1", bucket: BUCKET };
process.env.PATH = `${path.join(CACHE, "artifacts")}:${process.env.PATH ?? ""}`;

let owner: Identity, writer: Identity, keeper: Identity;
/** The snapshots before the attack. */
let first: string, second: string;
let before: number;
let deployment: Deployment;

function keysOf({ accessKeyId, secretAccessKey }: Identity) {
  return { accessKeyId, secretAccessKey };
}

/** The repository with the writer's keys, as the proxy reaches it. */
function asWriter(repository = "main"): ResticTarget {
  return {
    bucket: { ...deployment.bucket, owner: keysOf(writer) },
    client: "web",
    repository,
    password: repositoryPassword(ROOT_KEY, "web", repository),
  };
}

/** Runs restic, which must succeed, and gives what it printed. */
async function succeed(target: ResticTarget, ...args: string[]): Promise<string> {
  let text = "";
  const code = await restic(target, args, { show: (line) => (text += `${line}\n`), seconds: 60 });
  if (code !== 0) throw new Error(`restic ${args[0] ?? ""} ended with ${code}: ${text}`);
  return text;
}

async function backup(target: ResticTarget, ...args: string[]): Promise<string> {
  const text = await succeed(target, "backup", source, ...args);
  return /snapshot ([0-9a-f]+) saved/.exec(text)?.[1] ?? "";
}

/** Runs the tool, and gives its exit status and what it said. */
async function tool(change: Partial<RecoverRequest> = {}, stack = deployment) {
  const said: string[] = [];
  const code = await recover(
    stack,
    { client: "web", repository: "main", at: before, apply: false, ...change },
    (text) => said.push(text),
  );
  return { code, text: said.join("\n") };
}

/** The same for many repositories. */
async function toolForMany(change: Partial<RecoverManyRequest> = {}, stack = deployment) {
  const said: string[] = [];
  const code = await recoverMany(stack, { at: before, apply: false, ...change }, (text) => said.push(text));
  return { code, text: said.join("\n") };
}

/** A time with no event just before or after it, for a service that may report times to the second only. */
async function quietMoment(): Promise<number> {
  await setTimeout(1100);
  const moment = Date.now();
  await setTimeout(1100);
  return moment;
}

/** Names of the repository's objects that are there now. */
async function present(kind = ""): Promise<string[]> {
  const entries = await listVersions(owner.s3, address, PREFIX + kind);
  return entries.filter(({ latest, marker }) => latest && !marker).map(({ key }) => key);
}

async function versionIds(prefix = ""): Promise<string[]> {
  const entries = await listVersions(owner.s3, address, prefix);
  return entries.filter(({ marker }) => !marker).map(({ versionId }) => versionId);
}

const put = (key: string, body: string | Buffer = "garbage of an attacker") =>
  writer.s3.putObject({ Bucket: BUCKET, Key: PREFIX + key, Body: body });

/** What an attacker does. */
const deleteAll = async () => {
  for (const Key of await present()) await keeper.s3.deleteObject({ Bucket: BUCKET, Key });
};
const overwriteAll = async () => {
  await overwrite(await present());
};
const overwrite = async (keys: string[]) => {
  for (const Key of keys) {
    await writer.s3.putObject({ Bucket: BUCKET, Key, Body: `overwritten ${Key}` });
  }
};
/** With their own customer key an attacker could write versions of the same size and ETag that nobody else can read. */
const putAllAgain = async () => {
  for (const Key of await present()) {
    const { Body } = await writer.s3.getObject({ Bucket: BUCKET, Key });
    await writer.s3.putObject({ Bucket: BUCKET, Key, Body: await Body?.transformToByteArray() });
  }
};
/** Of S3's full length: it leaves no room for `.quarantine/…` before it. */
const LONG = `data/5e/${"k".repeat(1024 - PREFIX.length - 8)}`;
const addGarbage = async () => {
  for (const kind of ["keys", "index", "snapshots", "data/5e"]) await put(`${kind}/${GARBAGE}`);
  // A pack with the right name for its content: restic alone would not find it strange.
  const pack = randomBytes(4096);
  const name = createHash("sha256").update(pack).digest("hex");
  await put(`data/${name.slice(0, 2)}/${name}`, pack);
  for (const key of ["keys/\u0001 +%41&é", "data/../keys/x", "/twice", "config/x", "keys/\u009b2J", LONG]) {
    await put(key);
  }
};
const addFutureSnapshot = () => backup(asWriter(), "--no-lock", "--time", "2099-01-01 00:00:00");
const addLocks = async () => {
  for (const name of [GARBAGE, "ab".repeat(32)]) await put(`locks/${name}`);
};

beforeAll(async () => {
  const { projects } = facts;
  [owner, writer, keeper] = (await Promise.all(
    [projects.owner, projects.writer, projects.keeper].map(s3Identity),
  )) as [Identity, Identity, Identity];
  await adoptOrCreate(owner.s3, address, owner);
  await settle(VERSIONING, owner.s3, address, true);
  const policy = strongestPolicy({
    bucket: BUCKET,
    owner: keystonePrincipal(projects.owner),
    writer: keystonePrincipal(projects.writer),
    keeper: keystonePrincipal(projects.keeper),
  });
  await settle(POLICY, owner.s3, address, policy);
  deployment = sampleDeployment({
    bucket: {
      ...address,
      policy,
      owner: keysOf(owner),
      writer: keysOf(writer),
      keeper: keysOf(keeper),
      versioning: true,
      noncurrentVersionDays: 30,
    },
    clients: [
      {
        name: "web",
        kind: "vm",
        frozen: true,
        repositories: [
          {
            ...SAMPLE_SETTINGS,
            publicKey: "",
            password: repositoryPassword(ROOT_KEY, "web", "main"),
          },
        ],
      },
    ],
    repositoryRootKey: ROOT_KEY,
  });

  fs.mkdirSync(path.join(source, "sub folder"), { recursive: true });
  for (let i = 0; i < 40; i += 1) {
    fs.writeFileSync(path.join(source, `sub folder/${i}`), randomBytes(i * 3000));
  }
  for (const repository of ["main", "gone"]) await succeed(asWriter(repository), "init");
  first = await backup(asWriter());
  fs.writeFileSync(path.join(source, "later"), "written after the first backup");
  second = await backup(asWriter());
  await backup(asWriter("gone"));
  before = await quietMoment();
});

afterAll(async () => {
  fs.rmSync(folder, { recursive: true });
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });
  await owner.s3
    .putBucketPolicy({ Bucket: BUCKET, Policy })
    .catch(() => owner.s3.deleteBucketPolicy({ Bucket: BUCKET }));
  const rest = await listVersions(owner.s3, address, "");
  const clean = async () => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      await owner.s3.deleteObject({ Bucket: BUCKET, Key: next.key, VersionId: next.versionId });
    }
  };
  await Promise.all(Array.from({ length: 8 }, clean));
  // It stays where a test put in what no request can name.
  await owner.s3.deleteBucket({ Bucket: BUCKET }).catch((error: unknown) => {
    expect(String(error)).toContain("BucketNotEmpty");
  });
  await Promise.all([owner, writer, keeper].map((identity) => identity.forget()));
});

/** The repository is whole: for restic with every byte read and with the writer's keys, and in a restore. */
async function expectWhole(): Promise<void> {
  await succeed(asWriter(), "check", "--read-data");
  const snapshots = JSON.parse(await succeed(asWriter(), "snapshots", "--json")) as { short_id: string }[];
  expect(snapshots.map(({ short_id }) => short_id).sort()).toEqual([first, second].sort());
  const target = fs.mkdtempSync(path.join(folder, "restored-"));
  await succeed(asWriter(), "restore", second, "--target", target);
  await run("diff", ["-r", source, path.join(target, source)]);
}

/** The keys that a recovery moved away, by what it said. */
async function movedAway(said: string): Promise<string[]> {
  const run = /\.quarantine\/[0-9TZ]+\//.exec(said)?.[0] ?? "none";
  const entries = await listVersions(owner.s3, address, run);
  return entries.map(({ key }) => key.slice(run.length));
}

test.each([
  ["everything deleted with the keeper's keys", [deleteAll]],
  ["packs, index, config, keys and snapshots overwritten with the writer's keys", [overwriteAll]],
  ["the same content put again with the writer's keys", [putAllAgain]],
  ["a garbage key, index, snapshot and pack, and names that no program expects", [addGarbage]],
  ["a snapshot dated 2099, and stale locks", [addFutureSnapshot, addLocks]],
])("%s: is undone, and nothing is lost", async (_name, attacks) => {
  const good = await present();
  const trusted = await versionIds();
  for (const attack of attacks) await attack();
  const versions = await versionIds();
  const added = (await present()).filter((key) => !good.includes(key));

  const { code, text } = await tool({ apply: true });
  expect(text).toContain("is clean");
  expect(code).toBe(0);
  await expectWhole();
  expect(await present()).toEqual(good);
  const copied = added.filter((key) => key !== PREFIX + LONG);
  expect(await movedAway(text)).toEqual([...copied, "web/main.1.json"].sort());
  expect(text.includes(LONG)).toBe(added.length > copied.length);
  expect(text).not.toMatch(/[\u0080-\u009f]/);
  expect(await versionIds()).toEqual(expect.arrayContaining(versions));
  const top = (await listVersions(owner.s3, address, PREFIX)).filter(
    ({ latest, marker }) => latest && !marker,
  );
  const mistrusted = versions.filter((id) => !trusted.includes(id));
  expect(top.filter(({ versionId }) => mistrusted.includes(versionId))).toEqual([]);
});

describe("all of it at once, again and again", () => {
  let good: string[], versions: string[];

  beforeAll(async () => {
    good = await present();
    await addFutureSnapshot();
    await overwrite(good.slice(0, 6));
    await deleteAll();
    await addGarbage();
    await addLocks();
    await overwriteAll();
    for (const Key of good.slice(0, 3)) {
      await overwrite([Key]);
      await keeper.s3.deleteObject({ Bucket: BUCKET, Key });
    }
    for (const path of [".canary/verify/config", ".canary/proof/keys/undeletable", "web/mainly/config"]) {
      await writer.s3.putObject({ Bucket: BUCKET, Key: path, Body: "not of this repository" });
    }
    versions = await versionIds();
  });

  test("the plan shows what was done, by whom, and the snapshots; it changes nothing", async () => {
    const { code, text } = await tool();
    expect(code).toBe(0);
    for (const line of [
      /^ +deleted +overwritten +added$/m,
      /^ {2}config +0 +1 +0$/m,
      /^ {2}unchanged: \d+; locks: 2$/m,
      /^Deleted since.*\n {2}from .* to .*, by the keeper$/m,
      /^Overwritten since.*\n {2}from .* to .*, by the writer\n {4}config {2}20\S+ by the writer$/m,
      /^Added since.*\n {2}from .* to .*, by the writer$/m,
      new RegExp(`^${first} `, "m"),
      new RegExp(`^${second} `, "m"),
      /^ {2}npm run recover -- --client web --repository main --at \S+Z --apply$/m,
    ]) {
      expect(text).toMatch(line);
    }
    expect(text).not.toMatch(/2099|Warning/);
    expect(await versionIds()).toEqual(versions);
  });

  test("the repository at that time can be read, and is complete", async () => {
    const target = path.join(folder, "view");
    const { code } = await tool({ restic: ["restore", second, "--target", target, "--quiet"] });
    expect(code).toBe(0);
    await run("diff", ["-r", source, path.join(target, source)]);
    expect(await versionIds()).toEqual(versions);
  });

  test("one S3 identity for all: nothing is changed, and the remedy is named", async () => {
    const bucket = { ...deployment.bucket };
    delete bucket.writer;
    await expect(tool({ apply: true }, { ...deployment, bucket })).rejects.toThrow(/s3\.identities\.writer/);
    expect(await versionIds()).toEqual(versions);
  });

  test("no versions kept now: nothing is changed, and the remedy is named", async () => {
    await settle(VERSIONING, owner.s3, address, false);
    try {
      await expect(tool({ apply: true })).rejects.toThrow(/s3\.versioning/);
      expect((await tool()).text).toContain("cannot be applied");
    } finally {
      await settle(VERSIONING, owner.s3, address, true);
    }
    expect(await versionIds()).toEqual(versions);
  });

  test("an interrupted recovery continues, and everything is recovered", async () => {
    const { actions } = planRecovery(await listVersions(owner.s3, address, PREFIX), {
      ...{ prefix: PREFIX, at: before, quarantine: ".quarantine/interrupted" },
    });
    const half = actions.filter((_, i) => i % 2 === 0);
    const quiet = { record: () => Promise.resolve(), progress: () => undefined };
    await applyActions(owner.s3, { address, actions: half, ...quiet });
    const { code, text } = await tool({ apply: true });
    expect(text).toContain("is clean");
    expect(code).toBe(0);
    await expectWhole();
    expect(await present()).toEqual(good);
    expect(await versionIds()).toEqual(expect.arrayContaining(versions));
  });

  test("another run changes nothing", async () => {
    const entries = await listVersions(owner.s3, address, "");
    const { code, text } = await tool({ apply: true });
    expect(text).toContain("nothing was changed");
    expect(code).toBe(0);
    expect(await listVersions(owner.s3, address, "")).toEqual(entries);
  });

  test("nothing else in the bucket was changed", async () => {
    for (const prefix of [".canary/", "web/mainly/", "web/gone/"]) {
      const entries = await listVersions(owner.s3, address, prefix);
      expect(entries.length).toBeGreaterThan(0);
      expect(entries.filter(({ marker, key }) => marker && !key.includes("/locks/"))).toEqual([]);
    }
  });
});

/** Forwards to the S3 service, but answers for it where an answer is given. */
async function between(answerFor: (request: IncomingMessage) => [number, string] | undefined) {
  const { hostname, port } = new URL(facts.s3Endpoint);
  const server = createServer((request, response) => {
    const answer = answerFor(request);
    if (answer !== undefined) {
      request.resume().on("end", () => {
        const [status, code] = answer;
        response.writeHead(status, { "content-type": "application/xml" });
        response.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`);
      });
      return;
    }
    const { method, url, headers } = request;
    const onward = forward({ hostname, port, method, path: url, headers }, (back) => {
      response.writeHead(back.statusCode ?? 500, back.headers);
      back.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    deployment: { ...deployment, bucket: { ...deployment.bucket, endpoint } },
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe("a recovery that meets", () => {
  test("a full bucket does everything that needs no space, and continues when there is space", async () => {
    const good = await present();
    const [overwritten = "", ...others] = good;
    await overwrite([overwritten]);
    for (const Key of others) await keeper.s3.deleteObject({ Bucket: BUCKET, Key });
    await addGarbage();
    process.env.XDG_STATE_HOME = folder;
    {
      using full = await between(({ method }) => (method === "PUT" ? [403, "QuotaExceeded"] : undefined));
      const { code, text } = await tool({ apply: true }, full.deployment);
      expect(code).toBe(1);
      expect(text).toMatch(/^1 files could NOT be recovered.*\n {2}put-back \S+: QuotaExceeded/m);
      expect(text).toMatch(
        /^11 added files could not be copied .* 30 days:(\n {2}.*)*\n {2}.+: QuotaExceeded/m,
      );
      expect(text).toContain("is NOT clean: it lacks what could not be recovered");
      const record = / this machine, in (\S+web\/main\.1\.json) /.exec(text)?.[1] ?? "";
      const { actions } = JSON.parse(fs.readFileSync(record, "utf8")) as { actions: { does: string }[] };
      expect(actions.map(({ does }) => does)).toEqual(others.map(() => "undelete"));
    }
    expect(await present()).toEqual(good);
    const { code, text } = await tool({ apply: true });
    expect(text).toContain("is clean");
    expect(code).toBe(0);
    await expectWhole();
  });

  test("an object that the service cannot copy hides it, and does everything else", async () => {
    const good = await present();
    await addGarbage();
    await put("locks/unreadable");
    using broken = await between(({ headers }) =>
      String(headers["x-amz-copy-source"]).includes("/locks/") ? [400, "InvalidRequest"] : undefined,
    );
    const { code, text } = await tool({ apply: true }, broken.deployment);
    expect(text).toMatch(
      /^2 added files could not be copied .*(\n {2}.*)*locks\/unreadable: InvalidRequest/m,
    );
    expect(text).toContain("is clean");
    expect(code).toBe(0);
    expect(await present()).toEqual(good);
  });

  test("a check that does not finish makes no statement about the repository", async () => {
    const clients = deployment.clients.map((client) => ({
      ...client,
      repositories: client.repositories.map((each) => ({ ...each, password: "another" })),
    }));
    const { code, text } = await tool({ apply: true }, { ...deployment, clients });
    expect(text).toMatch(/did not finish \(exit status 12\)/);
    expect(text).not.toMatch(/is clean|NOT clean/);
    expect(code).toBe(1);
  });

  test("a repository that was damaged at that time says so, and an earlier time works", async () => {
    await put(`snapshots/${GARBAGE}`);
    const { code, text } = await tool({ apply: true, at: await quietMoment() });
    expect(text).toContain("is NOT clean: it was damaged before");
    expect(code).toBe(1);
    expect((await tool({ apply: true })).code).toBe(0);
  });
});

test("objects whose names are not UTF-8 or not XML do not stop a recovery", async () => {
  // Through the form upload the writer may give any name, even one that no other request can name again.
  for (const folder of ["keys", "index", "snapshots", "data", "data/5e", "locks", "\xff"]) {
    const key = Buffer.from(`${PREFIX}${folder}/\xff`, "latin1");
    expect(await formUpload(address, writer, key, "garbage")).toBe(204);
  }
  await put("snapshots/\u0001", "garbage");
  await overwriteAll();
  const { code, text } = await tool({ apply: true });
  expect(text).toContain("7 more versions have names that are not valid UTF-8.");
  expect(code).toBe(0);
  await expectWhole();
});

test("a file that is added during the check is reported, and the recovery fails", async () => {
  let added: Promise<unknown> | undefined;
  const said: string[] = [];
  const request = { client: "web", repository: "main", at: before, apply: true };
  const code = await recover(deployment, request, (text) => {
    said.push(text);
    if (text.includes("restic check (")) added = put(`data/5e/${GARBAGE}`);
  });
  await added;
  expect(said.join("\n")).toContain(`But 1 file was added, changed or hidden in ${PREFIX} meanwhile`);
  expect(code).toBe(1);
  expect((await tool({ apply: true })).code).toBe(0);
});

describe("many repositories at once", () => {
  // web/mainly, of a test above, has a file config and is no repository of restic's.
  test("those that can be are recovered, removed ones too; those that began later are named", async () => {
    await overwriteAll();
    for (const key of ["config", "keys"]) {
      for (const one of await listVersions(owner.s3, address, `web/gone/${key}`)) {
        await keeper.s3.deleteObject({ Bucket: BUCKET, Key: one.key });
      }
    }
    await succeed(asWriter("young"), "init");
    for (const key of ["web/never/data/x", "web/x y/config", ".canary/verify/config", "zz"]) {
      await writer.s3.putObject({ Bucket: BUCKET, Key: key, Body: "no repository" });
    }

    const { code, text } = await toolForMany({ apply: true });
    expect(text).toContain(
      "\nNot touched, because they belong to no client of the stack and began later: web/mainly, web/young.\n",
    );
    expect(text.trim().split("\n").at(-1)).toBe("2 repositories: all recovered.");
    expect(code).toBe(0);
    await expectWhole();
    await succeed(asWriter("gone"), "check", "--read-data");
  });

  test("all of a client are shown", async () => {
    const { code, text } = await toolForMany({ client: "web", at: await quietMoment() });
    expect(text.match(/^==> .*$/gm)).toEqual(
      ["main", "gone", "mainly", "young"].map((name) => `==> web/${name}`),
    );
    expect(text).toContain("1 of 4 repositories could NOT be read at that time, see above: web/mainly.");
    expect(code).toBe(1);
  });

  test("one of the stack that the bucket does not have is named", async () => {
    const clients = deployment.clients.map((client) => ({
      ...client,
      repositories: client.repositories.flatMap((one) => [one, { ...one, name: "lost" }]),
    }));
    const { code, text } = await toolForMany({ client: "web" }, { ...deployment, clients });
    expect(text).toMatch(/^==> web\/lost\n\n?recover: .* no repository web\/lost .* no other time helps/m);
    expect(text).toMatch(/ repositories could NOT be read at that time, see above: web\/lost/);
    expect(code).toBe(1);
  });

  test("a client without any in the bucket is an error that names those of the stack", async () => {
    await expect(toolForMany({ client: "wbe" })).rejects.toThrow(/--client: .* of wbe; .* are web$/);
  });
});

describe("the request", () => {
  test("a removed repository opens with its derived password, with a warning", async () => {
    const { code, text } = await tool({ repository: "gone" });
    expect(text).toMatch(/^1 snapshot$/m);
    expect(text).toMatch(/Warning: web\/gone belongs to no client .* add the client with that/);
    expect(code).toBe(0);
  });

  test.each([
    [{ client: "wbe" }, /--client: .* wbe\/main.*; there are web\/main$/],
    [{ repository: "files" }, /--repository: .* web\/files.*; there are web\/main$/],
  ])("an unknown name is an error that lists the known ones: %j", async (change, message) => {
    await expect(tool(change)).rejects.toThrow(message);
  });

  test("a time before the repository is an error that names the first that works", async () => {
    const at = before - 3600_000;
    const error = await tool({ at, apply: true }).catch((e: unknown) => String(e));
    const from = /give a time from (\S+) on/.exec(error as string)?.[1] ?? "";
    expect((await tool({ at: Date.parse(from) })).text).toContain("as it was");
  });

  test("a service that does not answer is an error that names its endpoint", async () => {
    const bucket = { ...deployment.bucket, endpoint: "http://127.0.0.1:9" };
    await expect(tool({}, { ...deployment, bucket })).rejects.toThrow(/127\.0\.0\.1:9.*ECONNREFUSED/);
  });

  test("a client that is not frozen, and a time before the oldest kept versions, are warnings", async () => {
    const clients = deployment.clients.map((client) => ({ ...client, frozen: false }));
    const bucket = { ...deployment.bucket, noncurrentVersionDays: 0 };
    const { text } = await tool({}, { ...deployment, clients, bucket });
    expect(text).toMatch(/Warning: the client web is not frozen/);
    expect(text).toMatch(/Warning: the bucket keeps old versions for 0 days/);
  });
});
