/**
 * What verify says of a bucket on a real Ceph RGW with Keystone: green where it is sound, and the one weakness named
 * where it has one. Runs inside the local cloud's network:
 * `scripts/dev/local-cloud/local-cloud exec -- npx jest test/host/verify-bucket`.
 */
import { type DeployedBucket, type Deployment } from "../../operations/deployment";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { keystonePrincipal } from "../../plan/bucket-policy";
import { strongestPolicy } from "../harness/strongest-policy";
import { adoptOrCreate } from "../../s3/create";
import { settleLifecycle } from "../../s3/settings/lifecycle";
import { OBJECT_LOCK } from "../../s3/settings/object-lock";
import { POLICY } from "../../s3/settings/policy";
import { PUBLIC_ACCESS_BLOCK, WANTED_BLOCK } from "../../s3/settings/public-access-block";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import { lifecycleRules } from "../../s3/settings/lifecycle";
import type { BucketAddress } from "../../s3/client";
import { type CloudFacts, cloudFacts } from "../../scripts/dev/local-stack";
import { inParallel } from "../../keeper/parallel";
import { applyActions } from "../../operations/recover/actions";
import { planRecovery } from "../../operations/recover/plan";
import { listVersions } from "../../s3/versions";
import { probeBucket } from "../../operations/verify/bucket/bucket";
import { ec2TokenRequest, s3TokenRequest } from "../../operations/verify/bucket/keystone-token";
import type { OpenStackSession } from "../../operations/verify/openstack/session";
import type { Finding } from "../../operations/verify/probe";
import { type Identity, s3Identity } from "../../scripts/dev/s3-identity";
import { sampleDeployment } from "../harness/sample-deployment";

jest.setTimeout(240_000);

const KEYSTONE = "http://172.24.4.1:5000/v3";
/** Only Keystone's address is asked for here. */
const session: Promise<OpenStackSession> = Promise.resolve({
  endpoint: () => KEYSTONE,
  get: () => Promise.reject(new Error("the bucket's probes ask Keystone alone")),
});

interface Statement {
  Sid: string;
  Principal?: unknown;
  Action: string[];
}

let facts: CloudFacts;
let owner: Identity, writer: Identity, keeper: Identity;
let at: BucketAddress;
let sound: DeployedBucket;

const keysOf = ({ accessKeyId, secretAccessKey }: Identity) => ({ accessKeyId, secretAccessKey });

/** The policy of three identities, with its statements changed. */
function policy(change: (statements: Statement[]) => unknown[] = (statements) => statements): string {
  const arn = (role: keyof CloudFacts["projects"]): string => keystonePrincipal(facts.projects[role]);
  const { Version, Statement } = JSON.parse(
    strongestPolicy({
      bucket: at.bucket,
      owner: arn("owner"),
      writer: arn("writer"),
      keeper: arn("keeper"),
    }),
  ) as { Version: string; Statement: (Omit<Statement, "Action"> & { Action: string | string[] })[] };
  const statements = Statement.map((statement) => ({ ...statement, Action: [statement.Action].flat() }));
  return JSON.stringify({ Version, Statement: change(statements) });
}

/** The policy with an action taken out of the denied ones and given to both hosts. */
function granted(action: string, to: "HostsList" | "HostsRead"): string {
  return policy((statements) =>
    statements.map(({ Action, ...statement }) => {
      if (statement.Sid === to) return { ...statement, Action: [...Action, action] };
      return {
        ...statement,
        Action: Action.filter((one) => one !== action || statement.Sid !== "HostsNeverDestroy"),
      };
    }),
  );
}

async function makeSound(): Promise<void> {
  await settle(VERSIONING, owner.s3, at, true);
  await settle(POLICY, owner.s3, at, sound.policy);
  await settleLifecycle(owner.s3, at, lifecycleRules(30));
  await settle(PUBLIC_ACCESS_BLOCK, owner.s3, at, WANTED_BLOCK);
}

async function lifecycle(rule: object): Promise<void> {
  await owner.s3.putBucketLifecycleConfiguration({
    Bucket: at.bucket,
    LifecycleConfiguration: {
      Rules: [{ ID: "the-only-one", Status: "Enabled", Filter: { Prefix: "" }, ...rule }],
    },
  });
}

