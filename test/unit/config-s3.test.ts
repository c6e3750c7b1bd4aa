import { describe, expect, test } from "@jest/globals";
import { parseEndpoint, parseStackConfig } from "../../config";
import {
  type Case,
  changed,
  CONTROL,
  errorsOf,
  PROJECT,
  reportsEach,
  smallest,
} from "../harness/config-errors";
import { fullExample, project } from "../harness/config-example";

const BUCKET =
  'is not a bucket name; use 3 to 63 lower-case letters, digits, inner hyphens and single dots, for example "example-backups"';
const ENDPOINT =
  "is not an S3 endpoint; give http:// or https://, host and port without path, query and credentials, or the host alone, " +
  'for example "https://s3.example.com"';
const DAYS = "write a whole number from 1 to 3650 without quotes";

describe("a right configuration", () => {
  test("may have an endpoint that begins as the bucket is called, where what follows is no service", () => {
    const raw = changed("s3.bucket", "backups", smallest());
    for (const endpoint of [
      "https://backups.example.com",
      "backups.lan:9000",
      "https://s3.example.com",
      "[::1]:80",
    ]) {
      expect(errorsOf(changed("s3.endpoint", endpoint, raw))).toEqual([]);
    }
  });

  test("may do without old versions of objects", () => {
    const { s3 } = parseStackConfig(changed("s3.versioning", false, smallest()));
    expect(s3.versioning).toBe(false);
  });

  test.each([
    ["s3.endpoint", "172.24.4.1:7480"],
    ["s3.identities.owner", { accessKeyId: "K", secretAccessKey: "hush", principal: "arn:aws:iam:::user/o" }],
    ["s3.identities.owner", { accessKeyId: "K", secretAccessKey: "hush" }],
    ["s3.endpoint", "http://172.24.4.1"],
    ["s3.bucket", "a.b"],
  ])("may have %s: %j", (field, value) => {
    expect(errorsOf(changed(field, value))).toEqual([]);
  });
});

