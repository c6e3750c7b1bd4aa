/** How an update proves the bucket's policy and chooses its form, on a real Ceph RGW. Runs as bucket.test.ts. */
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { bucketPolicies, type PolicyForm } from "../../plan/bucket-policy";
import type { BucketAddress } from "../../s3/client";
import { adoptOrCreate } from "../../s3/create";
import { CANARY_KEY, CANARY_LOCK_KEY, settleBestPolicy, type IdentityClients } from "../../s3/proof";
import { bucketProvider } from "../../s3/resource/bucket";
import type { BucketInputs, BucketState } from "../../s3/resource/state";
import { lifecycleRules, settleLifecycle } from "../../s3/settings/lifecycle";
import { samePolicy } from "../../s3/settings/policy";
import { WANTED_BLOCK } from "../../s3/settings/public-access-block";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import {
  SOON,
  facts,
  owner,
  writer,
  keeper,
  useIdentities,
  arn,
  address,
  threeIdentities,
  outcome,
  quota,
  arns,
  type Role,
} from "../harness/bucket-identities";
import { strongestPolicy } from "../harness/strongest-policy";

jest.setTimeout(240_000);
useIdentities();

/** A new bucket before any setting. */
const BARE = { versioning: "Suspended", rules: [], publicAccessBlock: [], objectLock: "none" } as const;

describe("a policy that does not do what it should", () => {
  test.each<[string, (bucket: string) => string, RegExp]>([
    [
      "the plain one, without a principal",
      () =>
        JSON.stringify({
          Version: "2012-10-17",
          Statement: [
            {
              Sid: "nodelete1",
              Effect: "Deny",
              Action: [
                "s3:DeleteBucket",
                "s3:DeleteBucketPolicy",
                "s3:DeleteBucketWebsite",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
              ],
              Resource: ["arn:aws:s3:::*"],
            },
          ],
        }),
      /policy is NOT in force: the writer could delete/,
    ],
    [
      "one for a principal that is spelled wrong",
      (bucket) =>
        strongestPolicy({ bucket }).replaceAll(
          '"*"',
          JSON.stringify({ AWS: `arn:aws:iam:::user/${facts.projects.owner}` }),
        ),
      /policy is NOT in force: the writer could delete/,
    ],
    [
      "one without an exception for locks",
      (bucket) => strongestPolicy({ bucket }).replace("/*/*/locks/*", "/none/*"),
      /every restic command would leave a lock/,
    ],
    [
      "one with an action that the service does not know",
      (bucket) => strongestPolicy({ bucket }).replace('s3:DeleteBucket"', 's3:Destroy"'),
      /InvalidArgument \(HTTP 400\).*must know every action and principal/,
    ],
  ])("%s fails the update", async (_what, policyFor, message) => {
    const at = address();
    await adoptOrCreate(owner.s3, at, owner);
    const forms = [{ name: "the one", policy: policyFor(at.bucket) }];
    await expect(settleBestPolicy({ owner: owner.s3 }, at, forms, BARE, SOON)).rejects.toThrow(message);
  });

  test("keys of a writer that the policy does not name fail the update", async () => {
    const at = address();
    await adoptOrCreate(owner.s3, at, owner);
    const forms = bucketPolicies({ bucket: at.bucket, owner: arn("owner"), writer: arn("writer") });
    await expect(
      settleBestPolicy({ owner: owner.s3, writer: keeper.s3 }, at, forms, BARE, SOON),
    ).rejects.toThrow(/as the writer: .*The writer could not add backups either/);
  });
});

