/** The script that is sent to a host, the facts that it prints, and how a judgement of them becomes a finding. */
import * as fs from "node:fs";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";
import {
  AUTHORIZED_KEYS,
  CLIENT_SETTINGS,
  hostScript,
  LIBRARY,
  PROXY_HOME,
  PROXY_USER,
  RECORDS,
  RUN,
  shellQuote,
  UNITS,
  UNITS_SIGNATURE,
} from "../../../hosts";
import { Finding, ProbeAbout, runProbe, Seen } from "../probe";

/** What a host printed about itself. @throws Error for a fact that it could not find out: that never counts as empty */
export type HostFacts = (name: string) => string;

/** Bytes of facts: more than inspect.sh lets a host have, and few enough to be searched for every secret in seconds. */
const MOST_FACTS = 32 << 20;

/** The parameters of inspect.sh on every host. */
const PATHS = {
  PROXY_USER,
  PROXY_HOME,
  AUTHORIZED_KEYS,
  LIBRARY,
  SETTINGS: CLIENT_SETTINGS,
  UNITS,
  UNITS_SIGNATURE,
  RECORDS,
  RUN: RUN.dir,
};

/** The script as it is sent: nothing runs before all of it has arrived. `boundary` is a line that cannot be guessed. */
export function inspectScript(parameters: Record<string, string>, boundary: string): string {
  const assignments = Object.entries({ ...parameters, ...PATHS, BOUNDARY: boundary }).map(
    ([name, value]) => `${name}=${shellQuote(value)}\n`,
  );
  const body = hostScript("proxy/sessions.sh") + fs.readFileSync(path.join(__dirname, "inspect.sh"), "utf8");
  return `verify_inspect() {\n${assignments.join("")}${body}\n}\nverify_inspect </dev/null\n`;
}

/**
 * Reads what inspect.sh printed.
 * @throws Error where it did not come to its end
 */
export function parseFacts(stdout: string, boundary: string): HostFacts {
  const packed = Buffer.from(stdout, "base64");
  const text = gunzipSync(packed, { maxOutputLength: MOST_FACTS }).toString("utf8");
  if (!text.endsWith(`\n${boundary}\n`)) throw new Error("the inspection broke off");
  const facts = new Map<string, [text: string, status: string]>();
  for (const part of text.split(`\n${boundary} `).slice(1)) {
    const [, name = "", content = "", status = ""] = /^(\S+)\n([^]*)\n(\d+)(?:\n\S+\n)?$/.exec(part) ?? [];
    facts.set(name, [content, status]);
  }
  return (name) => {
    const [content, status] = facts.get(name) ?? ["", "none"];
    if (status !== "0") throw new Error(`the host could not find out about ${name} (status ${status})`);
    return content;
  };
}

/** The lines of a fact that are not empty. */
export const linesOf = (text: string): string[] => text.split("\n").filter((line) => line !== "");

/** A judgement of facts as a probe. */
export function judge(about: ProbeAbout, see: () => Seen): Promise<Finding> {
  return runProbe({ ...about, attempt: see });
}

/** Problems of one judgement that are named: an attacker who is root on a host can create any number. */
const MOST_NAMED = 20;

/** What a judgement saw: that all is `sound`, or the problems. */
export function seen(problems: readonly string[], sound: string): Seen {
  return problems.length === 0
    ? { holds: true, happened: sound }
    : { holds: false, happened: problems.slice(0, MOST_NAMED).join("; ") };
}
