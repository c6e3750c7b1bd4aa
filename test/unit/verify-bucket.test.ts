/** What verify makes of a bucket's settings, and of Keystone's answers. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { bucketPolicy, keystonePrincipal } from "../../plan/bucket-policy";
import { lifecycleRules } from "../../s3/lifecycle";
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
const policy = bucketPolicy({
  bucket: "backups",
  owner: project("a"),
  writer: project("b"),
  keeper: project("c"),
});

interface Policy {
  Statement: { Sid: string; Principal?: unknown; Action: string | string[] }[];
}

/** The sound policy with one statement changed; whatever `change` leaves out is gone. */
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

  test("is told from another and from none", () => {
    expect(
      judgePolicy(
        changed("HostsList", ({ Sid }) => ({ Sid })),
        policy,
      ),
    ).toEqual({
      holds: false,
      happened: "it says something else",
    });
    expect(judgePolicy("", policy)).toEqual({ holds: false, happened: "the bucket has no policy" });
  });

  test("binds nobody in a statement without a Principal", () => {
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

test("versioning is on, or open where the configuration has none", () => {
  expect(judgeVersioning("Enabled", true).holds).toBe(true);
  expect(judgeVersioning("Suspended", true)).toEqual({ holds: false, happened: "off" });
  expect(judgeVersioning("unsupported", true).holds).toBe(false);
  expect(judgeVersioning("Suspended", false).holds).toBe("open");
});

test("a quota is there, or it is open what fills the bucket", () => {
  expect(judgeQuota(1024)).toEqual({ holds: true, happened: "1024 bytes" });
  expect(judgeQuota("none").holds).toBe("open");
  expect(judgeQuota("unknown").holds).toBe("open");
});

test("public ACLs are ignored, and no more than that is set", () => {
  expect(judgePublicAccessBlock("IgnorePublicAcls").holds).toBe(true);
  expect(judgePublicAccessBlock("none")).toEqual({ holds: false, happened: "nothing is set" });
  expect(judgePublicAccessBlock("BlockPublicAcls, IgnorePublicAcls")).toEqual({
    holds: false,
    happened: "what is set is BlockPublicAcls, IgnorePublicAcls",
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
    expect(judgeOldVersions([], 30).happened).toMatch(/kept for ever/);
    expect(judgeOldVersions("unsupported", 30).holds).toBe(true);
    expect(judgeOldVersions(lifecycleRules(30), 30).holds).toBe(true);
    expect(judgeOldVersions(lifecycleRules(30), 31).holds).toBe(false);
  });

  test("ends no object that nobody has removed", () => {
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
  const holds = (lock: string) => judgeObjectLock(lock, { mode: "GOVERNANCE", days: 7 }).holds;
  expect(holds("GOVERNANCE 7 days")).toBe(true);
  expect(holds("GOVERNANCE 365 days")).toBe(true);
  for (const lock of ["GOVERNANCE 6 days", "COMPLIANCE 7 days", "Enabled", "none", "unsupported"]) {
    expect(holds(lock)).toBe(false);
  }
});

test("the ACL admits the owner alone", () => {
  for (const acl of ["private", "unsupported"]) expect(judgeAcl(acl).holds).toBe(true);
  expect(judgeAcl("unknown").holds).toBe(false);
  expect(judgeAcl("READ for him")).toEqual({ holds: false, happened: "READ for him" });
});

describe("a token for S3 keys", () => {
  const keys = { accessKeyId: "access", secretAccessKey: "the secret of these keys" };
  let server: Server | undefined;
  afterEach(() => {
    server?.close();
  });

  /** A Keystone that answers as told, and what it was asked. */
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

  test("that is refused by both calls is none", async () => {
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

  test("is not taken to be refused where Keystone fails or does not understand", async () => {
    let last = "";
    for (const status of [400, 500, 503]) {
      const { url } = await keystone(() => [status]);
      await expect(tokenFor(url, keys)).rejects.toThrow(`HTTP ${String(status)}`);
      await new Promise((resolve) => server?.close(resolve));
      last = url;
    }
    await expect(tokenFor(last, keys)).rejects.toThrow(/ec2tokens: .*ECONNREFUSED/);
  });

  test("is asked for by signatures, not by the secret", () => {
    for (const request of [ec2TokenRequest(keys, new Date(0)), s3TokenRequest(keys)]) {
      expect(JSON.stringify(request)).not.toContain(keys.secretAccessKey);
      expect(request).toMatchObject({ credentials: { access: "access", signature: expect.any(String) } });
    }
  });
});