describe("the choice of the policy's form", () => {
  let at: BucketAddress;
  let hands: IdentityClients;
  const inForce = {
    versioning: "Enabled",
    rules: lifecycleRules(30),
    publicAccessBlock: [],
    objectLock: "none",
  } as const;

  beforeAll(async () => {
    at = address();
    hands = { owner: owner.s3, writer: writer.s3, keeper: keeper.s3 };
    await adoptOrCreate(owner.s3, at, owner);
    await settle(VERSIONING, owner.s3, at, true);
    await settleLifecycle(owner.s3, at, inForce.rules);
  });

  test("keeps the first form that holds, after one without effect and one that is refused", async () => {
    const forms = bucketPolicies({ bucket: at.bucket, ...arns() });
    const weak = [
      {
        name: "binds nobody",
        policy: forms[0].policy.replaceAll(/arn:aws:iam::(\w+):root/g, "arn:aws:iam:::user/$1"),
      },
      { name: "unknown", policy: forms[0].policy.replace("s3:PutBucketTagging", "s3:PutBucketColour") },
    ];
    const { form, failed } = await settleBestPolicy(hands, at, [...weak, ...forms.slice(1)], inForce, SOON);
    expect(form.name).toBe(forms[1]?.name);
    expect(failed).toEqual([
      expect.stringMatching(/^binds nobody: cannot write .* as the writer: .*HTTP 403/),
      expect.stringMatching(/^unknown: cannot set the bucket policy: InvalidArgument/),
    ]);
  });

  test.each([0, 1, 2, 3])("form %i holds, and keeps each part of a repository", async (index) => {
    const form = bucketPolicies({ bucket: at.bucket, ...arns() })[index] as PolicyForm;
    await settleBestPolicy(hands, at, [form], inForce, SOON);
    for (const Key of ["data/aa/pack", "index/1", "keys/1", "snapshots/1", "config"].map(
      (k) => `web/main/${k}`,
    )) {
      expect(await outcome(writer.s3.deleteObject({ Bucket: at.bucket, Key }))).toBe("403 AccessDenied");
    }
    for (const [who, Key] of [
      [writer, ".keeper/web/main/state.json"],
      [writer, ".keeper/web/data/state"],
      [writer, ".status/status.json"],
      [writer, ".owner/web/main/hold"],
      [keeper, ".owner/web/main/hold"],
      [keeper, ".owner/web/data/hold"],
      [keeper, ".owner/web/locks/hold"],
      [keeper, "web/main/keys/1"],
      [keeper, "web/main/snapshots/1"],
      [keeper, "web/main/config"],
      [keeper, "web/main/other/1"],
      [keeper, ".quarantine/run/web/main/data/aa/pack"],
    ] as const) {
      expect([Key, await outcome(who.s3.putObject({ Bucket: at.bucket, Key, Body: "x" }))]).toEqual([
        Key,
        "403 AccessDenied",
      ]);
    }
    const tagging = { Bucket: at.bucket, Tagging: { TagSet: [{ Key: "a", Value: "b" }] } };
    expect(await outcome(writer.s3.putBucketTagging(tagging))).toBe("403 AccessDenied");
  });

  test("without a separate writer both forms hold", async () => {
    // A bucket of its own: what another writer wrote, the owner could not read then.
    const own = address();
    await adoptOrCreate(owner.s3, own, owner);
    for (const form of bucketPolicies({ bucket: own.bucket })) {
      await settleBestPolicy({ owner: owner.s3 }, own, [form], BARE, SOON);
      const call = owner.s3.deleteObject({ Bucket: own.bucket, Key: "web/main/data/aa/pack" });
      expect(await outcome(call)).toBe("403 AccessDenied");
    }
  });

  interface Statement {
    Sid: string;
    Action: string | string[];
  }
  /** The strongest form without these statements. */
  function without(...sids: string[]): string {
    const document = JSON.parse(strongestPolicy({ bucket: at.bucket, ...arns() })) as {
      Statement: Statement[];
    };
    return JSON.stringify({
      ...document,
      Statement: document.Statement.filter(({ Sid }) => !sids.includes(Sid)),
    });
  }
  /** The strongest form, which keeps the writer out of this alone. */
  function keepingOut(Resource: string): string {
    const document = JSON.parse(strongestPolicy({ bucket: at.bucket, ...arns() })) as {
      Statement: Statement[];
    };
    return JSON.stringify({
      ...document,
      Statement: document.Statement.map((one) => (one.Sid === "WriterKeepsOut" ? { ...one, Resource } : one)),
    });
  }
  /** The strongest form, but for one action: one identity may do it, or nobody may. */
  function weakened(action: string, who?: Role): string {
    const document = JSON.parse(strongestPolicy({ bucket: at.bucket, ...arns() })) as {
      Statement: Statement[];
    };
    const without = document.Statement.map((statement) => ({
      ...statement,
      Action: [statement.Action].flat().filter((one) => one !== action),
    })).filter(({ Action }) => Action.length > 0);
    const allowed = {
      Effect: "Allow",
      Principal: { AWS: who && arn(who) },
      Action: action,
      Resource: [`arn:aws:s3:::${at.bucket}`, `arn:aws:s3:::${at.bucket}/*`],
    };
    return JSON.stringify({ ...document, Statement: [...without, ...(who ? [allowed] : [])] });
  }

  test.each<[string, () => string, RegExp]>([
    [
      "lets the writer put a policy",
      () => weakened("s3:PutBucketPolicy", "writer"),
      /the writer could put a policy/,
    ],
    [
      "lets the writer set versioning",
      () => weakened("s3:PutBucketVersioning", "writer"),
      /the writer could set versioning/,
    ],
    [
      "lets the keeper set the lifecycle",
      () => weakened("s3:PutLifecycleConfiguration", "keeper"),
      /the keeper could set the lifecycle/,
    ],
    [
      "lets the writer set the PublicAccessBlock",
      () => weakened("s3:PutBucketPublicAccessBlock", "writer"),
      /the writer could set the PublicAccessBlock/,
    ],
    [
      "lets the keeper delete versions",
      () => weakened("s3:DeleteObjectVersion", "keeper"),
      /the keeper could delete a version/,
    ],
    [
      "lets the writer into the keeper's folder",
      () => without("WriterKeepsOut"),
      /the writer could write "\.keeper\//,
    ],
    [
      "lets the writer into the status",
      () => keepingOut(`arn:aws:s3:::${at.bucket}/.keeper/*`),
      /the writer could write "\.status\//,
    ],
    [
      "lets the writer into the owner's folder",
      () => without("OnlyOwnerDecides"),
      /the writer could write "\.owner\//,
    ],
    [
      "lets the keeper add snapshots",
      () => without("KeeperNeverAddsBackups").replaceAll("/*/*/data/*", "/*"),
      /the keeper could write "\.canary\/proof\/keys\/keeper"/,
    ],
    [
      "lets the keeper add nothing",
      () => without("KeeperAdds"),
      /cannot write "\.canary\/proof\/data\/keeper" as the keeper: .*Retention could not prune/,
    ],
    [
      "lets the keeper see no versions",
      () => without("KeeperListsVersions"),
      /as the keeper: .*could not judge when a backup arrived/,
    ],
    [
      "lets the keeper read no versions",
      () => without("KeeperReadsVersions"),
      /as the keeper: .*could not judge when a backup arrived/,
    ],
    [
      "lets nobody delete, not even locks",
      () => weakened("s3:DeleteObject"),
      /every restic command would leave a lock/,
    ],
    [
      "does not name the owner",
      () => strongestPolicy({ bucket: at.bucket, writer: arn("writer"), keeper: arn("keeper") }),
      /The owner could not repair the backups: .*give s3\.identities\.owner/,
    ],
    [
      "does not name the keeper",
      () => strongestPolicy({ bucket: at.bucket, owner: arn("owner"), writer: arn("writer") }),
      /write ".*" as the keeper: .*Retention could not prune/,
    ],
    [
      "lets the keeper remove nothing",
      () => without("KeeperRemoves"),
      /remove ".*" as the keeper: .*Retention could not remove/,
    ],
  ])("one that %s is detected", async (what, policy, message) => {
    const forms = [{ name: what, policy: policy() }];
    await expect(settleBestPolicy(hands, at, forms, inForce, [100])).rejects.toThrow(message);
  });
});

