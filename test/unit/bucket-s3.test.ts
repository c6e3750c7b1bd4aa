/**
 * The odd answers of S3 services: each test bends one answer of a tiny service inside the process. What a
 * well-behaved service does is tested on Ceph RGW, in test/host/bucket.test.ts.
 */
import { afterEach, describe, expect, jest, test } from "@jest/globals";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import type { LifecycleRule, S3 } from "@aws-sdk/client-s3";
import { bucketPolicies } from "../../plan/bucket-policy";
import { strongestPolicy } from "../harness/strongest-policy";
import { bucketProvider } from "../../s3/resource/bucket";
import type { BucketInputs, BucketState } from "../../s3/resource/state";
import { adoptOrCreate } from "../../s3/create";
import { observe } from "../../s3/observe";
import { removeIfEmpty } from "../../s3/remove";
import { ACL, aclInWords } from "../../s3/settings/acl";
import { settleLifecycle } from "../../s3/settings/lifecycle";
import { OBJECT_LOCK, requireObjectLock } from "../../s3/settings/object-lock";
import { POLICY } from "../../s3/settings/policy";
import { PUBLIC_ACCESS_BLOCK, WANTED_BLOCK } from "../../s3/settings/public-access-block";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import { connect, endpointUrl, type BucketAddress } from "../../s3/client";
import {
  canonicalLifecycle,
  foreignActions,
  lifecycleRules,
  withoutUploads,
} from "../../s3/settings/lifecycle";
import { CANARY_KEY, prove, settleBestPolicy } from "../../s3/proof";
import type { InForce } from "../../s3/tampering";

const SOON = [1, 1];
const DOCUMENT = strongestPolicy({ bucket: "vault" });
const FORMS = bucketPolicies({ bucket: "vault" });
const RULES = lifecycleRules(30);
const IN_FORCE: InForce = {
  policy: DOCUMENT,
  versioning: "Suspended",
  rules: [],
  publicAccessBlock: [],
  objectLock: "none",
};
const KEYS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "s3cr3t-0f-the-0wner" };

interface Answer {
  status: number;
  body?: string;
  headers?: http.OutgoingHttpHeaders;
}
/** Bends an answer: gets "METHOD /path?query" and who asks, and may answer in the service's place. */
type Bend = (request: string, accessKeyId: string) => Answer | undefined;