describe("an error in one field", () => {
  const cases: Case[] = [
    ["s3.versioning", null, "s3.versioning: empty; write true or false without quotes"],
    ...[0, -1, 3651, 1.5, true, "30", Infinity].map((days): Case => [
      "s3.noncurrentVersionDays",
      days,
      `s3.noncurrentVersionDays: ${typeof days === "string" ? `"${days}"` : String(days)} is not a number of days; ${DAYS}`,
    ]),
    ["s3.noncurrentVersionDays", null, `s3.noncurrentVersionDays: empty; ${DAYS}`],
    ["s3.objectLock", true, "s3.objectLock: true is not a mapping; give mode and days, or leave it out"],
    ["s3.objectLock.days", undefined, `s3.objectLock.days: missing; ${DAYS}`],
    ["s3.objectLock.days", 0, `s3.objectLock.days: 0 is not a number of days; ${DAYS}`],
    [
      "s3.objectLock.mode",
      "governance",
      's3.objectLock.mode: "governance" is not a mode; write GOVERNANCE or COMPLIANCE',
    ],
    ["s3.objectLock.mode", undefined, "s3.objectLock.mode: missing; write GOVERNANCE or COMPLIANCE"],
    ["s3.objectLock.years", 1, "s3.objectLock.years: unknown key; known here: mode, days"],
    [
      "s3.identities.writer.secretKey",
      "hush",
      's3.identities.writer.secretKey: unknown key; did you mean "secretAccessKey"? known here: accessKeyId, secretAccessKey, principal',
    ],
    ...[
      "https://a.b/c",
      "https://a.b?x",
      "https://a b",
      "s3://a.b",
      "a.b:0",
      "a.b:65536",
      "a/b",
      "1.2.3.4.5",
      "[1.2.3.4]",
      "::1",
    ].map((text): Case => ["s3.endpoint", text, `s3.endpoint: "${text}" ${ENDPOINT}`]),
    ["s3.endpoint", "https://u:p@a.b", `s3.endpoint: (secret) ${ENDPOINT}`],
    ["s3.endpoint", "https://a.b/", 's3.endpoint: "https://a.b/" has a path; write "https://a.b"'],
    [
      "s3.region",
      "eu central",
      's3.region: "eu central" is not a region; use letters, digits and hyphens as the S3 service writes it, for example "eu-central-1"',
    ],
    ...["ab", "a".repeat(64), "Backups", "a_b", "a..b", "a.-b", "-ab", "ab.", "a/b"].map((text): Case => [
      "s3.bucket",
      text,
      `s3.bucket: "${text}" ${BUCKET}`,
    ]),
    [
      "s3.bucket",
      "10.0.0.1",
      's3.bucket: "10.0.0.1" looks like an IP address; choose a name, for example "example-backups"',
    ],
    [
      "s3.bucket",
      "xn--a",
      's3.bucket: "xn--a" has a prefix or suffix that S3 keeps for itself; choose another name, for example "example-backups"',
    ],
    ...[
      ["https://backups.s3.example.com", "https://s3.example.com"],
      ["backups.s3.lan:9000", "s3.lan:9000"],
      ["http://Backups.storage.example.com:80", "http://storage.example.com:80"],
    ].map(([address, service]): Case => [
      "s3",
      { ...fullExample().s3, bucket: "backups", endpoint: address },
      `s3.endpoint: "${address}" is the address of the bucket and not of the service, and every object would get the ` +
        `bucket's name in front of its own; write "${service}"`,
    ]),
    [
      "s3.identities.owner",
      {},
      "s3.identities.owner.projectId: missing; give the ID of an OpenStack project",
    ],
    ["s3.identities.owner.projectId", "demo", `s3.identities.owner.projectId: "demo" ${PROJECT}`],
    [
      "s3.identities.owner",
      "hush",
      "s3.identities.owner: string is not a mapping; give the projectId of an OpenStack project, or accessKeyId and secretAccessKey",
    ],
    [
      "s3.identities.owner",
      { accessKeyId: "K" },
      "s3.identities.owner.secretAccessKey: missing; give the secret access key",
    ],
    [
      "s3.identities.writer.projectId",
      project(7),
      "s3.identities.writer.projectId: makes the stack create credentials and excludes given ones; leave out either it or accessKeyId, secretAccessKey and principal",
    ],
    [
      "s3.identities.writer.principal",
      undefined,
      's3.identities.writer.principal: missing; give the ARN of this identity for the bucket policy, for example "arn:aws:iam::PROJECT_ID:root"',
    ],
    [
      "s3.identities.writer.principal",
      "*",
      's3.identities.writer.principal: "*" is not a principal; write its ARN, for example "arn:aws:iam::PROJECT_ID:root"',
    ],
    [
      "s3.identities.writer.secretAccessKey",
      5,
      "s3.identities.writer.secretAccessKey: (secret) must be a string; quote it",
    ],
    [
      "s3.identities.writer.secretAccessKey",
      "hush\nenv_auth = true",
      `s3.identities.writer.secretAccessKey: (secret) ${CONTROL}`,
    ],
    [
      "s3.identities.writer.secretAccessKey",
      " hush",
      "s3.identities.writer.secretAccessKey: (secret) begins or ends with a space; give the key alone",
    ],
    [
      "s3.identities.writer.accessKeyId",
      "a/b",
      's3.identities.writer.accessKeyId: "a/b" is not an access key ID; give it alone, printable ASCII without space, comma, slash and equals sign',
    ],
    [
      "s3.identities.keeper",
      { projectId: project(1) },
      `s3.identities.keeper.projectId: "${project(1)}" is the same identity as the owner; leave keeper out, or give it one of its own`,
    ],
    [
      "s3.identities.keeper",
      { projectId: project(2) },
      `s3.identities.keeper.projectId: "${project(2)}" is the same identity as the writer; leave keeper out, or give it one of its own`,
    ],
    [
      "s3.identities.keeper.accessKeyId",
      "AKWRITER",
      's3.identities.keeper.accessKeyId: "AKWRITER" is the same identity as the writer; leave keeper out, or give it one of its own',
    ],
    [
      "s3.identities.writer.principal",
      `arn:aws:iam::${project(1)}:user/${project(1)}`,
      `s3.identities.writer.principal: "arn:aws:iam::${project(1)}:user/${project(1)}" is the same identity as the owner; leave writer out, or give it one of its own`,
    ],
  ];
  reportsEach(cases);
});

describe("errors between fields", () => {
  test("without versions nothing can be said about them", () => {
    expect(errorsOf(changed("s3.versioning", false))).toEqual([
      "s3.noncurrentVersionDays: 3650 is not used with s3.versioning false; leave it out, or write versioning: true",
      "s3.objectLock: needs old versions to hold; leave it out, or write versioning: true",
    ]);
  });
});

describe("an endpoint", () => {
  test.each([
    ["s3.example.com", { scheme: "https", host: "s3.example.com", port: 443 }],
    ["s3.example.com:8443", { scheme: "https", host: "s3.example.com", port: 8443 }],
    ["http://172.24.4.1:7480", { scheme: "http", host: "172.24.4.1", port: 7480 }],
    ["http://[::1]", { scheme: "http", host: "::1", port: 80 }],
  ])("%s is taken apart", (text, parts) => {
    expect(parseEndpoint(text)).toEqual(parts);
  });
});