function probed(bucket: DeployedBucket, change: Partial<Deployment> = {}): Promise<Finding[]> {
  const deployment = sampleDeployment({
    bucket,
    openRings: [
      { ring: 2, why: "fewer identities", remedy: "give the writer a project" },
      { ring: 3, why: "the account is one", remedy: "copy the bucket" },
    ],
    ...change,
  });
  return probeBucket(deployment, session);
}

/** The same service, as if it did not know one of the bucket's settings. */
function serviceLacking(setting: string): Promise<{ endpoint: string; close: () => void }> {
  return serviceBetween(setting, (_, response) => {
    response.writeHead(501).end("<Error><Code>NotImplemented</Code></Error>");
  });
}

/** The same service, which names the given one as the owner of every version. */
function serviceNaming(owner: string): Promise<{ endpoint: string; close: () => void }> {
  return serviceBetween("versions", (pass, response) => {
    pass((answer) => {
      void text(answer).then((xml) => {
        response.writeHead(answer.statusCode ?? 500).end(xml.replace(/<Owner>.*?<\/Owner>/gs, owner));
      });
    });
  });
}

/** The same service, but for what is asked with a parameter. */
async function serviceBetween(
  parameter: string,
  instead: (
    pass: (take: (answer: IncomingMessage) => void) => void,
    response: ServerResponse,
    url: URL,
  ) => void,
): Promise<{ endpoint: string; close: () => void }> {
  const { hostname, port } = new URL(at.endpoint);
  const server = createServer((request, response) => {
    const { method, url = "", headers } = request;
    // With the Host header as it was signed.
    const pass = (take: (answer: IncomingMessage) => void) => {
      request.pipe(httpRequest({ hostname, port, method, path: url, headers }, take));
    };
    const asked = new URL(url, at.endpoint);
    if (asked.searchParams.has(parameter)) {
      instead(pass, response, asked);
      return;
    }
    pass((answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const withVerdict = (findings: Finding[], verdict: Finding["verdict"]): string[] =>
  findings
    .filter((finding) => finding.verdict === verdict)
    .map(({ id }) => id)
    .sort();

beforeAll(async () => {
  facts = cloudFacts();
  [owner, writer, keeper] = await Promise.all([
    s3Identity(facts.projects.owner),
    s3Identity(facts.projects.writer),
    s3Identity(facts.projects.keeper),
  ]);
  const bucket = `verify-bucket-${String(process.pid)}-${Date.now().toString(36)}`;
  at = { endpoint: facts.s3Endpoint, region: "eu-central-1", bucket };
  sound = {
    ...at,
    owner: keysOf(owner),
    writer: keysOf(writer),
    keeper: keysOf(keeper),
    policy: policy(),
    versioning: true,
    noncurrentVersionDays: 30,
  };
  await adoptOrCreate(owner.s3, at, owner);
  await makeSound();
});

afterAll(async () => {
  const harmless = { Effect: "Deny", Principal: "*", Action: "s3:DeleteBucketWebsite" };
  const Statement = [{ ...harmless, Resource: `arn:aws:s3:::${at.bucket}` }];
  await owner.s3.putBucketPolicy({
    Bucket: at.bucket,
    Policy: JSON.stringify({ Version: "2012-10-17", Statement }),
  });
  const { Versions = [], DeleteMarkers = [] } = await owner.s3.listObjectVersions({ Bucket: at.bucket });
  for (const { Key, VersionId } of [...Versions, ...DeleteMarkers]) {
    await owner.s3.deleteObject({ Bucket: at.bucket, Key, VersionId });
  }
  await owner.s3.deleteBucket({ Bucket: at.bucket });
  await Promise.all([owner, writer, keeper].map((one) => one.forget()));
});

/** What everything else is said to be where one thing is weak. */
function told(findings: Finding[]): Partial<Record<Finding["verdict"], string[]>> {
  const weak = { FAIL: withVerdict(findings, "FAIL"), unknown: withVerdict(findings, "unknown") };
  return Object.fromEntries(Object.entries(weak).filter(([, ids]) => ids.length > 0));
}

test("a sound bucket is green, but for what is known to be open", async () => {
  const findings = await probed(sound);
  expect(findings.filter(({ verdict }) => verdict === "FAIL" || verdict === "unknown")).toEqual([]);
  expect(withVerdict(findings, "open")).toEqual(["s3.ring-3"]);
  expect(new Set(findings.map(({ id }) => id)).size).toBe(findings.length);
  expect(findings.filter(({ verdict, remedy }) => (verdict === "pass") === (remedy !== undefined))).toEqual(
    [],
  );
});

test("nothing is left behind, and no secret is told", async () => {
  const findings = JSON.stringify(await probed(sound));
  for (const { secretAccessKey } of [owner, writer, keeper]) expect(findings).not.toContain(secretAccessKey);
  const { Versions = [], DeleteMarkers = [] } = await owner.s3.listObjectVersions({ Bucket: at.bucket });
  expect([...Versions, ...DeleteMarkers]).toEqual([]);
  expect((await owner.s3.listMultipartUploads({ Bucket: at.bucket })).Uploads ?? []).toEqual([]);
});

test("the requests for a token are signed as Keystone reads them: its own services get one for them", async () => {
  const user = { name: "admin", password: "local", domain: { name: "Default" } };
  const project = { name: "admin", domain: { name: "Default" } };
  const headers = { "content-type": "application/json" };
  const login = await fetch(`${KEYSTONE}/auth/tokens`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      auth: { identity: { methods: ["password"], password: { user } }, scope: { project } },
    }),
  });
  const admin = { ...headers, "x-auth-token": login.headers.get("x-subject-token") ?? "" };
  const asked = (call: string, request: object, headers: Record<string, string>) =>
    fetch(`${KEYSTONE}/${call}`, { method: "POST", headers, body: JSON.stringify(request) });
  for (const [call, request] of [
    ["ec2tokens", (keys: Identity) => ec2TokenRequest(keys, new Date())],
    ["s3tokens", s3TokenRequest],
  ] as const) {
    const given = await asked(call, request(writer), admin);
    const { token } = (await given.json()) as { token: { project: { id: string } } };
    expect([given.status, token.project.id]).toEqual([200, facts.projects.writer]);
    const forged = { ...writer, secretAccessKey: "another" };
    expect((await asked(call, request(forged), admin)).status).toBe(401);
    expect((await asked(call, request(writer), headers)).status).toBe(401);
  }
});

test("a bucket with object lock is green too, is tidied, and a shorter lock is named", async () => {
  const locked = { ...at, bucket: `${at.bucket}-locked` };
  const Bucket = locked.bucket;
  await adoptOrCreate(owner.s3, locked, owner, true);
  try {
    const wanted = { mode: "GOVERNANCE", days: 2 } as const;
    const inForce = sound.policy.replaceAll(`:::${at.bucket}`, `:::${Bucket}`);
    await settle(OBJECT_LOCK, owner.s3, locked, wanted);
    await settleLifecycle(owner.s3, locked, lifecycleRules(30));
    await settle(PUBLIC_ACCESS_BLOCK, owner.s3, locked, WANTED_BLOCK);
    await settle(POLICY, owner.s3, locked, inForce);
    const bucket = { ...sound, bucket: Bucket, policy: inForce, objectLock: wanted };
    const findings = await probed(bucket);
    expect(told(findings)).toEqual({});
    expect(withVerdict(findings, "pass")).toEqual(
      expect.arrayContaining(["s3.object-lock", "s3.writer-puts-object-lock", "s3.keeper-puts-object-lock"]),
    );
    expect((await owner.s3.listObjectVersions({ Bucket })).Versions ?? []).toEqual([]);

    // The lock alone would still refuse to delete a version, as long as nobody passes it by.
    const bypassed = ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"];
    const weak = policy((statements) =>
      statements.map(({ Action, ...statement }) => ({
        ...statement,
        Action:
          statement.Sid === "HostsRead"
            ? [...Action, ...bypassed]
            : Action.filter((one) => !bypassed.includes(one)),
      })),
    ).replaceAll(`:::${at.bucket}`, `:::${Bucket}`);
    await settle(POLICY, owner.s3, locked, weak);
    expect(told(await probed({ ...bucket, policy: weak })).FAIL).toEqual(
      expect.arrayContaining([
        "s3.keeper-deletes-version",
        "s3.writer-deletes-lock-version",
        "s3.writer-deletes-version",
      ]),
    );
    await settle(POLICY, owner.s3, locked, inForce);

    await settle(OBJECT_LOCK, owner.s3, locked, { ...wanted, days: 1 });
    expect(told(await probed(bucket))).toEqual({ FAIL: ["s3.object-lock"] });
  } finally {
    await owner.s3.deleteBucket({ Bucket });
  }
});

describe("one weakness at a time is named, and nothing else", () => {
  afterEach(makeSound);

  /** The same policy in force and in the stack's state: then what it lacks is found by trying alone. */
  async function inForce(changed: string): Promise<Finding[]> {
    await settle(POLICY, owner.s3, at, changed);
    return await probed({ ...sound, policy: changed });
  }

  test("a statement without a Principal", async () => {
    const changed = policy((statements) =>
      statements.map(({ Principal, ...statement }) =>
        statement.Sid === "WriterNeverDeletes" ? statement : { ...statement, Principal },
      ),
    );
    expect(told(await inForce(changed))).toEqual({ FAIL: ["s3.policy-principals"] });
  });

  test("no policy: the writer cannot even add, so no refusal of anything else is a pass", async () => {
    await owner.s3.deleteBucketPolicy({ Bucket: at.bucket });
    const findings = await probed(sound);
    expect(told(findings).FAIL).toEqual([
      "s3.policy",
      "s3.policy-principals",
      "s3.policy-text",
      "s3.writer-adds",
    ]);
    const passes = withVerdict(findings, "pass").filter((id) => /^s3\.(writer|keeper)-/.test(id));
    expect(passes).toEqual(["s3.keeper-token", "s3.writer-buckets", "s3.writer-token"]);
  });

  test("another policy than the stack's", async () => {
    await settle(
      POLICY,
      owner.s3,
      at,
      policy((statements) => statements.filter(({ Sid }) => Sid !== "WriterNeverDeletes")),
    );
    expect(told(await probed(sound))).toEqual({ FAIL: ["s3.policy"] });
  });

  test("versions may be deleted", async () => {
    expect(told(await inForce(granted("s3:DeleteObjectVersion", "HostsRead")))).toEqual({
      FAIL: [
        "s3.keeper-deletes-version",
        "s3.policy-text",
        "s3.writer-deletes-lock-version",
        "s3.writer-deletes-version",
      ],
    });
  });

  test("the writer may delete", async () => {
    const changed = policy((statements) =>
      statements.flatMap((statement) =>
        statement.Sid === "WriterNeverDeletes"
          ? []
          : [
              statement.Sid === "WriterAdds"
                ? { ...statement, Action: [...statement.Action, "s3:DeleteObject"] }
                : statement,
            ],
      ),
    );
    expect(told(await inForce(changed))).toEqual({ FAIL: ["s3.writer-deletes"] });
  });

  test.each<[string, string[], string[]]>([
    [
      "the writer may change what the keeper notes",
      ["WriterKeepsOut"],
      ["s3.writer-keepers-folder", "s3.writer-status-folder"],
    ],
    [
      "hosts may change what only the owner may say",
      ["OnlyOwnerDecides"],
      ["s3.keeper-owners-folder", "s3.writer-owners-folder"],
    ],
    ["the keeper may add nothing", ["KeeperAdds"], ["s3.keeper-adds"]],
    ["the keeper may not list versions", ["KeeperListsVersions"], ["s3.keeper-reads-versions"]],
    ["the keeper may not read old versions", ["KeeperReadsVersions"], ["s3.keeper-reads-versions"]],
  ])("%s", async (_, without, failing) => {
    const changed = policy((statements) => statements.filter(({ Sid }) => !without.includes(Sid)));
    expect(told(await inForce(changed))).toEqual({ FAIL: failing });
  });

  test("the keeper may add snapshots, keys and configurations", async () => {
    const changed = policy((statements) =>
      statements.flatMap((statement) => {
        if (statement.Sid === "KeeperNeverAddsBackups") return [];
        const Resource = `arn:aws:s3:::${at.bucket}/*`;
        return [statement.Sid === "KeeperAdds" ? { ...statement, Resource } : statement];
      }),
    );
    expect(told(await inForce(changed))).toEqual({ FAIL: ["s3.keeper-adds-backups"] });
  });

  test("what the writer put into the keeper's folder, and the keeper into the owner's, while a policy let them", async () => {
    const opened = policy((statements) =>
      statements
        .filter(({ Sid }) => !["WriterKeepsOut", "OnlyOwnerDecides"].includes(Sid))
        .map((statement) =>
          statement.Sid === "KeeperAdds"
            ? { ...statement, Resource: `arn:aws:s3:::${at.bucket}/*` }
            : statement,
        ),
    );
    for (const [Key, by, words] of [
      [".keeper/web/main/state.json", writer, /^\.keeper\/web\/main\/state\.json is by the writer, of 20/],
      [".status/outbox.json", writer, /^\.status\/outbox\.json is by the writer, of 20/],
      [
        ".owner/web/main/approval.json",
        keeper,
        /^\.owner\/web\/main\/approval\.json is by the keeper, of 20/,
      ],
    ] as const) {
      await settle(POLICY, owner.s3, at, opened);
      const { VersionId } = await by.s3.putObject({ Bucket: at.bucket, Key, Body: "{}" });
      await settle(POLICY, owner.s3, at, sound.policy);
      const findings = await probed(sound);
      await owner.s3.deleteObject({ Bucket: at.bucket, Key, VersionId });
      expect(told(findings)).toEqual({ FAIL: ["s3.notes"] });
      expect(findings.find(({ id }) => id === "s3.notes")?.happened).toMatch(words);
    }
  });

  test("hosts may put a policy", async () => {
    expect(told(await inForce(granted("s3:PutBucketPolicy", "HostsList")))).toEqual({
      FAIL: ["s3.keeper-puts-policy", "s3.writer-puts-policy"],
    });
  });

  test("hosts may set versioning", async () => {
    expect(told(await inForce(granted("s3:PutBucketVersioning", "HostsList")))).toEqual({
      FAIL: ["s3.keeper-puts-versioning", "s3.writer-puts-versioning"],
    });
    expect((await owner.s3.getBucketVersioning({ Bucket: at.bucket })).Status).toBe("Enabled");
  });

  test("hosts may set the lifecycle", async () => {
    const before = (await owner.s3.getBucketLifecycleConfiguration({ Bucket: at.bucket })).Rules;
    expect(told(await inForce(granted("s3:PutLifecycleConfiguration", "HostsList")))).toEqual({
      FAIL: ["s3.keeper-puts-lifecycle", "s3.writer-puts-lifecycle"],
    });
    expect((await owner.s3.getBucketLifecycleConfiguration({ Bucket: at.bucket })).Rules).toEqual(before);
  });

  test("everybody may read", async () => {
    const everybody = { Sid: "Everybody", Effect: "Allow", Principal: "*", Action: "s3:GetObject" };
    const Resource = `arn:aws:s3:::${at.bucket}/*`;
    const changed = policy((statements) => [...statements, { ...everybody, Resource }]);
    expect(told(await inForce(changed))).toEqual({ FAIL: ["s3.anonymous-reads", "s3.writer-publishes"] });
  });

  test("versioning suspended", async () => {
    await settle(VERSIONING, owner.s3, at, false);
    // What is overwritten or removed now is gone, and each probe of that says so too.
    expect(told(await probed(sound))).toEqual({
      FAIL: [
        "s3.keeper-reads-versions",
        "s3.keeper-removes",
        "s3.owner-restores",
        "s3.versioning",
        "s3.writer-copies-over",
        "s3.writer-overwrites",
        "s3.writer-uploads-over",
      ],
    });
  });

  test("objects expire", async () => {
    await lifecycle({ Expiration: { Days: 1 }, NoncurrentVersionExpiration: { NoncurrentDays: 30 } });
    expect(told(await probed(sound))).toEqual({ FAIL: ["s3.expiry"] });
  });

  test("old versions end too soon", async () => {
    await lifecycle({ NoncurrentVersionExpiration: { NoncurrentDays: 29 } });
    expect(told(await probed(sound))).toEqual({ FAIL: ["s3.old-versions"] });
  });

  test("the bucket's ACL admits others", async () => {
    await owner.s3.putBucketAcl({ Bucket: at.bucket, ACL: "public-read" });
    try {
      expect(told(await probed(sound))).toEqual({ FAIL: ["s3.acl"] });
    } finally {
      await owner.s3.putBucketAcl({ Bucket: at.bucket, ACL: "private" });
    }
  });

  test("public ACLs let others in", async () => {
    await owner.s3.deletePublicAccessBlock({ Bucket: at.bucket });
    expect(told(await probed(sound))).toEqual({
      FAIL: ["s3.public-access-block", "s3.writer-publishes"],
    });
  });

  test("public ACLs let others in where the service has nothing against it, which is open", async () => {
    await owner.s3.deletePublicAccessBlock({ Bucket: at.bucket });
    const lacking = await serviceLacking("publicAccessBlock");
    try {
      const findings = await probed({ ...sound, endpoint: lacking.endpoint });
      expect(told(findings)).toEqual({});
      expect(withVerdict(findings, "open")).toEqual([
        "s3.public-access-block",
        "s3.ring-3",
        "s3.writer-publishes",
      ]);
      expect(findings.filter(({ id }) => id.endsWith("puts-public-access-block"))).toEqual([]);
    } finally {
      lacking.close();
    }
  });

  test("hosts may set the PublicAccessBlock", async () => {
    expect(told(await inForce(granted("s3:PutBucketPublicAccessBlock", "HostsList")))).toEqual({
      FAIL: ["s3.keeper-puts-public-access-block", "s3.writer-puts-public-access-block"],
    });
    const { PublicAccessBlockConfiguration: block } = await owner.s3.getPublicAccessBlock({
      Bucket: at.bucket,
    });
    expect(block?.IgnorePublicAcls).toBe(true);
  });

  test("something is set that no update sets", async () => {
    await owner.s3.putBucketCors({
      Bucket: at.bucket,
      CORSConfiguration: { CORSRules: [{ AllowedMethods: ["GET"], AllowedOrigins: ["*"] }] },
    });
    try {
      expect(told(await probed(sound))).toEqual({ FAIL: ["s3.surprises"] });
    } finally {
      await owner.s3.deleteBucketCors({ Bucket: at.bucket });
    }
  });

  test("the keeper is the writer", async () => {
    expect(told(await probed({ ...sound, keeper: keysOf(writer) }))).toEqual({
      FAIL: [
        "s3.identities",
        "s3.keeper-adds",
        "s3.keeper-adds-backups",
        "s3.keeper-reads-versions",
        "s3.keeper-removes",
      ],
    });
  });

  test("keys that are no longer any good: nothing that they were to try is a pass", async () => {
    const dead = { accessKeyId: "0".repeat(32), secretAccessKey: "none" };
    const findings = await probed({ ...sound, writer: dead });
    expect(findings.filter(({ id, verdict }) => id.startsWith("s3.writer") && verdict === "pass")).toEqual(
      [],
    );
  });
});

describe("what was overwritten or hidden with the proxy's keys is noticed", () => {
  const PACK = `data/5e/${"5e".repeat(32)}`;
  const FILES = [
    "config",
    `keys/${"ab".repeat(32)}`,
    `index/${"cd".repeat(32)}`,
    `snapshots/${"ef".repeat(32)}`,
    PACK,
  ];

  const put = (Key: string, Body = Key, by = writer) => by.s3.putObject({ Bucket: at.bucket, Key, Body });
  const hide = (Key: string, by = keeper) => by.s3.deleteObject({ Bucket: at.bucket, Key });

  /** What verify says of the history, `VERDICT: WORDS`. */
  async function histories(bucket = sound): Promise<{ parts: string; packs: string }> {
    const findings = await probed(bucket);
    const [parts = "", packs = ""] = ["s3.history", "s3.history-data"].map((wanted) => {
      const { verdict, happened } = findings.find(({ id }) => id === wanted) as Finding;
      return `${verdict}: ${happened}`;
    });
    expect(told(findings).FAIL ?? []).toEqual([
      ...(parts.startsWith("FAIL") ? ["s3.history"] : []),
      ...(packs.startsWith("FAIL") ? ["s3.history-data"] : []),
    ]);
    return { parts, packs };
  }

  /** Brings a repository back as `npm run recover` does. */
  async function recovered(prefix: string, moment: number): Promise<void> {
    const aim = { prefix, at: moment, quarantine: ".quarantine/run" };
    const { actions } = planRecovery(await listVersions(owner.s3, at, prefix), aim);
    const quiet = { record: () => Promise.resolve(), progress: () => undefined };
    const { failures } = await applyActions(owner.s3, { address: at, actions, ...quiet });
    expect([actions.length > 0, failures]).toEqual([true, []]);
  }

  /** A moment apart from all others, by a service that may tell times to the second only. */
  async function quietMoment(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const moment = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    return moment;
  }

  beforeEach(async () => {
    for (const file of FILES) await put(`web/main/${file}`);
  });

  afterEach(async () => {
    await inParallel(16, await listVersions(owner.s3, at, ""), ({ key, versionId }) =>
      owner.s3.deleteObject({ Bucket: at.bucket, Key: key, VersionId: versionId }),
    );
  });

  test("backups, canaries, locks and what recoveries moved away are no damage, nor is a repeated upload", async () => {
    for (const [prefix, locks] of [
      ["web/main/", "web/main/locks/"],
      [".canary/verify/", ".canary/proof/"],
      [".quarantine/run/web/main/", ".quarantine/run/web/main/data/00/"],
    ] as const) {
      await put(`${locks}one`);
      await put(`${locks}one`, "other");
      await hide(`${locks}one`, prefix === "web/main/" ? writer : keeper);
    }
    await put(`web/main/${PACK}`);
    expect(await histories()).toEqual({
      parts: "pass: 4 objects in 1 repositories were checked: all are unchanged",
      packs:
        "pass: 1 packs were checked, in 1 of the 1 folders of 1 repositories: all are unchanged, " +
        "1 put again with the same content",
    });
  });

  test("overwritten by the writer and hidden by the keeper, in a removed client's repository too; and brought back by the owner", async () => {
    const moment = await quietMoment();
    for (const file of FILES) await put(`web/main/${file}`, `garbage for ${file}`);
    for (const file of ["config", PACK]) {
      await put(`gone/\u001bold/${file}`);
      await hide(`gone/\u001bold/${file}`);
    }
    await put(`web/main/snapshots/strange`);
    const { parts, packs } = await histories();
    expect(parts).toMatch(
      /^FAIL: 4 overwritten, 1 hidden by delete markers, by the writer \(4\), the keeper \(1\), first at 20\S+Z, in web\/main \(4\), gone\/\\u\{1b\}old \(1\); 6 objects in 2 repositories were checked$/,
    );
    expect(packs).toMatch(
      /^FAIL: 1 overwritten, 1 hidden .* 2 packs were checked, in 2 of the 2 folders of 2 repositories$/,
    );
    const first = Date.parse(/first at (\S+Z)/.exec(parts)?.[1] ?? "");
    expect(first).toBeGreaterThan(moment);

    await recovered("web/main/", moment);
    expect((await histories()).parts).toMatch(/^FAIL: 1 hidden by delete markers, by the keeper \(1\), /);
    for (const file of ["config", PACK]) {
      const [marker] = (await listVersions(owner.s3, at, `gone/\u001bold/${file}`)).filter(
        (one) => one.marker,
      );
      const { key: Key, versionId: VersionId } = marker as { key: string; versionId: string };
      await owner.s3.deleteObject({ Bucket: at.bucket, Key, VersionId });
    }
    expect(await histories()).toEqual({
      parts:
        "pass: 6 objects in 2 repositories were checked: all are unchanged, 5 of them restored or moved away by the owner",
      packs:
        "pass: 2 packs were checked, in 2 of the 2 folders of 2 repositories: all are unchanged, " +
        "1 of them restored or moved away by the owner",
    });
  });

  test("hidden by the keeper is honest where its own journal names the version, and nothing else is", async () => {
    const [snapshot, index, key] = ["snapshots", "index", "keys"].map(
      (part) => `web/main/${FILES.find((file) => file.startsWith(part)) ?? ""}`,
    ) as [string, string, string];
    const versionOf = async (Key: string) =>
      (await owner.s3.headObject({ Bucket: at.bucket, Key })).VersionId ?? "";
    const record = async (...keys: string[]) => {
      const entries = await Promise.all(
        keys.map(async (key) => ({
          key,
          action: "hide",
          versionId: await versionOf(key),
          size: 1,
          why: "forget",
        })),
      );
      const head = { version: 1, at: Date.now(), client: "web", repository: "main", run: "one" };
      return JSON.stringify({ ...head, entries });
    };
    const journal = (name: string) => `.keeper/web/main/journal/${name}.json`;

    await put(journal("one"), await record(snapshot, `web/main/${PACK}`, key), keeper);
    for (const hidden of [snapshot, `web/main/${PACK}`]) await hide(hidden);
    expect(await histories()).toEqual({
      parts:
        "pass: 4 objects in 1 repositories were checked: all are unchanged, " +
        "1 of them hidden by the keeper, as its journal says",
      packs:
        "pass: 1 packs were checked, in 1 of the 1 folders of 1 repositories: all are unchanged, " +
        "1 of them hidden by the keeper, as its journal says",
    });

    // The owner's record is not the keeper's, and no gate hides a key.
    await put(journal("two"), await record(index), owner);
    for (const hidden of [index, key]) await hide(hidden);
    expect((await histories()).parts).toMatch(
      /^FAIL: 2 hidden by delete markers, by the keeper \(2\), .* in web\/main \(2\);/,
    );
  });

  test("overwritten by a copy of another object, which is the writer's as well", async () => {
    const [over, from] = FILES.map((file) => `web/main/${file}`);
    await writer.s3.copyObject({ Bucket: at.bucket, Key: over, CopySource: `${at.bucket}/${from ?? ""}` });
    expect((await histories()).parts).toMatch(/^FAIL: 1 overwritten, by the writer \(1\), /);
  });

  test("a bucket of several pages, one of which ends between an object's versions", async () => {
    const names = Array.from({ length: 1000 }, (_, i) => String(i).padStart(4, "0"));
    await inParallel(16, names, (name) => put(`web/main/index/${name}`));
    await hide(`web/main/index/${"cd".repeat(32)}`, owner);
    await put(`web/main/index/0999`, "garbage");
    const { parts } = await histories();
    expect(parts).toMatch(/^FAIL: 1 overwritten, by the writer \(1\), .*; 1004 objects in 1 repositories/);
  });

  test("a listing that fails hides no damage that another shows", async () => {
    await put("web/main/config", "garbage");
    const failing = await serviceBetween("versions", (pass, response, url) => {
      if (url.searchParams.get("prefix") === "web/main/keys/") {
        response.writeHead(403).end("<Error><Code>AccessDenied</Code></Error>");
      } else {
        pass((answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        });
      }
    });
    try {
      const { parts } = await histories({ ...sound, endpoint: failing.endpoint });
      expect(parts).toMatch(/^FAIL: 1 overwritten, by the writer .* 1 of 4 listings did not finish$/);
    } finally {
      failing.close();
    }
  });

  test("a service that calls everything the owner's, or names nobody, gets no pass for what was changed", async () => {
    const { ID } = (await owner.s3.listBuckets({})).Owner ?? {};
    for (const [owns, why] of [
      [`<Owner><ID>${ID ?? ""}</ID></Owner>`, "does not say that a lock was put and removed by the writer"],
      ["", "does not report whether that was the owner"],
    ] as const) {
      const lying = await serviceNaming(owns);
      try {
        const bucket = { ...sound, endpoint: lying.endpoint };
        expect((await histories(bucket)).parts).toMatch(/^pass: 4 objects/);
        const { VersionId } = await put("web/main/config", "garbage");
        const { parts } = await histories(bucket);
        expect(parts).toMatch(/^unknown: /);
        expect(parts).toContain(why);
        await owner.s3.deleteObject({ Bucket: at.bucket, Key: "web/main/config", VersionId });
      } finally {
        lying.close();
      }
    }
  });
});

describe("fewer identities", () => {
  afterEach(makeSound);

  test("without a keeper there is nothing that it could do, and nothing is forgotten", async () => {
    const retentionOff = "there is no keeper; give keeper a host";
    const findings = await probed({ ...sound, keeper: undefined }, { retentionOff });
    expect(told(findings)).toEqual({});
    expect(findings.find(({ id }) => id === "s3.retention")).toMatchObject({
      verdict: "open",
      happened: "retention is off: there is no keeper",
      remedy: "give keeper a host",
    });
    expect(findings.filter(({ id }) => id.startsWith("s3.keeper"))).toEqual([]);
  });

  test("without a writer what the owner's keys can do is open, and the rest is tried", async () => {
    const changed = strongestPolicy({ bucket: at.bucket });
    await settle(POLICY, owner.s3, at, changed);
    const findings = await probed({ ...sound, policy: changed, writer: undefined, keeper: undefined });
    expect(told(findings)).toEqual({});
    expect(withVerdict(findings, "open")).toEqual([
      "s3.history",
      "s3.history-data",
      "s3.identities",
      "s3.owner-restores",
      "s3.owner-tidies",
      "s3.ring-3",
      "s3.writer-buckets",
      "s3.writer-folders",
      "s3.writer-settings",
    ]);
    expect(withVerdict(findings, "pass")).toEqual(
      expect.arrayContaining(["s3.writer-adds", "s3.writer-deletes", "s3.writer-deletes-version"]),
    );
  });

  test("without versions overwriting is open", async () => {
    await settle(VERSIONING, owner.s3, at, false);
    const findings = await probed({ ...sound, versioning: false });
    expect(told(findings)).toEqual({});
    expect(withVerdict(findings, "open")).toEqual([
      "s3.history",
      "s3.history-data",
      "s3.keeper-reads-versions",
      "s3.keeper-removes",
      "s3.owner-restores",
      "s3.ring-3",
      "s3.versioning",
      "s3.writer-copies-over",
      "s3.writer-overwrites",
      "s3.writer-uploads-over",
    ]);
  });
});
