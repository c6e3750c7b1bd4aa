import { HostAccess } from "../../operations/deployment";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { connection, refuseDeadAgent } from "../../components/connection";
import { refuseFlavorsWithoutDisk } from "../../components/flavors";

describe("an SSH agent", () => {
  let folder: string;
  let socket: string;
  let agent: Server;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "secure-backups-test-"));
    socket = join(folder, "agent");
    agent = createServer((client) => client.destroy());
    await new Promise<void>((listening) => agent.listen(socket, listening));
  });
  afterEach(() => {
    agent.close();
    rmSync(folder, { recursive: true });
  });

  test("that answers, or that nobody named, is no obstacle", () => {
    expect(() => {
      refuseDeadAgent({ ...process.env, SSH_AUTH_SOCK: socket });
    }).not.toThrow();
    expect(() => {
      refuseDeadAgent({ ...process.env, SSH_AUTH_SOCK: "" });
    }).not.toThrow();
    expect(() => {
      refuseDeadAgent({ ...process.env, SSH_AUTH_SOCK: undefined });
    }).not.toThrow();
  });

  test("that is gone ends the program, which says what to unset", async () => {
    await new Promise((closed) => agent.close(closed));
    for (const dead of [socket, join(folder, "nothing"), folder]) {
      const refused = () => {
        refuseDeadAgent({ ...process.env, SSH_AUTH_SOCK: dead });
      };
      expect(refused).toThrow(pulumi.RunError);
      expect(refused).toThrow(`SSH_AUTH_SOCK names "${dead}"`);
      expect(refused).toThrow("run `unset SSH_AUTH_SOCK`");
    }
  });
});

test("a jump host is never waited for as for one that boots", async () => {
  const end = { host: "192.0.2.1", port: 22, user: "ops", hostKey: "ssh-ed25519 A", privateKey: "k" };
  const access = pulumi.output<HostAccess>({ ...end, proxy: end });
  const made = connection(access, "booting") as unknown as { promise(): Promise<unknown> };
  expect(await made.promise()).toMatchObject({ dialErrorLimit: 90, proxy: { dialErrorLimit: 10 } });
});

describe("a flavor without disk", () => {
  const disks: Record<string, number> = { s0: 0, s1: 10, "42": 0 };
  const asked: string[] = [];

  beforeAll(async () => {
    await pulumi.runtime.setMocks({
      newResource: ({ name, inputs }) => ({ id: name, state: inputs as object }),
      call: ({ inputs }) => {
        const { name, flavorId } = inputs as { name?: string; flavorId?: string };
        const flavor = name ?? flavorId ?? "";
        asked.push(flavor);
        if (!(flavor in disks)) throw new Error("Your query returned no results");
        return { ...(inputs as object), disk: disks[flavor] };
      },
    });
  });
  afterAll(() => pulumi.runtime.disconnect());

  test("is refused where no volume is given, with field and remedy", async () => {
    const flavors = [
      { host: "proxy", flavor: "s0" },
      { host: "client a", flavor: "s1" },
      { host: "client b", flavor: { id: "42" } },
      { host: "client c", flavor: "s0" },
    ];
    const remedy =
      "has no disk to start from; give volume with a size in GiB " +
      "(a host that exists is not changed by it), or another flavor";
    const refused = refuseFlavorsWithoutDisk(flavors);
    await expect(refused).rejects.toThrow(pulumi.RunError);
    await expect(refused).rejects.toHaveProperty("stack", "");
    await expect(refused).rejects.toThrow(
      [
        `proxy: flavor "s0" ${remedy}`,
        `client b: flavor "42" ${remedy}`,
        `client c: flavor "s0" ${remedy}`,
      ].join("\n"),
    );
    expect(asked).toEqual(["s0", "s1", "42"]);
  });

  test("cannot be told from a flavor that is gone, which is warned of and keeps no client from being frozen", async () => {
    const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);
    await refuseFlavorsWithoutDisk([{ host: "proxy", flavor: "withdrawn" }]);
    expect(warn.mock.calls.flat().join("\n")).toMatch(
      /proxy: flavor "withdrawn" could not be looked up \(.*\); a new host cannot/,
    );
    warn.mockRestore();
  });
});
