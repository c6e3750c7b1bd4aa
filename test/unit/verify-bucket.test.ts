/** How verify judges a bucket's settings and Keystone's answers. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { keystonePrincipal } from "../../plan/bucket-policy";
import { strongestPolicy } from "../harness/strongest-policy";
import { lifecycleRules } from "../../s3/settings/lifecycle";
import type { ObjectLock } from "../../s3/settings/object-lock";
import {
  judgeAcl,
  judgeExpiry,
  judgeObjectLock,
  judgeOldVersions,
  judgePolicy,
  judgePrincipals,
  judgePublicAccessBlock,
  judgeQuota,
  judgeVersioning,
  notDenied,
} from "../../operations/verify/bucket/judgements";
import { ec2TokenRequest, s3TokenRequest, tokenFor } from "../../operations/verify/bucket/keystone-token";

const project = (digit: string): string => keystonePrincipal(digit.repeat(32));
const policy = strongestPolicy({
  bucket: "backups",
  owner: project("a"),
  writer: project("b"),
  keeper: project("c"),
});

interface Policy {
  Statement: { Sid: string; Principal?: unknown; Action: string | string[] }[];
}

/** The policy with one statement replaced. */
function changed(sid: string, change: (statement: Policy["Statement"][number]) => object): string {
  const { Statement, ...rest } = JSON.parse(policy) as Policy;
  return JSON.stringify({
    ...rest,
    Statement: Statement.map((one) => (one.Sid === sid ? change(one) : one)),
  });
}

describe("the policy", () => {
  test("is the same in another spelling", () => {
    const { Statement, ...rest } = JSON.parse(policy) as Policy;
    expect(judgePolicy(JSON.stringify({ Statement: Statement.reverse(), ...rest }), policy).holds).toBe(true);
  });

  test("differs from another and from none", () => {
    expect(
      judgePolicy(
        changed("HostsList", ({ Sid }) => ({ Sid })),
        policy,
      ),
    ).toEqual({
      holds: false,
      happened: "another policy",
    });
    expect(judgePolicy("", policy)).toEqual({ holds: false, happened: "the bucket has no policy" });
  });

  test("has no effect in a statement without a Principal", () => {
    expect(judgePrincipals(policy).holds).toBe(true);
    expect(
      judgePrincipals(changed("WriterNeverDeletes", (one) => ({ ...one, Principal: undefined }))),
    ).toEqual({
      holds: false,
      happened: "no Principal in statement WriterNeverDeletes",
    });
    expect(judgePrincipals('{"Statement": {"Effect": "Deny", "Action": "s3:*"}}').happened).toMatch(
      /statement number 1/,
    );
    expect(judgePrincipals("").holds).toBe(false);
  });

  test("denies what it denies together with the deletion of versions, however it is spelled", () => {
    expect(notDenied(policy, ["s3:DeleteBucket", "s3:PutBucketPolicy", "s3:GetObject"])).toEqual([
      "s3:GetObject",
    ]);
    const deny = (Action: string | string[], Effect = "Deny"): string =>
      JSON.stringify({ Statement: [{ Effect, Principal: "*", Action }] });
    expect(notDenied(deny("s3:*"), ["s3:PutBucketPolicy"])).toEqual([]);
    expect(notDenied(deny(["s3:Delete*"]), ["s3:DeleteBucket", "s3:PutBucketPolicy"])).toEqual([
      "s3:PutBucketPolicy",
    ]);
    expect(notDenied(deny("s3:deleteobjectversion"), ["s3:DeleteBucket"])).toEqual(["s3:DeleteBucket"]);
    expect(notDenied(deny("s3:*", "Allow"), ["s3:DeleteBucket"])).toEqual(["s3:DeleteBucket"]);
    expect(notDenied("", ["s3:DeleteBucket"])).toEqual(["s3:DeleteBucket"]);
  });
});

test("versioning is on, or open where the configuration disables it", () => {
  expect(judgeVersioning("Enabled", true).holds).toBe(true);
  expect(judgeVersioning("Suspended", true)).toEqual({ holds: false, happened: "off" });
  expect(judgeVersioning("unsupported", true).holds).toBe(false);
  expect(judgeVersioning("Suspended", false).holds).toBe("open");
});

test("a quota exists, or its absence is open", () => {
  expect(judgeQuota(1024)).toEqual({ holds: true, happened: "1024 bytes" });
  expect(judgeQuota("none").holds).toBe("open");
  expect(judgeQuota("unknown").holds).toBe("open");
});

test("the PublicAccessBlock ignores public ACLs, and does nothing else", () => {
  expect(judgePublicAccessBlock(["IgnorePublicAcls"]).holds).toBe(true);
  expect(judgePublicAccessBlock([])).toEqual({ holds: false, happened: "it has none" });
  expect(judgePublicAccessBlock(["BlockPublicAcls", "IgnorePublicAcls"])).toEqual({
    holds: false,
    happened: "it has BlockPublicAcls, IgnorePublicAcls",
  });
  expect(judgePublicAccessBlock("unsupported").holds).toBe("open");
});

