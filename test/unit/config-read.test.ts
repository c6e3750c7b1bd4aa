import { afterEach, describe, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { readStackConfig } from "../../config";
import { fullExample } from "../harness/config-example";

/** Puts a configuration in force as Pulumi hands it to a program: JSON texts, and the keys with encrypted parts. */
function setConfig(config: object, secretKeys: string[]): void {
  const entries = Object.entries(config).map(([key, value]) => [
    `secure-backups:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const foreign = { "openstack:cloud": "local", "secure-backups-other:foo": "bar" };
  const keys = secretKeys.map((key) => `secure-backups:${key}`);
  pulumi.runtime.setAllConfig({ ...Object.fromEntries(entries), ...foreign } as Record<string, string>, keys);
}

function thrown(): unknown {
  try {
    return readStackConfig();
  } catch (error) {
    return error;
  }
}

const SECRET_KEYS = ["access", "alarms", "s3", "clients"];

describe("the reader", () => {
  afterEach(() => {
    pulumi.runtime.setAllConfig({});
  });

  test("takes the project's keys alone, JSON texts and all", () => {
    setConfig(fullExample(), SECRET_KEYS);
    expect(readStackConfig()).toEqual(fullExample());
  });

  test("ends the program with all errors and without a stack trace", () => {
    setConfig({ ...fullExample(), protect: "maybe", colour: "{red" }, SECRET_KEYS);
    const error = thrown();
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    expect((error as Error).message).toBe(
      [
        "invalid configuration: 2 errors",
        '  secure-backups:protect: "maybe" is not true or false; write true or false without quotes',
        "  secure-backups:colour: unknown key; " +
          "known here: protect, network, access, egress, proxy, keeper, alarms, restic, s3, clients, clientsFolder, clientSecrets",
      ].join("\n"),
    );
  });

  test("refuses a secret in plain text, wherever it stands, and says how to encrypt it", () => {
    setConfig({ ...fullExample(), protect: 3 }, ["access"]);
    const line = (field: string) =>
      `  secure-backups:${field}: (secret) is in plain text; take a new secret and encrypt it: ` +
      `pulumi config set --secret --path 'secure-backups:${field}'`;
    expect((thrown() as Error).message).toBe(
      [
        "invalid configuration: 9 errors",
        "  secure-backups:protect: 3 is not true or false; write true or false without quotes",
        line("alarms.mail.password"),
        line("alarms.webhooks[0].url"),
        line("alarms.webhooks[1].url"),
        line("alarms.ping"),
        line("s3.identities.writer.secretAccessKey"),
        line("s3.identities.keeper.secretAccessKey"),
        line("clients[0].repositories[0].password"),
        line("clients[1].ssh.privateKey"),
      ].join("\n"),
    );
  });

  test("refuses a plain secret also where nothing else is wrong", () => {
    setConfig(fullExample(), ["access", "alarms", "s3"]);
    expect(thrown()).toBeInstanceOf(pulumi.RunError);
    expect((thrown() as Error).message).toContain("2 errors");
    expect((thrown() as Error).message).not.toContain("pä");
  });

  test("asks for no encryption where there is no secret", () => {
    const { clients, s3, access, alarms, ...rest } = fullExample();
    const { writer, keeper, ...identities } = s3.identities;
    const { jumpHost, privateKey, ...way } = access;
    expect([clients.length, writer, keeper, jumpHost, privateKey].includes(undefined)).toBe(false);
    const { mail, webhooks, ping, ...others } = alarms;
    expect([mail?.password, webhooks[0], ping].includes(undefined)).toBe(false);
    setConfig(
      { ...rest, alarms: others, clients: [], s3: { ...s3, identities }, access: { ...way, via: "direct" } },
      [],
    );
    expect(readStackConfig().access.via).toBe("direct");
  });
});
