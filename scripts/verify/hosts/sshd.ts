/** What sshd does for the proxy's user, as it tells itself. */
import * as path from "node:path";
import { PROXY_USER, renderSshdConfig } from "../../../files";
import { Operations } from "../../../plan";
import { Finding, ProbeAbout } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";
import { wantedLimits } from "./limits";

/** The part of sshd's configuration that the stack writes. */
export const SSHD_DROP_IN = "/etc/ssh/sshd_config.d/00-secure-backups.conf";

/** What the stack has written there. */
export const wantedSshdConfig = (operations: Operations): string =>
  renderSshdConfig(wantedLimits(operations));

/** What sshd's drop-in asks for: the settings of everybody, overridden by those of the proxy's user. */
export function wantedSshdSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of linesOf(text)) {
    const [, name = "", value = ""] = /^\s*(\w+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (name !== "" && name !== "Match") settings.set(name.toLowerCase(), value);
  }
  // Not in the file, for no is sshd's default; another file may say otherwise.
  settings.set("permittunnel", "no");
  return settings;
}

/** Variables that a client may send: they change the language of messages alone. */
const HARMLESS_VARIABLE = /^(LANG|LANGUAGE|LC_[A-Z*]+|COLORTERM|NO_COLOR)$/;

/**
 * Of sshd's `Match` and `Include` lines those by which settings depend on more than the user (an address, a port, a
 * group), or come from files that were not looked at.
 */
export function conditionalRules(text: string): string[] {
  const known = [
    /^match\s+all$/i,
    /^match\s+user\s+[\w.,-]+$/i,
    /^include\s+\/etc\/ssh\/sshd_config\.d\/\*\.conf$/i,
  ];
  return linesOf(text)
    .map((line) => line.replace(/\s#.*/, "").trim())
    .filter((line) => !known.some((pattern) => pattern.test(line)));
}

/** Judges every setting that the stack writes, and some that others could. */
export function judgeSshd(operations: Operations, facts: HostFacts): Promise<Finding[]> {
  const effective = (name: string): Map<string, string[]> => {
    const settings = new Map<string, string[]>();
    for (const line of linesOf(facts(name))) {
      const [, key = "", value = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
      settings.set(key, [...(settings.get(key) ?? []), value]);
    }
    return settings;
  };
  const about = (name: string, tried: string, expected: string): ProbeAbout => ({
    ring: 1,
    id: `sshd.effective-${name}`,
    tried,
    expected,
    remedy: `remove what sets it in /etc/ssh/sshd_config or a file in sshd_config.d that sorts before ${path.basename(SSHD_DROP_IN)}, then run pulumi up`,
  });
  const wanted = [...wantedSshdSettings(wantedSshdConfig(operations))];
  return Promise.all([
    ...wanted.map(([name, value]) =>
      judge(about(name, `sshd's setting ${name} for ${PROXY_USER}`, value), () => {
        const found = (effective(`sshd:${PROXY_USER}`).get(name) ?? []).join(" ");
        const holds = value.startsWith("^")
          ? found.startsWith(value.slice(1))
          : found.toLowerCase() === value.toLowerCase();
        return { holds, happened: found === "" ? "not set" : found.slice(0, 80) };
      }),
    ),
    judge(about("acceptenv", "variables that a client may send", "those of language alone"), () => {
      const names = effective(`sshd:${PROXY_USER}`).get("acceptenv") ?? [];
      const others = [...new Set(names.flatMap((text) => text.split(" ")))].filter(
        (name) => name !== "" && !HARMLESS_VARIABLE.test(name),
      );
      return seen(
        others.map((name) => `${name} is accepted`),
        "no other",
      );
    }),
    judge(
      {
        ring: 1,
        id: "sshd.rules",
        tried: "what sshd's settings depend on",
        expected: "the user alone: what was asked of sshd holds for every address",
        remedy: "remove the rule, or the file that holds it, from sshd's configuration on the proxy",
      },
      () =>
        seen(
          conditionalRules(facts("sshd_rules")).map((rule) => `there is: ${rule}`),
          "the user alone",
        ),
    ),
    judge(about("root-login", "how root may log in", "not at all"), () => {
      const root = effective("sshd:root");
      return seen(
        ["permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication"].flatMap((name) => {
          const value = (root.get(name) ?? ["not set"]).join(" ");
          return value === "no" ? [] : [`${name} is ${value}`];
        }),
        "not at all",
      );
    }),
  ]);
}
