import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { secretsIn, stackSecrets, withoutSecrets } from "../../operations/verify/secrets";
import { SAMPLE_SETTINGS, SAMPLE_HOST, sampleBucket, sampleDeployment } from "../harness/sample-deployment";

const pem = () =>
  generateKeyPairSync("rsa", { modulusLength: 2048 })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
const host = { ...SAMPLE_HOST, privateKey: pem() };
const PASSWORD = "correct horse battery staple";

const OPERATIONS = sampleDeployment({
  bucket: sampleBucket({ writer: { accessKeyId: "WRITERID", secretAccessKey: "writer-secret-key" } }),
  proxy: { ...sampleDeployment().proxy, host },
  clients: [
    {
      name: "web",
      kind: "vm",
      frozen: false,
      host,
      repositories: [
        { ...SAMPLE_SETTINGS, publicKey: "ssh-ed25519 AAAA", privateKey: pem(), password: PASSWORD },
        { ...SAMPLE_SETTINGS, name: "tiny", publicKey: "ssh-ed25519 AAAB", password: "short" },
      ],
    },
  ],
  alarms: {
    ...sampleDeployment().alarms,
    mail: {
      server: "mail.example.com",
      port: 587,
      security: "starttls",
      user: "backups",
      password: "password of mail",
      from: "backups@example.com",
      to: ["ops@example.com"],
    },
    webhooks: [
      { name: "team", url: "https://hooks.example.com/T0/B0", form: "slack" },
      { name: "open", url: "https://hooks.example.com/", form: "json" },
    ],
    ping: "https://ping.example.com?id=0123",
  },
  canary: { publicKey: "ssh-ed25519 AAAC", privateKey: pem() },
});
const { secrets, tooShort } = stackSecrets(OPERATIONS);

describe("every secret of the stack is looked for", () => {
  test("by name, and those that are too short are named", () => {
    expect(secrets.map(({ name }) => name)).toEqual([
      "the S3 secret key of the owner",
      "the S3 secret key of the writer",
      "the repository root key",
      "the password for mail",
      "the URL of the webhook team",
      "the URL of the ping",
      "the password of web/main",
      "the canary's private key",
      "the operator's private key",
      "the private key to web",
      "the private key of web/main",
    ]);
    expect(tooShort).toEqual(["the password of web/tiny"]);
  });

  test("no value of Deployment that is secret is missing", () => {
    const secretFields = /^(secretAccessKey|privateKey|password|repositoryRootKey|ping)$/;
    JSON.stringify(OPERATIONS, (field, value: unknown) => {
      if (secretFields.test(field) && value !== "short")
        expect([field, secretsIn(`before ${String(value)} after`, secrets)]).not.toEqual([field, []]);
      return value;
    });
  });

  test("finds no public value", () => {
    expect(
      secretsIn(
        "OWNERID WRITERID ssh-ed25519 AAAA https://s3.example https://hooks.example.com/ debian short",
        secrets,
      ),
    ).toEqual([]);
  });
});

describe("a secret is found", () => {
  test("in base64 wherever it begins, in one line or in many", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer({ min: 20, max: 80 }), (before, after, width) => {
        const text = Buffer.from(before + PASSWORD + after).toString("base64");
        const lines = (text.match(new RegExp(`.{1,${String(width)}}`, "g")) ?? []).join("\n");
        for (const leaked of [text, lines]) {
          expect(secretsIn(`log: ${leaked}\nmore`, secrets)).toContain("the password of web/main");
        }
      }),
    );
  });

  test("by one line of a private key", () => {
    const line = OPERATIONS.canary.privateKey.split("\n")[9] as string;
    expect(secretsIn(`… ${line} …`, secrets)).toEqual(["the canary's private key"]);
  });
});

test("withoutSecrets replaces each secret by its name", () => {
  const text = withoutSecrets(`password '${PASSWORD}' refused`, secrets);
  expect(text).toBe("password '«the password of web/main»' refused");
});

test("millions of blanks do not slow the search down", () => {
  const started = Date.now();
  expect(secretsIn(`a${" ".repeat(4_000_000)}b`, secrets)).toEqual([]);
  expect(Date.now() - started).toBeLessThan(5000);
});