describe("what an attacker with the hosts' keys leaves behind does not fail the update", () => {
  let at: BucketAddress;
  let inputs: BucketInputs;
  let state: BucketState;
  let hands: IdentityClients;
  let said: jest.SpiedFunction<typeof console.log>;
  const words = (): string => said.mock.calls.flat().join("\n");
  const inForce = {
    versioning: "Enabled",
    rules: lifecycleRules(30),
    publicAccessBlock: WANTED_BLOCK,
    objectLock: "none",
  } as const;
  /** The strongest form, but for the writer, who may delete versions. */
  const weak = (): PolicyForm => ({
    name: "weak",
    policy: strongestPolicy({ bucket: at.bucket, ...arns() })
      .replace(/"s3:DeleteObjectVersion",/, "")
      .replace(/"s3:PutObject",/, '"s3:PutObject", "s3:DeleteObjectVersion",'),
  });

  beforeAll(async () => {
    said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    at = address();
    inputs = threeIdentities(at);
    hands = { owner: owner.s3, writer: writer.s3, keeper: keeper.s3 };
    // With an object lock, and no retention of its own.
    await adoptOrCreate(owner.s3, at, owner, true);
    state = (await bucketProvider.create(inputs)).outs as BucketState;
  });
  beforeEach(() => {
    said.mockClear();
  });
  afterAll(() => {
    said.mockRestore();
  });

  test("a full bucket: reports what is not proved, and the next update with room proves it", async () => {
    await quota("set", at.bucket, "--max-objects=1");
    await quota("enable", at.bucket);
    expect(await outcome(writer.s3.putObject({ Bucket: at.bucket, Key: "x", Body: "x" }))).toBe(
      "403 QuotaExceeded",
    );
    const full = (await bucketProvider.update?.(at.bucket, state, inputs))?.outs as BucketState;
    expect(words()).toMatch(
      /is FULL: .* NOT PROVED in full\. .*whether the writer can add objects; whether the keeper can add .*; whether the owner can read .* the keeper removed\. Ask/,
    );
    expect(full.form).toBe("");
    expect(samePolicy(full.policy, state.policy)).toBe(true);
    expect((await bucketProvider.diff?.(at.bucket, full, inputs))?.changes).toBe(true);
    await expect(settleBestPolicy(hands, at, [weak()], inForce, [])).rejects.toThrow(
      /the writer could delete a version/,
    );

    await quota("disable", at.bucket);
    said.mockClear();
    expect((await bucketProvider.update?.(at.bucket, full, inputs))?.outs).toEqual(state);
    expect(words()).not.toMatch(/NOT PROVED/);
  });

  test("locked, hidden and many canaries, which prove nothing of the policy", async () => {
    const Bucket = at.bucket;
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        await writer.s3.putObject({ Bucket, Key: CANARY_KEY, Body: "x" });
        await keeper.s3.deleteObject({ Bucket, Key: CANARY_KEY });
      }),
    );
    const keep = (Key: string) =>
      writer.s3.putObject({
        Bucket,
        Key,
        Body: "x",
        ObjectLockMode: "GOVERNANCE",
        ObjectLockRetainUntilDate: new Date(Date.now() + 86_400_000),
      });
    await keep(CANARY_LOCK_KEY);
    const { VersionId } = await keep(CANARY_KEY);
    const version = { Bucket, Key: CANARY_KEY, VersionId };
    expect(await outcome(owner.s3.deleteObject(version))).toBe("403 AccessDenied");
    expect((await bucketProvider.update?.(Bucket, state, inputs))?.outs).toEqual(state);
    expect(words()).not.toMatch(/NOT PROVED/);
    const now = await writer.s3.headObject({ Bucket, Key: CANARY_KEY });
    expect(now.VersionId).not.toBe(VersionId);

    await keep(CANARY_KEY);
    await expect(settleBestPolicy(hands, at, [weak()], inForce, [])).rejects.toThrow(
      /the writer could delete a version/,
    );
  });
});