const error = (status: number, code: string, message = "in the service's words"): Answer => ({
  status,
  body: `<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
});

const closers: (() => void)[] = [];
afterEach(() => {
  closers.splice(0).forEach((close) => {
    close();
  });
});

/** A service that stores one policy and enforces what `strongestPolicy({bucket})` says, unless bent. */
async function service(
  bend: Bend = () => undefined,
  takes: (lifecycle: string) => string | Answer = (lifecycle) => lifecycle,
): Promise<{
  address: BucketAddress;
  s3: S3;
  log: string[];
  headers: Record<string, http.IncomingHttpHeaders>;
}> {
  const log: string[] = [];
  const received: Record<string, http.IncomingHttpHeaders> = {};
  let policy = "";
  let versioning = "";
  let lifecycle = "";
  let publicAccessBlock = "";
  let exists = false;
  const objects = new Set<string>();
  const answer = (request: string, body: string): Answer => {
    const [, method = "", path = "", query = ""] = /^(\S+) ([^?]*)\??(.*)$/.exec(request) ?? [];
    const key = decodeURIComponent(path.replace(/^\/[^/]*\/?/, ""));
    const action = new URLSearchParams(query);
    if (path === "/") {
      const entry = exists ? "<Bucket><Name>vault</Name></Bucket>" : "";
      return {
        status: 200,
        body: `<ListAllMyBucketsResult><Buckets>${entry}</Buckets></ListAllMyBucketsResult>`,
      };
    }
    if (key !== "") {
      if (method === "DELETE") {
        if (policy.includes('"s3:DeleteObject"') && !key.includes("/locks/")) {
          return error(403, "AccessDenied");
        }
        objects.delete(key);
        return { status: 204 };
      }
      if (method === "PUT") {
        objects.add(key);
      }
      return { status: objects.has(key) ? 200 : 404 };
    }
    if (action.has("versioning")) {
      versioning = method === "PUT" ? (/<Status>(\w+)/.exec(body)?.[1] ?? "") : versioning;
      const status = versioning === "" ? "" : `<Status>${versioning}</Status>`;
      return { status: 200, body: `<VersioningConfiguration>${status}</VersioningConfiguration>` };
    }
    if (action.has("policy")) {
      if (method === "PUT") {
        policy = body;
        return { status: 204 };
      }
      return policy === "" ? error(404, "NoSuchBucketPolicy") : { status: 200, body: policy };
    }
    if (action.has("lifecycle")) {
      if (method === "DELETE") {
        lifecycle = "";
        return { status: 204 };
      }
      const taken = method === "PUT" ? takes(body) : lifecycle;
      if (typeof taken !== "string") {
        return taken;
      }
      lifecycle = taken;
      return lifecycle === "" ? error(404, "NoSuchLifecycleConfiguration") : { status: 200, body: lifecycle };
    }
    if (action.has("publicAccessBlock")) {
      publicAccessBlock = method === "PUT" ? body : publicAccessBlock;
      return publicAccessBlock === ""
        ? error(404, "NoSuchPublicAccessBlockConfiguration")
        : { status: 200, body: publicAccessBlock };
    }
    if (action.has("object-lock")) {
      return error(404, "ObjectLockConfigurationNotFoundError");
    }
    if (method === "HEAD") {
      const headers = { "x-rgw-quota-user-size": "-1", "x-rgw-quota-bucket-size": "1000000" };
      return { status: 200, headers };
    }
    if (action.has("versions")) {
      const entries = [...objects].map((name) => `<Version><Key>${name}</Key></Version>`).join("");
      return { status: 200, body: `<ListVersionsResult>${entries}</ListVersionsResult>` };
    }
    if (action.has("list-type")) {
      const entries = [...objects].map((name) => `<Contents><Key>${name}</Key></Contents>`).join("");
      return { status: 200, body: `<ListBucketResult>${entries}</ListBucketResult>` };
    }
    exists = method === "PUT";
    return { status: method === "PUT" ? 200 : 204 };
  };

  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const line = `${request.method ?? ""} ${request.url ?? ""}`
        .replace(/[?&]x-id=\w+/, "")
        .replace(/^(\S+ \/\w+)\/(?=\?|$)/, "$1")
        .replace(/=(?=&|$)/, "");
      log.push(line);
      received[line] = request.headers;
      const [, who = ""] = /Credential=(\w+)/.exec(request.headers.authorization ?? "") ?? [];
      const { status, body, headers } = bend(line, who) ?? answer(line, Buffer.concat(chunks).toString());
      response.writeHead(status, headers).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "eu-central-1",
    bucket: "vault",
  };
  const s3 = await connect(address, KEYS);
  closers.push(() => {
    s3.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { address, s3, log, headers: received };
}

const inputsFor = (address: BucketAddress): BucketInputs => ({
  ...address,
  owner: KEYS,
  writer: KEYS,
  policies: FORMS,
  versioned: true,
  noncurrentVersionDays: 30,
});

/** What the state says besides the inputs when all is as it should be. */
const SETTLED = {
  policy: DOCUMENT,
  form: FORMS[0].name,
  versioning: "Enabled",
  lifecycle: canonicalLifecycle(lifecycleRules(30)),
  unfinishedUploads: "aborted",
  objectLock: "none",
  acl: "private",
  publicAccessBlock: "IgnorePublicAcls",
  quota: 1_000_000,
};

describe("making the bucket", () => {
  test("uses the path, never a host name made of the bucket's", async () => {
    const { address, s3, log } = await service();
    expect(await adoptOrCreate(s3, address, KEYS)).toBe(true);
    expect(log).toEqual(["GET /", "PUT /vault"]);
    expect(await adoptOrCreate(s3, address, KEYS)).toBe(false);
    expect(log).toEqual(["GET /", "PUT /vault", "GET /"]);
  });

  test("leaves the place to a service that calls its places otherwise than the region", async () => {
    let first = true;
    const { address, s3, log } = await service((request) => {
      const refuse = request === "PUT /vault" && first;
      first &&= !refuse;
      return refuse ? error(400, "InvalidLocationConstraint") : undefined;
    });
    expect(await adoptOrCreate(s3, address, KEYS)).toBe(true);
    expect(log).toEqual(["GET /", "PUT /vault", "PUT /vault"]);
  });

  test("says whose bucket it is when it is somebody else's", async () => {
    const { address, s3 } = await service((request) =>
      request === "PUT /vault" ? error(409, "BucketAlreadyExists", "taken") : undefined,
    );
    await expect(adoptOrCreate(s3, address, KEYS)).rejects.toThrow(
      /^S3 bucket "vault" at http:\/\/127\.0\.0\.1:\d+: cannot take over the bucket: BucketAlreadyExists \(HTTP 409\): taken\. The bucket belongs to another account/,
    );
  });
});

describe("settings", () => {
  test.each([
    ["when it is read", "GET"],
    ["when it is set", "PUT"],
  ])("versioning that the service lacks is reported %s", async (_when, method) => {
    const { address, s3 } = await service((request) =>
      request === `${method} /vault?versioning` ? error(501, "NotImplemented") : undefined,
    );
    expect(await settle(VERSIONING, s3, address, true, SOON)).toBe("unsupported");
  });

  test("versioning that is accepted without effect is a failure", async () => {
    const { address, s3 } = await service((request) =>
      request === "PUT /vault?versioning" ? { status: 200 } : undefined,
    );
    await expect(settle(VERSIONING, s3, address, true, SOON)).rejects.toThrow(
      /cannot set versioning: the service accepted it but reports Suspended/,
    );
  });

  test("a policy that is accepted and not stored is a failure", async () => {
    const { address, s3 } = await service((request) =>
      request === "PUT /vault?policy" ? { status: 204 } : undefined,
    );
    await expect(settle(POLICY, s3, address, DOCUMENT, SOON)).rejects.toThrow(
      /the service accepted it but reports none/,
    );
  });

  test("a policy that shows late is waited for", async () => {
    let hidden = 2;
    const { address, s3 } = await service((request) =>
      request === "GET /vault?policy" && hidden-- > 0 ? error(404, "NoSuchBucketPolicy") : undefined,
    );
    await settle(POLICY, s3, address, DOCUMENT, SOON);
  });

  test("a service without policies is refused with a reason", async () => {
    const { address, s3 } = await service((request) =>
      request.endsWith("?policy") ? error(501, "NotImplemented", "no such thing") : undefined,
    );
    await expect(settle(POLICY, s3, address, DOCUMENT, SOON)).rejects.toThrow(
      /cannot set the bucket policy: NotImplemented \(HTTP 501\): no such thing\. This S3 service lacks the function/,
    );
  });

  test.each([
    ["when it is read", "GET"],
    ["when it is set", "PUT"],
  ])("a lifecycle that the service lacks is reported %s", async (_when, method) => {
    const { address, s3 } = await service((request) =>
      request === `${method} /vault?lifecycle` ? error(501, "NotImplemented") : undefined,
    );
    expect(await settleLifecycle(s3, address, RULES, SOON)).toBe("unsupported");
  });

  test("a lifecycle that is accepted without effect is a failure", async () => {
    const { address, s3 } = await service((request) =>
      request === "PUT /vault?lifecycle" ? { status: 200 } : undefined,
    );
    await expect(settleLifecycle(s3, address, RULES, SOON)).rejects.toThrow(
      /cannot set the lifecycle: the service accepted it but reports another one/,
    );
  });

  test("a lifecycle is put once, with the checksum that every service knows", async () => {
    const { address, s3, log, headers } = await service();
    const whole = { rules: RULES, uploads: "aborted", replaced: [] };
    expect(await settleLifecycle(s3, address, RULES, SOON)).toEqual(whole);
    expect(await settleLifecycle(s3, address, RULES, SOON)).toEqual(whole);
    expect(log.filter((line) => line === "PUT /vault?lifecycle")).toHaveLength(1);
    expect(headers["PUT /vault?lifecycle"]?.["content-md5"]).toMatch(/^[A-Za-z0-9+/]{22}==$/);
    expect(headers["PUT /vault?lifecycle"]).not.toHaveProperty("x-amz-sdk-checksum-algorithm");
  });

  const ABORT = /<AbortIncompleteMultipartUpload>.*<\/AbortIncompleteMultipartUpload>/;
  const without = (refusal: Answer) => (lifecycle: string) => (ABORT.test(lifecycle) ? refusal : lifecycle);
  test.each<[string, (lifecycle: string) => string | Answer]>([
    ["drops", (lifecycle) => lifecycle.replace(ABORT, "")],
    ["calls malformed", without(error(400, "MalformedXML"))],
    ["calls an invalid argument", without(error(400, "InvalidArgument"))],
    ["does not implement", without(error(501, "NotImplemented"))],
  ])(
    "where a service %s the end of unfinished uploads the rest of the lifecycle is in force",
    async (_how, takes) => {
      const { address, s3 } = await service(undefined, takes);
      const rest = withoutUploads(RULES);
      const kept = { rules: rest, uploads: "kept", replaced: [] };
      expect(await settleLifecycle(s3, address, RULES, SOON)).toEqual(kept);
      expect(await settleLifecycle(s3, address, RULES, SOON)).toEqual(kept);
      const { rules } = (await observe(s3, address)) ?? {};
      expect(canonicalLifecycle(rules as LifecycleRule[])).toBe(canonicalLifecycle(rest));
      // Without versions nothing is left to ask for.
      const none = lifecycleRules(undefined);
      expect(await settleLifecycle(s3, address, none, SOON)).toMatchObject({
        rules: [],
        uploads: "kept",
        replaced: ["remove delete markers without versions", "remove old versions after 30 days"],
      });
      const left = (await observe(s3, address))?.rules as LifecycleRule[];
      expect(canonicalLifecycle(left)).toBe("[]");
    },
  );

  test("a lifecycle that is refused in all is a failure in the words of the first refusal", async () => {
    const { address, s3, log } = await service(undefined, () => error(400, "MalformedXML", "no rule at all"));
    await expect(settleLifecycle(s3, address, RULES, SOON)).rejects.toThrow(
      /cannot set the lifecycle: MalformedXML \(HTTP 400\): no rule at all/,
    );
    const denied = await service(undefined, () => error(403, "AccessDenied"));
    await expect(settleLifecycle(denied.s3, denied.address, RULES, SOON)).rejects.toThrow(/AccessDenied/);
    const puts = (lines: string[]) => lines.filter((line) => line === "PUT /vault?lifecycle").length;
    expect([puts(log), puts(denied.log)]).toEqual([2, 1]);
  });

  test("an object lock that the bucket has not, or the service, is a failure before anything is put", async () => {
    const { address, s3, log } = await service();
    await expect(requireObjectLock(s3, address)).rejects.toThrow(
      /exists without object lock, which can be enabled only when a bucket is created\. Nothing was changed\. Choose another/,
    );
    const none = await service((request) => (request.endsWith("?object-lock") ? error(501, "x") : undefined));
    await expect(requireObjectLock(none.s3, none.address)).rejects.toThrow(/this service has no object lock/);
    expect([...log, ...none.log].filter((line) => line.startsWith("PUT"))).toEqual([]);
  });

  test("a retention that is accepted without effect is a failure", async () => {
    const enabled =
      "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    const { address, s3 } = await service((request) =>
      request.endsWith("?object-lock") ? { status: 200, body: enabled } : undefined,
    );
    await requireObjectLock(s3, address);
    await settle(OBJECT_LOCK, s3, address, undefined, SOON);
    await expect(settle(OBJECT_LOCK, s3, address, { mode: "GOVERNANCE", days: 1 }, SOON)).rejects.toThrow(
      /cannot set the object lock: the service accepted it but reports Enabled/,
    );
  });

  test.each<[string, string, Answer]>([
    ["refuses to read", "GET", error(501, "NotImplemented")],
    ["refuses to set", "PUT", error(405, "MethodNotAllowed")],
    ["overlooks", "GET", { status: 200, body: "<ListBucketResult><Name>vault</Name></ListBucketResult>" }],
  ])("a PublicAccessBlock that the service %s is reported", async (_how, method, answer) => {
    const { address, s3 } = await service((request) =>
      request === `${method} /vault?publicAccessBlock` ? answer : undefined,
    );
    expect(await settle(PUBLIC_ACCESS_BLOCK, s3, address, WANTED_BLOCK, SOON)).toBe("unsupported");
  });

  test("a PublicAccessBlock that is accepted without effect is a failure", async () => {
    const { address, s3 } = await service((request) =>
      request === "PUT /vault?publicAccessBlock" ? { status: 200 } : undefined,
    );
    await expect(settle(PUBLIC_ACCESS_BLOCK, s3, address, WANTED_BLOCK, SOON)).rejects.toThrow(
      /cannot set the PublicAccessBlock: the service accepted it but reports none/,
    );
  });

  test("the PublicAccessBlock is the one setting alone, and put once", async () => {
    const { address, s3, log, headers } = await service();
    await s3.putPublicAccessBlock({
      Bucket: "vault",
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        IgnorePublicAcls: false,
        RestrictPublicBuckets: true,
      },
    });
    const others = ["BlockPublicAcls", "RestrictPublicBuckets"];
    expect((await observe(s3, address))?.publicAccessBlock).toEqual(others);
    log.splice(0);
    expect(await settle(PUBLIC_ACCESS_BLOCK, s3, address, WANTED_BLOCK, SOON)).toEqual(others);
    expect(await settle(PUBLIC_ACCESS_BLOCK, s3, address, WANTED_BLOCK, SOON)).toEqual(WANTED_BLOCK);
    expect((await observe(s3, address))?.publicAccessBlock).toEqual(["IgnorePublicAcls"]);
    expect(log.filter((line) => line === "PUT /vault?publicAccessBlock")).toHaveLength(1);
    expect(headers["PUT /vault?publicAccessBlock"]?.["content-md5"]).toMatch(/^[A-Za-z0-9+/]{22}==$/);
  });

  const grants = (...grantees: string[]) => ({
    status: 200,
    body: `<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList>${grantees
      .map((grantee) => `<Grant><Grantee>${grantee}</Grantee><Permission>WRITE</Permission></Grant>`)
      .join("")}</AccessControlList></AccessControlPolicy>`,
  });
  const OTHERS = ["<ID>me</ID>", "", "<URI>everybody</URI>", "<ID>other</ID>"];

  test("an ACL that lets in others is made private, and they are named", async () => {
    let acl = grants(...OTHERS);
    const { address, s3, log, headers } = await service((request) => {
      if (request === "PUT /vault?acl") acl = grants("<ID>me</ID>");
      return request === "GET /vault?acl" ? acl : undefined;
    });
    const named = "WRITE for everybody, WRITE for other";
    const aclBefore = async () => aclInWords(await settle(ACL, s3, address, undefined, SOON));
    expect(await aclBefore()).toBe(named);
    expect(await aclBefore()).toBe("private");
    expect(log.filter((line) => line === "PUT /vault?acl")).toHaveLength(1);
    expect(headers["PUT /vault?acl"]?.["x-amz-acl"]).toBe("private");
  });

  test.each([
    ["names another as the owner", "<Owner><ID>another</ID></Owner>"],
    ["names no owner", ""],
  ])("a grantee of an ACL that %s does not count as the owner", async (_what, owner) => {
    const acl = grants("<ID>me</ID>");
    const body = acl.body.replace(/<Owner>.*<\/Owner>/, owner);
    const { address, s3 } = await service((request) =>
      request === "GET /vault?acl" ? { ...acl, body } : undefined,
    );
    expect(aclInWords((await observe(s3, address))?.acl ?? "unsupported")).toBe("WRITE for me");
  });

  test("an ACL that is accepted without effect is a failure", async () => {
    const { address, s3 } = await service((request) =>
      request === "GET /vault?acl" ? grants(...OTHERS) : undefined,
    );
    await expect(settle(ACL, s3, address, undefined, SOON)).rejects.toThrow(
      /cannot make the bucket's ACL private: the service accepted it but reports WRITE for everybody/,
    );
  });

  test("a service without ACLs is no error", async () => {
    const { address, s3 } = await service((request) =>
      request.endsWith("?acl") ? error(501, "NotImplemented") : undefined,
    );
    expect(await settle(ACL, s3, address, undefined, SOON)).toBe("unsupported");
  });

  test.each<[string, Record<string, string>, unknown]>([
    ["the smaller of two", { "x-rgw-quota-user-size": "20", "x-rgw-quota-bucket-size": "10" }, 10],
    ["that of the user", { "x-rgw-quota-user-size": "20", "x-rgw-quota-bucket-size": "-1" }, 20],
    ["none", { "x-rgw-quota-user-size": "-1", "x-rgw-quota-bucket-size": "-1" }, "none"],
    ["unknown where the service reports none", {}, "unknown"],
  ])("the quota is %s", async (_which, told, quota) => {
    const { address, s3 } = await service((request) =>
      request === "HEAD /vault" ? { status: 200, headers: told } : undefined,
    );
    expect((await observe(s3, address))?.quota).toBe(quota);
  });

  test("a policy that is there already is not put again", async () => {
    const { address, s3, log } = await service();
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    await settle(POLICY, s3, address, JSON.stringify(JSON.parse(DOCUMENT)), SOON);
    expect(log.filter((line) => line === "PUT /vault?policy")).toHaveLength(1);
  });
});

describe("the proof", () => {
  test("holds where the policy is in force, and leaves one object", async () => {
    const { address, s3, log } = await service();
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    await prove({ owner: s3 }, address, IN_FORCE, SOON);
    await prove({ owner: s3 }, address, IN_FORCE, SOON);
    expect(log.filter((line) => line === `PUT /vault/${CANARY_KEY}`)).toHaveLength(2);
    const left = (await s3.listObjectsV2({ Bucket: "vault" })).Contents ?? [];
    expect(left.map((entry) => entry.Key)).toEqual([CANARY_KEY]);
  });

  test("finds out a policy that is stored and not enforced, within bounds", async () => {
    const { address, s3, log } = await service((request) =>
      request.startsWith("DELETE /vault/") ? { status: 204 } : undefined,
    );
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    await expect(prove({ owner: s3 }, address, IN_FORCE, SOON)).rejects.toThrow(
      /the policy is NOT in force: the writer could delete "\.canary\/proof\/keys\/undeletable"/,
    );
    expect(log.filter((line) => line === `DELETE /vault/${CANARY_KEY}`).length).toBeLessThanOrEqual(4);
  });

  test("finds out that versions can be deleted although objects cannot", async () => {
    const { address, s3 } = await service((request) => {
      if (request === `PUT /vault/${CANARY_KEY}`) {
        return { status: 200, headers: { "x-amz-version-id": "v1" } };
      }
      return request.includes("versionId=") ? { status: 204 } : undefined;
    });
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    await expect(prove({ owner: s3 }, address, IN_FORCE, SOON)).rejects.toThrow(/could delete a version of/);
  });

  test("waits for a policy that comes into force late", async () => {
    let late = 2;
    const { address, s3 } = await service((request) =>
      request === `DELETE /vault/${CANARY_KEY}` && late-- > 0 ? { status: 204 } : undefined,
    );
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    await prove({ owner: s3 }, address, IN_FORCE, SOON);
  });

  test.each([
    ["a key that does not work is no proof", error(403, "InvalidAccessKeyId")],
    ["nor is a wrong secret", error(403, "SignatureDoesNotMatch")],
    ["nor a delete that the service does not know", error(405, "MethodNotAllowed")],
  ])("%s", async (_title, refusal) => {
    const { address, s3 } = await service((request) =>
      request === `DELETE /vault/${CANARY_KEY}` ? refusal : undefined,
    );
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    await expect(prove({ owner: s3 }, address, IN_FORCE, SOON)).rejects.toThrow(
      /cannot find out whether the writer could/,
    );
  });

  test("fails when the writer cannot write", async () => {
    const { address, s3 } = await service((request) =>
      request.startsWith("PUT /vault/") ? error(403, "AccessDenied") : undefined,
    );
    await expect(prove({ owner: s3 }, address, IN_FORCE, SOON)).rejects.toThrow(
      /cannot write "\.canary\/proof\/keys\/undeletable" as the writer: AccessDenied \(HTTP 403\).*could not add backups either/,
    );
  });

  test("uses a canary of its own, whatever an attacker puts in its place meanwhile", async () => {
    const canary = `/vault/${CANARY_KEY}`;
    const version = (id: string) => `<Version><Key>${CANARY_KEY}</Key><VersionId>${id}</VersionId></Version>`;
    const denied = error(403, "AccessDenied");
    const { address, s3, log } = await service((request, who) => {
      // The latest version is always the attacker's, encrypted with a key that only they have.
      if (request === `HEAD ${canary}`) return { status: 400 };
      if (request === `HEAD ${canary}?versionId=good`) return { status: 200 };
      if (request === `PUT ${canary}`) return { status: 200, headers: { "x-amz-version-id": "good" } };
      if (request.startsWith("GET /vault?") && request.includes("versions"))
        return {
          status: 200,
          body: `<ListVersionsResult>${["bad", "good", "old"].map(version).join("")}</ListVersionsResult>`,
        };
      if (request.startsWith(`DELETE ${canary}`) && who === KEYS.accessKeyId)
        return { status: 204, headers: { "x-amz-version-id": "marker" } };
      return /^DELETE .*versionId=|^(PUT|DELETE) \/vault\/\.(keeper|status|owner)\/|^PUT \S+\?(policy|versioning|lifecycle|publicAccessBlock)$/.test(
        request,
      ) && who === "WRITER"
        ? denied
        : undefined;
    });
    const writer = await connect(address, { ...KEYS, accessKeyId: "WRITER" });
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    log.splice(0);
    expect(await prove({ owner: s3, writer }, address, { ...IN_FORCE, versioning: "Enabled" }, [])).toEqual(
      [],
    );
    writer.destroy();
    expect(log.filter((line) => line.startsWith(`DELETE ${canary}?`))).toEqual([
      // The writer tries; the owner brings back, and removes what is not the proof's own.
      ...["good", "marker", "bad", "old"].map((id) => `DELETE ${canary}?versionId=${id}`),
    ]);
  });

  describe("in a full bucket", () => {
    const full = (request: string): Answer | undefined =>
      request.startsWith("PUT /vault/") ? error(403, "QuotaExceeded") : undefined;
    const VERSIONED: InForce = { ...IN_FORCE, versioning: "Enabled" };

    test.each([
      ["a quota is used up", error(403, "QuotaExceeded")],
      ["another service's words for it", error(400, "XMinioAdminBucketQuotaExceeded")],
      ["the disks are", error(507, "InsufficientStorage")],
    ])("says what it could not try: %s", async (_why, answer) => {
      const { address, s3, log } = await service((request) => full(request) && answer);
      await settle(POLICY, s3, address, DOCUMENT, SOON);
      expect(await prove({ owner: s3 }, address, VERSIONED, [])).toEqual([
        "nobody but the owner can delete a version",
        "the writer can add objects",
      ]);
      expect(log).toContain(`DELETE /vault/${CANARY_KEY}`);
    });

    test("tries the version that is there, and removes none", async () => {
      const { address, s3, log } = await service((request) =>
        request.startsWith("GET /vault?") && request.includes("versions")
          ? {
              status: 200,
              body: `<ListVersionsResult><Version><Key>${CANARY_KEY}</Key><VersionId>v1</VersionId></Version></ListVersionsResult>`,
            }
          : full(request),
      );
      await settle(POLICY, s3, address, DOCUMENT, SOON);
      expect(await prove({ owner: s3 }, address, VERSIONED, [])).toEqual(["the writer can add objects"]);
      expect(log.filter((line) => line.includes("versionId="))).toEqual([
        `DELETE /vault/${CANARY_KEY}?versionId=v1`,
      ]);
    });

    test("accepts a service without versions", async () => {
      const { address, s3 } = await service((request) =>
        request.includes("versions") ? error(501, "NotImplemented") : full(request),
      );
      await settle(POLICY, s3, address, DOCUMENT, SOON);
      expect(await prove({ owner: s3 }, address, IN_FORCE, [])).toEqual(["the writer can add objects"]);
    });

    test("finds out all the same that the policy is not enforced", async () => {
      const { address, s3 } = await service((request) =>
        request.startsWith("DELETE /vault/") ? { status: 204 } : full(request),
      );
      await settle(POLICY, s3, address, DOCUMENT, SOON);
      await expect(prove({ owner: s3 }, address, IN_FORCE, [])).rejects.toThrow(/the policy is NOT in force/);
    });
  });

  test("fails when restic could not remove its locks", async () => {
    const { address, s3 } = await service((request) =>
      request.startsWith("DELETE /vault/") ? error(403, "AccessDenied") : undefined,
    );
    await expect(prove({ owner: s3 }, address, IN_FORCE, SOON)).rejects.toThrow(
      /every restic command would leave a lock/,
    );
  });
});

describe("the choice of the form", () => {
  const putOf = (log: string[]): number => log.filter((line) => line === "PUT /vault?policy").length;

  test("is the first that holds, with the reason why each before it failed", async () => {
    let puts = 0;
    // The first is refused, the second is stored and not enforced.
    const { address, s3 } = await service((request) => {
      puts += request === "PUT /vault?policy" ? 1 : 0;
      if (request === "PUT /vault?policy" && puts === 1)
        return error(400, "MalformedPolicy", "no such thing");
      return puts === 2 && request === `DELETE /vault/${CANARY_KEY}` ? { status: 204 } : undefined;
    });
    const forms = ["a", "b", "c"].map((name, index) => ({
      name,
      policy: DOCUMENT.replace("2012-10-17", `201${index}`),
    }));
    const { form, failed } = await settleBestPolicy({ owner: s3 }, address, forms, IN_FORCE, SOON);
    expect(form.name).toBe("c");
    expect(failed).toEqual([
      expect.stringMatching(/^a: cannot set the bucket policy: MalformedPolicy \(HTTP 400\): no such thing/),
      expect.stringMatching(/^b: the policy is NOT in force: the writer could delete/),
    ]);
    expect((await observe(s3, address))?.policy).toBe(forms[2]?.policy);
  });

  test("fails with what each came to if none holds, and leaves the strongest that was taken", async () => {
    const { address, s3 } = await service((request) =>
      request === `DELETE /vault/${CANARY_KEY}` ? { status: 204 } : undefined,
    );
    const settled = settleBestPolicy({ owner: s3 }, address, FORMS, IN_FORCE, SOON);
    await expect(settled).rejects.toThrow(
      /no form of the policy holds, so the backups are not protected\.\n- deletion denied but on locks: the policy is NOT in force: .*\n- deletion denied on each part of a repository: the policy is NOT in force: /,
    );
    expect((await observe(s3, address))?.policy).toBe(DOCUMENT);
  });

  test.each([
    ["a fault of the service", error(500, "InternalError")],
    ["a service that asks to slow down", error(503, "SlowDown")],
    ["a key that does not work", error(403, "InvalidAccessKeyId")],
  ])("%s says nothing of a form: no other is tried", async (_what, answer) => {
    const { address, s3, log } = await service((request) =>
      request === `DELETE /vault/${CANARY_KEY}` ? answer : undefined,
    );
    await expect(settleBestPolicy({ owner: s3 }, address, FORMS, IN_FORCE, [])).rejects.toThrow(
      /cannot find out whether the writer could delete/,
    );
    expect(putOf(log)).toBe(1);
  });

  test("nor does a service that is away", async () => {
    const { address, s3 } = await service();
    closers.splice(0).forEach((close) => {
      close();
    });
    const dead = await connect(address, KEYS);
    await expect(settleBestPolicy({ owner: dead }, address, FORMS, IN_FORCE, [])).rejects.toThrow(
      /cannot set the bucket policy: .*ECONNREFUSED.*Check the endpoint/,
    );
    s3.destroy();
    dead.destroy();
  });

  test("an update keeps the form that holds, without trying a stronger one again", async () => {
    const { address, log } = await service();
    const inputs = inputsFor(address);
    const weaker = { form: FORMS[1]?.name ?? "", policy: FORMS[1]?.policy ?? "" };
    const olds: BucketState = { ...inputs, ...SETTLED, ...weaker } as BucketState;
    expect((await bucketProvider.update?.("vault", olds, inputs))?.outs).toMatchObject(weaker);
    expect(putOf(log)).toBe(1);
    const others = [...FORMS, { name: "another", policy: "{}" }];
    const updated = await bucketProvider.update?.("vault", olds, { ...inputs, policies: others });
    expect(updated?.outs).toMatchObject({ form: FORMS[0].name, policy: FORMS[0].policy });
  });
});

describe("lifecycles compared by meaning", () => {
  const rule = (rest: Partial<LifecycleRule>): LifecycleRule => ({ ID: "x", Status: "Enabled", ...rest });
  const noncurrent = { NoncurrentVersionExpiration: { NoncurrentDays: 30 } };
  const markers = { Expiration: { ExpiredObjectDeleteMarker: true } };
  const uploads = { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } };

  test("names, order, splitting, spellings of the prefix and rules that are off make no difference", () => {
    const split = [
      rule({ ...uploads, Filter: {} }),
      { ...rule(markers), ...{ Prefix: "" } },
      rule({ ...noncurrent, Filter: { Prefix: "" }, Transitions: [] }),
      rule({ ...noncurrent, Filter: { And: { Prefix: "" } } }),
      { ...rule({ Expiration: { Days: 1 } }), Status: "Disabled" as const },
    ];
    expect(canonicalLifecycle(split)).toBe(canonicalLifecycle(RULES));
    expect(foreignActions(split, RULES)).toEqual([]);
  });

  test("other days, another prefix, one action more or less do, and are said in words", () => {
    const others: [LifecycleRule[], string[]][] = [
      [lifecycleRules(29), ["remove old versions after 29 days"]],
      [lifecycleRules(undefined), []],
      [[], []],
      [
        [...RULES, rule({ Expiration: { Days: 3 }, Filter: { Prefix: "web/" } })],
        ['REMOVE OBJECTS below "web/" 3 days after they were written'],
      ],
      [
        [...RULES, rule({ Expiration: { Date: new Date(0) }, Filter: { Tag: { Key: "a", Value: "b" } } })],
        ["REMOVE OBJECTS (some) on 1970-01-01T00:00:00.000Z"],
      ],
      [
        [rule({ ...markers, ...uploads, Filter: { Prefix: "x" } })],
        [
          'remove delete markers without versions below "x"',
          'abort unfinished uploads below "x" after 7 days',
        ],
      ],
      [
        [rule({ Transitions: [{ Days: 1, StorageClass: "GLACIER" }] })],
        ["move objects to another storage class"],
      ],
      [
        [rule({ NoncurrentVersionTransitions: [{ NoncurrentDays: 1, StorageClass: "GLACIER" }] })],
        ["move old versions to another storage class"],
      ],
    ];
    for (const [rules, words] of others) {
      expect(canonicalLifecycle(rules)).not.toBe(canonicalLifecycle(RULES));
      expect(foreignActions(rules, RULES)).toEqual(words);
    }
  });
});

describe("removing", () => {
  test("a service without versions is searched by its objects", async () => {
    const { address, s3, log } = await service((request) =>
      request.includes("?versions") ? error(501, "NotImplemented") : undefined,
    );
    await s3.putObject({ Bucket: "vault", Key: "web/main/config", Body: "x" });
    expect(await removeIfEmpty(s3, address, SOON)).toEqual({ removed: false, holds: "web/main/config" });
    expect(log.some((line) => line.startsWith("DELETE"))).toBe(false);
  });

  test("notes of keeper and owner go with the bucket, and keep none without backups", async () => {
    const { address, s3, log } = await service((request) =>
      request.includes("?versions") ? error(501, "NotImplemented") : undefined,
    );
    const notes = [".keeper/web/main/state.json", ".owner/verify.json", ".status/status.json"];
    for (const Key of notes) await s3.putObject({ Bucket: "vault", Key, Body: "x" });
    expect(await removeIfEmpty(s3, address, SOON)).toEqual({ removed: true });
    expect(log.filter((line) => line.startsWith("DELETE"))).toEqual([
      ...notes.map((key) => `DELETE /vault/${key}`),
      "DELETE /vault",
    ]);
  });

  test("what was moved away in a recovery is data", async () => {
    const { address, s3 } = await service((request) =>
      request.includes("?versions") ? error(501, "NotImplemented") : undefined,
    );
    await s3.putObject({ Bucket: "vault", Key: ".quarantine/run/web/main/data/aa/1", Body: "x" });
    expect(await removeIfEmpty(s3, address, SOON)).toMatchObject({ removed: false });
  });

  test("a canary that nobody may delete yet keeps the bucket, with its policy", async () => {
    const lock =
      "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>" +
      "<Mode>COMPLIANCE</Mode><Years>1</Years></DefaultRetention></Rule></ObjectLockConfiguration>";
    const { address, s3 } = await service((request) =>
      request === "GET /vault?object-lock"
        ? { status: 200, body: lock }
        : request.startsWith("DELETE /vault/")
          ? error(403, "AccessDenied")
          : undefined,
    );
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    await s3.putObject({ Bucket: "vault", Key: CANARY_KEY, Body: "x" });
    expect(await removeIfEmpty(s3, address, SOON)).toEqual({
      removed: false,
      holds: ".canary/…, until the object lock ends",
    });
    expect(await observe(s3, address)).toMatchObject({
      policy: DOCUMENT,
      objectLock: { mode: "COMPLIANCE", days: 365 },
    });
  });

  test("data that comes in between keeps the bucket, and brings its policy back", async () => {
    const { address, s3 } = await service((request) =>
      request === "DELETE /vault" ? error(409, "BucketNotEmpty") : undefined,
    );
    await settle(POLICY, s3, address, DOCUMENT, SOON);
    await s3.putObject({ Bucket: "vault", Key: CANARY_KEY, Body: "x" });
    expect(await removeIfEmpty(s3, address, SOON)).toMatchObject({ removed: false });
    expect((await observe(s3, address))?.policy).toBe(DOCUMENT);
  });

  test("revoked keys of the owner keep the bucket, and stop nothing", async () => {
    const { address, s3 } = await service(() => error(403, "InvalidAccessKeyId"));
    expect(await removeIfEmpty(s3, address, SOON)).toEqual({ removed: false });
  });

  test("a bucket that is gone counts as removed", async () => {
    const { address, s3 } = await service(() => error(404, "NoSuchBucket"));
    expect(await removeIfEmpty(s3, address, SOON)).toEqual({ removed: true });
    expect(await observe(s3, address)).toBeUndefined();
  });
});

describe("messages", () => {
  test("never hold a secret, even if the service repeats it", async () => {
    const { address } = await service(() => error(403, "AccessDenied", `bad key ${KEYS.secretAccessKey}!`));
    const refused = bucketProvider.create(inputsFor(address));
    await expect(refused).rejects.toThrow(/AccessDenied \(HTTP 403\): bad key \[secret\]!\. Check that/);
    await expect(refused).rejects.not.toThrow(KEYS.secretAccessKey);
  });

  test("an endpoint that nobody listens on", async () => {
    const { address, s3 } = await service();
    closers.splice(0).forEach((close) => {
      close();
    });
    const dead = await connect(address, KEYS);
    await expect(observe(dead, address)).rejects.toThrow(/ECONNREFUSED.*Check the endpoint/);
    s3.destroy();
    dead.destroy();
  });

  test("endpoints: a bare host means https; paths, credentials and other schemes are refused", () => {
    expect(endpointUrl("s3.es1.fra.optimist.innovo.cloud")).toBe("https://s3.es1.fra.optimist.innovo.cloud");
    expect(endpointUrl("s3.example.com:8443/")).toBe("https://s3.example.com:8443");
    expect(endpointUrl("http://172.24.4.1:7480")).toBe("http://172.24.4.1:7480");
    for (const wrong of [
      "",
      "https://",
      "ftp://h",
      "https://u:p@h",
      "https://h/path",
      "https://h?x=1",
      "a b",
    ]) {
      expect(() => endpointUrl(wrong)).toThrow(/must be a host name or an http\(s\) URL/);
    }
  });
});

describe("the resource on such a service", () => {
  test("a create that fails half-way keeps the bucket in the state, with what the service says", async () => {
    const { address } = await service((request) =>
      request === "PUT /vault?policy" ? error(400, "MalformedPolicy", "no such action") : undefined,
    );
    const failed = bucketProvider.create(inputsFor(address));
    await expect(failed).rejects.toMatchObject({
      id: "vault",
      message: expect.stringMatching(
        /cannot set the bucket policy: MalformedPolicy \(HTTP 400\): no such action\./,
      ),
      properties: { bucket: "vault", policy: "", versioning: "Enabled" },
    });
  });

  test.each<[string, Bend, RegExp]>([
    [
      "no quota",
      (request) =>
        request === "HEAD /vault" ? { status: 200, headers: { "x-rgw-quota-bucket-size": "-1" } } : undefined,
      /the service reports NO QUOTA: .*radosgw-admin quota set --quota-scope=bucket --bucket=vault/,
    ],
    [
      "a quota that the service does not report",
      (request) => (request === "HEAD /vault" ? { status: 200 } : undefined),
      /does not report the bucket's quota/,
    ],
    [
      "no lifecycle",
      (request) => (request.endsWith("?lifecycle") ? error(405, "MethodNotAllowed") : undefined),
      /this service has no lifecycle\. Old versions and unfinished uploads stay/,
    ],
    [
      "no end of unfinished uploads",
      (() => {
        let puts = 0;
        return (request) =>
          request === "PUT /vault?lifecycle" && puts++ === 0 ? error(400, "MalformedXML") : undefined;
      })(),
      /this service refuses or drops the lifecycle rule that removes unfinished uploads; the others are in force/,
    ],
    [
      "no PublicAccessBlock",
      (request) => (request.endsWith("?publicAccessBlock") ? error(501, "NotImplemented") : undefined),
      /this service has no PublicAccessBlock\. An attacker with the writer's keys can put objects that everybody/,
    ],
    [
      "no versions",
      (request) => (request.endsWith("?versioning") ? error(501, "NotImplemented") : undefined),
      /this service has no versioning\./,
    ],
    [
      "a policy of which it knows a weaker form only",
      (() => {
        let puts = 0;
        return (request) =>
          request === "PUT /vault?policy" && puts++ === 0 ? error(400, "MalformedPolicy") : undefined;
      })(),
      /the policy in force is: deletion denied on each part of a repository\. Stronger forms do not hold here:\n- deletion denied but on locks: .*MalformedPolicy/,
    ],
  ])("%s is said in words, and the update goes on", async (_what, bend, words) => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const { address } = await service(bend);
    const inputs = inputsFor(address);
    const { outs } = await bucketProvider.create(inputs);
    expect(said.mock.calls.flat().join("\n")).toMatch(words);
    said.mockRestore();
    expect((await bucketProvider.diff?.("vault", outs as BucketState, inputs))?.changes).toBe(false);
  });

  test("create, read, drift and update", async () => {
    const said = jest.spyOn(console, "log").mockImplementation(() => undefined);
    const { address, s3 } = await service();
    const inputs = inputsFor(address);
    const { id, outs } = await bucketProvider.create(inputs);
    expect({ id, outs }).toEqual({ id: "vault", outs: { ...inputs, ...SETTLED } });
    if (outs === undefined) {
      throw new Error("no state");
    }

    expect(await bucketProvider.read?.(id, outs)).toEqual({ id, props: outs, inputs });
    await s3.putBucketPolicy({ Bucket: "vault", Policy: "{}" });
    const drifted = await bucketProvider.read?.(id, outs);
    expect(drifted?.props).toEqual({ ...outs, policy: "{}" });
    expect(drifted?.inputs).toEqual({ ...inputs, policies: [{ name: "changed by hand", policy: "{}" }] });

    const updated = await bucketProvider.update?.(id, drifted?.props as BucketState, inputs);
    expect(updated?.outs).toEqual(outs);
    expect((await observe(s3, address))?.policy).toBe(DOCUMENT);
    expect(said).not.toHaveBeenCalled();
    said.mockRestore();
  });
});
