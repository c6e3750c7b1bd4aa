/** How verify logs in to OpenStack with what the stack's own configuration says, at the local cloud's Keystone. */
import * as fs from "node:fs";
import { beforeAll, expect, jest, test } from "@jest/globals";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { ROOT, run } from "../../operations/transport/run";
import { openStackSession } from "../../operations/verify/openstack/session";

jest.setTimeout(150_000);

const PASSWORD = "demo";
const SETTINGS = {
  "openstack:authUrl": "http://172.24.4.1:5000/v3",
  "openstack:userName": "demo",
  "openstack:password": PASSWORD,
  "openstack:domainName": "Default",
  "openstack:tenantId": cloudFacts().projects.owner,
};

beforeAll(async () => {
  const { stdout } = await run(`${ROOT}/scripts/dev/toolchain/env`, []);
  for (const [, name = "", value] of stdout.matchAll(/^export (\w+)=(.*)$/gm)) process.env[name] = value;
  for (const name of Object.keys(process.env).filter((name) => name.startsWith("OS_"))) {
    Reflect.deleteProperty(process.env, name);
  }
});

/** All command lines that hold the name of a setting or its value, seen until the work is done. */
async function commandLinesDuring(work: Promise<unknown>): Promise<string[]> {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    for (const pid of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "));
      } catch {
        // It has ended.
      }
    }
  }, 5);
  await work.finally(() => {
    clearInterval(timer);
  });
  return [...seen];
}

test("the session is the configured user's, whose password no process list shows", async () => {
  const session = openStackSession(SETTINGS);
  const commands = await commandLinesDuring(session);
  expect(commands.filter((line) => line.includes("pulumi"))).not.toEqual([]);
  expect(commands.filter((line) => line.includes("openstack:password"))).toEqual([]);
  const { endpoint, get } = await session;
  expect(endpoint("network")).toMatch(/^http:/);
  const { networks } = (await get("network", "/v2.0/networks")) as { networks: unknown[] };
  expect(networks.length).toBeGreaterThan(0);
});

test("a wrong password is reported as such, and not printed", async () => {
  const wrong = "a wrong password";
  const error = await openStackSession({ ...SETTINGS, "openstack:password": wrong }).catch(String);
  expect(error).toMatch(/cannot log in to OpenStack: .*(401|Authentication|authenticate)/i);
  expect(error).not.toContain(wrong);
});