describe("the lifecycle", () => {
  const rule = (parts: object) => ({ ID: "one", Status: "Enabled" as const, ...parts });

  test("keeps old versions at least as long as configured", () => {
    const after = (NoncurrentDays: number | undefined, parts = {}) =>
      judgeOldVersions([rule({ NoncurrentVersionExpiration: { NoncurrentDays }, ...parts })], 30);
    expect(after(30)).toEqual({ holds: true, happened: "kept for 30 days" });
    expect(after(31).holds).toBe(true);
    expect(after(29)).toEqual({ holds: false, happened: 'rule "one" removes them after 29 days' });
    // Such a rule goes by the number of newer versions alone.
    expect(after(undefined).holds).toBe(false);
    expect(after(1, { Status: "Disabled" }).holds).toBe(true);
    expect(after(1, { Filter: { Prefix: "web/" } }).holds).toBe(false);
    expect(after(1, { Prefix: "web/" }).holds).toBe(false);
    expect(after(1, { Filter: { And: { Prefix: ".canary/" } } }).holds).toBe(true);
    expect(judgeOldVersions([], 30).happened).toMatch(/kept forever/);
    expect(judgeOldVersions("unsupported", 30).holds).toBe(true);
    expect(judgeOldVersions(lifecycleRules(30), 30).holds).toBe(true);
    expect(judgeOldVersions(lifecycleRules(30), 31).holds).toBe(false);
  });

  test("removes no current object", () => {
    expect(judgeExpiry(lifecycleRules(30)).holds).toBe(true);
    expect(judgeExpiry("unsupported").holds).toBe(true);
    const expiry = (Expiration: object, parts = {}) => judgeExpiry([rule({ Expiration, ...parts })]).holds;
    expect(expiry({ Days: 3650 })).toBe(false);
    expect(expiry({ Date: new Date(0) })).toBe(false);
    expect(expiry({ ExpiredObjectDeleteMarker: true })).toBe(true);
    expect(expiry({ Days: 1 }, { Status: "Disabled" })).toBe(true);
    expect(expiry({ Days: 1 }, { Filter: { Prefix: ".canary/" } })).toBe(true);
    expect(judgeExpiry([rule({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } })]).holds).toBe(
      true,
    );
  });
});

test("the object lock is at least the one that is configured, in its mode", () => {
  const holds = (lock: ObjectLock) => judgeObjectLock(lock, { mode: "GOVERNANCE", days: 7 }).holds;
  expect(holds({ mode: "GOVERNANCE", days: 7 })).toBe(true);
  expect(holds({ mode: "GOVERNANCE", days: 365 })).toBe(true);
  expect(holds({ mode: "GOVERNANCE", days: 6 })).toBe(false);
  expect(holds({ mode: "COMPLIANCE", days: 7 })).toBe(false);
  for (const lock of ["Enabled", "none", "unsupported"] as const) expect(holds(lock)).toBe(false);
});

test("the ACL grants access to the owner only", () => {
  const acl = (...grantees: string[]) => ({
    Owner: { ID: "owner" },
    Grants: grantees.map((ID) => ({ Permission: "READ" as const, Grantee: { ID, Type: undefined } })),
  });
  expect(judgeAcl("unsupported").holds).toBe(true);
  expect(judgeAcl(acl("owner"))).toEqual({ holds: true, happened: "private" });
  expect(judgeAcl(acl("owner", "other"))).toEqual({ holds: false, happened: "READ for other" });
});

describe("a token for S3 keys", () => {
  const keys = { accessKeyId: "access", secretAccessKey: "the secret of these keys" };
  let server: Server | undefined;
  afterEach(() => {
    server?.close();
  });

  /** A Keystone with the given answers, and its requests. */
  async function keystone(answer: (request: IncomingMessage) => [status: number, token?: string]) {
    const asked: string[] = [];
    server = createServer((request, response) => {
      asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
      const [status, token] = answer(request);
      request.resume().on("end", () => {
        response.writeHead(status, token === undefined ? {} : { "x-subject-token": token }).end();
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, asked };
  }

  test("is not given where both calls refuse it", async () => {
    const { url, asked } = await keystone(() => [401]);
    expect(await tokenFor(`${url}/v3/`, keys)).toBeUndefined();
    expect(asked).toEqual(["POST /v3/ec2tokens", "POST /v3/s3tokens"]);
  });

  test.each(["ec2tokens", "s3tokens"])("that is given by %s is named, and revoked", async (call) => {
    const { url, asked } = await keystone(({ url, method, headers }) => {
      if (method === "DELETE") return [headers["x-subject-token"] === "gAAA" ? 204 : 500];
      return url === `/v3/${call}` ? [200, "gAAA"] : [401];
    });
    expect(await tokenFor(url, keys)).toBe(`/v3/${call}`);
    expect(asked.at(-1)).toBe("DELETE /v3/auth/tokens");
  });

  test("is not considered refused where Keystone fails", async () => {
    let last = "";
    for (const status of [400, 500, 503]) {
      const { url } = await keystone(() => [status]);
      await expect(tokenFor(url, keys)).rejects.toThrow(`HTTP ${String(status)}`);
      await new Promise((resolve) => server?.close(resolve));
      last = url;
    }
    await expect(tokenFor(last, keys)).rejects.toThrow(/ec2tokens: .*ECONNREFUSED/);
  });

  test("is requested with a signature, not with the secret", () => {
    for (const request of [ec2TokenRequest(keys, new Date(0)), s3TokenRequest(keys)]) {
      expect(JSON.stringify(request)).not.toContain(keys.secretAccessKey);
      expect(request).toMatchObject({ credentials: { access: "access", signature: expect.any(String) } });
    }
  });
});
