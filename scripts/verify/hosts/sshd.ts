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
  // sshd may have rules for single addresses; the first is nobody's, the second its own.
  const contexts = ["192.0.2.1", "127.0.0.1"].map((address) => `sshd:${PROXY_USER}:${address}`);
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
        const values = [
          ...new Set(contexts.map((context) => (effective(context).get(name) ?? []).join(" "))),
        ];
        const holds = values.every((found) =>
          value.startsWith("^")
            ? found.startsWith(value.slice(1))
            : found.toLowerCase() === value.toLowerCase(),
        );
        return {
          holds,
          happened: values.map((text) => (text === "" ? "not set" : text.slice(0, 80))).join("; "),
        };
      }),
    ),
    judge(about("acceptenv", "variables that a client may send", "those of language alone"), () => {
      const names = contexts.flatMap((context) => effective(context).get("acceptenv") ?? []);
      const others = [...new Set(names.flatMap((text) => text.split(" ")))].filter(
        (name) => name !== "" && !HARMLESS_VARIABLE.test(name),
      );
      return seen(
        others.map((name) => `${name} is accepted`),
        "no other",
      );
    }),
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
