import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import { ClientConfig, readStackConfig, StackConfig } from "../../config";
import { sizeWarning } from "../../config/read";
import { fullExample, PRIVATE_KEY } from "../harness/config-example";

let folder: string;
beforeEach(() => {
  const made = mkdtempSync(join(tmpdir(), "secure-backups-test-"));
  folder = relative(process.cwd(), made);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  pulumi.runtime.setAllConfig({});
});

function put(file: string, content: string | object): void {
  writeFileSync(join(folder, file), typeof content === "string" ? content : stringify(content));
}

/** The configuration as Pulumi hands it over, with all but its list of clients from the full example. */
function read(change: object): StackConfig {
  const config = Object.entries({ ...fullExample(), clients: undefined, clientsFolder: folder, ...change })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [
      `secure-backups:${key}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
  const secret = ["access", "alarms", "s3", "clients", "clientSecrets"].map((key) => `secure-backups:${key}`);
  pulumi.runtime.setAllConfig(Object.fromEntries(config) as Record<string, string>, secret);
  return readStackConfig();
}

/** The lines of the error, each with the folder's name left out. */
function errorsOf(change: object = {}): string[] {
  try {
    read(change);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(pulumi.RunError);
    const [, ...lines] = (error as Error).message.split("\n");
    return lines.map((line) => line.trim().replaceAll(`${folder}/`, "").replaceAll(folder, "FOLDER"));
  }
}

const [vm, existing, keyOnly] = fullExample().clients as [ClientConfig, ClientConfig, ClientConfig];

/** A client's fields as its file has them: without the name, and without the secrets. */
function inFile(client: ClientConfig): object {
  const text = JSON.stringify({ ...client, name: undefined }, (key, value: unknown) =>
    /^(?:password|privateKey)$/.test(key) ? undefined : value,
  );
  return JSON.parse(text) as object;
}

describe("clients in files of their own", () => {
  test("are those that a list would give, after the listed ones and in the order of their names", () => {
    put("partner.yaml", inFile(keyOnly));
    put("legacy.yaml", { name: "legacy", ...inFile(existing) });
    put(".legacy.yaml.swp", "not yet: [");
    const clientSecrets = {
      legacy: { ssh: { privateKey: PRIVATE_KEY }, repositories: { main: { password: "hush" } } },
    };
    const [repository] = existing.repositories;
    expect(read({ clients: [vm], clientSecrets })).toEqual({
      ...fullExample(),
      clients: [vm, { ...existing, repositories: [{ ...repository, password: "hush" }] }, keyOnly],
    });
  });

  test("need no list beside them", () => {
    put("partner.yaml", inFile(keyOnly));
    expect(read({}).clients).toEqual([keyOnly]);
  });

  test("are never an empty fleet: a folder that is missing, or holds none, is an error", () => {
    put(".gitkeep", "");
    expect(errorsOf()).toEqual([
      'secure-backups:clientsFolder: "FOLDER" holds no client; put NAME.yaml there for each, or leave it out',
    ]);
    rmSync(folder, { recursive: true });
    expect(errorsOf()).toEqual([
      'secure-backups:clientsFolder: "FOLDER" cannot be read (ENOENT); give the folder of the clients\' files, ' +
        "from the folder of Pulumi.yaml, or leave it out",
    ]);
  });

  test("are wrong by file and field, as a list would be", () => {
    put("partner.yaml", { ...inFile(keyOnly), frozn: true });
    put("web.yaml", { ...inFile(vm), repositories: [{ name: "main", paths: ["/home/*"] }] });
    put("legacy.yaml", { ...inFile(existing), ssh: undefined });
    put("legacy2.yaml", { ...inFile(keyOnly) });
    const errors = errorsOf({ clients: [{ ...vm, name: "web" }] });
    expect(errors.map((line) => line.replace(/(; |is the key of ).*/, "$1"))).toEqual([
      "legacy.yaml: ssh: missing; ",
      "partner.yaml: frozn: unknown key; ",
      'web.yaml: repositories[0].paths[0]: "/home/*" is a pattern, but paths are not expanded; ',
      expect.stringMatching(/^partner\.yaml: repositories\[0\]\.publicKey: "ssh-ed25519 .*" is the key of $/),
      'web.yaml: name: "web" is taken by secure-backups:clients[0].name; ',
    ]);
    expect(errors[3]).toContain("is the key of legacy2.yaml: repositories[0].publicKey too");
  });

  test("are not overlooked where their file is none that is read", () => {
    put("partner.yaml", inFile(keyOnly));
    put("web.yml", inFile(vm));
    mkdirSync(join(folder, "more.yaml"));
    put("list.yaml", "- a");
    put("empty.yaml", "");
    put("broken.yaml", "password: {TOPSECRET: [");
    put("other.yaml", { ...inFile(vm), name: "web" });
    const errors = errorsOf();
    expect(errors.map((line) => line.replace(/(; | at line).*/, "$1"))).toEqual([
      "empty.yaml: empty; ",
      "list.yaml: list is not a mapping; ",
      expect.stringMatching(/^broken\.yaml: is no YAML: .* at line$/),
      "more.yaml: cannot be read (EISDIR); ",
      'other.yaml: name: "web" is not the name of its file; ',
      "web.yml: is no client's file; ",
    ]);
    expect(errors.join("\n")).not.toContain("TOPSECRET");
  });

  test("hold no secret: each is refused with the command that encrypts it under the client's name", () => {
    const [repository] = existing.repositories;
    const ssh = { ...(existing as { ssh: object }).ssh, privateKey: PRIVATE_KEY };
    put("legacy.yaml", { ...inFile(existing), ssh, repositories: [{ ...repository, password: "hush" }] });
    const line = (field: string, encrypted: string) =>
      `legacy.yaml: ${field}: (secret) is in plain text; take a new secret and encrypt it: ` +
      `pulumi config set --secret --path 'secure-backups:clientSecrets.legacy.${encrypted}'`;
    expect(errorsOf().sort()).toEqual([
      line("repositories[0].password", "repositories.main.password"),
      line("ssh.privateKey", "ssh.privateKey"),
    ]);
  });

  test("have no secrets left over, and none in plain text", () => {
    put("legacy.yaml", inFile(existing));
    put("partner.yaml", inFile(keyOnly));
    const clientSecrets = {
      legacy: { repositories: { mian: { password: "hush" } } },
      partner: { ssh: { privateKey: PRIVATE_KEY } },
      gone: { ssh: { privateKey: PRIVATE_KEY } },
    };
    expect(errorsOf({ clientSecrets })).toEqual([
      "secure-backups:clientSecrets.legacy.repositories.mian: is for no repository of legacy.yaml; remove it, or correct its name",
      "secure-backups:clientSecrets.partner.ssh: is for a client that is reached by SSH, and partner.yaml has no ssh; remove it",
      "secure-backups:clientSecrets.gone: is for no client that has a file in clientsFolder; remove it, or correct the client's name",
    ]);
    const errors = errorsOf({ clientSecrets: { ...clientSecrets, wrong: { ssh: { privatKey: "hush" } } } });
    expect(errors[0]).toMatch(/^secure-backups:clientSecrets\.wrong\.ssh\.privateKey: missing/);
    expect(errors.join("\n")).not.toContain("hush");
  });
});

describe("a configuration near the bound of 128 KiB", () => {
  test("is warned of with the remedy, before Pulumi fails", () => {
    expect(sizeWarning(96 * 1024 - 1)).toBeUndefined();
    expect(sizeWarning(96 * 1024)).toMatch(/has 96 KiB, .* 128 KiB .*clientsFolder/);

    const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);
    const list = Array.from({ length: 500 }, (_, index) => ({ ...vm, name: `web-${String(index)}` }));
    const listed = read({ clients: list, clientsFolder: undefined });
    expect(warn.mock.calls.flat().join("\n")).toContain("move clients into files of their own");
    warn.mockClear();
    for (const client of list) put(`${client.name}.yaml`, inFile(client));
    const inFiles = read({});
    expect(warn).not.toHaveBeenCalled();
    expect(inFiles.clients.map(({ name }) => name).sort()).toEqual(
      listed.clients.map(({ name }) => name).sort(),
    );
    warn.mockRestore();
  });
});
