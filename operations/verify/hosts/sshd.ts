/** What sshd does for the proxy's user, as it reports itself. */
import { Deployment } from "../../deployment";
import * as path from "node:path";
import { grantsOf, PROXY_FILES, PROXY_USER } from "../../../hosts";
import { Finding, ProbeAbout, PUT_BACK } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";

/** What sshd's drop-in asks for: the settings of everybody, overridden by those of the proxy's user. */
export function wantedSshdSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of linesOf(text)) {
    const [, name = "", value = ""] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
    if (name !== "" && name !== "Match") settings.set(name.toLowerCase(), value);
  }
  // Not in the file, for no is sshd's default; another file may say otherwise.
  settings.set("permittunnel", "no");
  return settings;
}

/** Variables that a client may send: they change the language of messages alone. */
const HARMLESS_VARIABLE = /^(LANG|LANGUAGE|LC_[A-Z*]+|COLORTERM|NO_COLOR)$/;

/**
 * Of sshd's `Match` and `Include` lines those by which settings depend on more than whether the user is the proxy's
 * (another user, an address, a port, a group), or come from files that were not looked at.
 */
export function conditionalRules(text: string): string[] {
  const known = [
    /^match\s+all$/i,
    new RegExp(`^match\\s+user\\s+${PROXY_USER}$`, "i"),
    /^include\s+\/etc\/ssh\/sshd_config\.d\/\*\.conf$/i,
  ];
  return linesOf(text)
    .map((line) => line.replace(/\s#.*/, "").trim())
    .filter((line) => !known.some((pattern) => pattern.test(line)));
}

/** What sshd says of the stack's drop-in against idle connections. */
const IDLE_SECONDS = "120";

/** What root's login is shut by. */
const ROOT_LOGIN = {
  permitrootlogin: ["no"],
  passwordauthentication: ["no"],
  kbdinteractiveauthentication: ["no"],
} as const;

/** What leaves the files of users.keys as the only way in; an sshd that was built without a way does not name it. */
const OPERATOR_LOGIN = {
  authorizedkeysfile: [".ssh/authorized_keys .ssh/authorized_keys2", ".ssh/authorized_keys"],
  authorizedkeyscommand: ["none"],
  trustedusercakeys: ["none"],
  hostbasedauthentication: ["no"],
  gssapiauthentication: ["no", "not set"],
  kerberosauthentication: ["no", "not set"],
} as const;

/** Judges every setting that the stack writes, and some that others could. */
export function judgeSshd(deployment: Deployment, facts: HostFacts): Promise<Finding[]> {
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
    remedy: `remove what sets it in /etc/ssh/sshd_config or a file in sshd_config.d that sorts before ${path.basename(PROXY_FILES.sshdConfig.path)}, then run pulumi up`,
  });
  const wanted = [
    ...wantedSshdSettings(
      PROXY_FILES.sshdConfig.content({ grants: grantsOf(deployment.clients, deployment.canary) }),
    ),
  ];
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
    judge(
      {
        ...about("idle", "how long sshd keeps a connection that runs nothing", "2 minutes"),
        remedy:
          "update OpenSSH on the proxy to 9.2 or newer; where it is, remove what sets UnusedConnectionTimeout, and " +
          PUT_BACK,
      },
      () => {
        const [found] = effective(`sshd:${PROXY_USER}`).get("unusedconnectiontimeout") ?? [];
        if (found === undefined)
          return { holds: "open", happened: "this sshd cannot end one; the limit of connections holds" };
        return { holds: found === IDLE_SECONDS, happened: found === "none" ? "without end" : `${found} s` };
      },
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
        expected: `whether it is ${PROXY_USER} alone: what was asked of sshd holds for every address and other user`,
        remedy: "remove the rule, or the file that holds it, from sshd's configuration on the proxy",
      },
      () =>
        seen(
          conditionalRules(facts("sshd_rules")).map((rule) => `there is: ${rule}`),
          "that alone",
        ),
    ),
    ...(
      [
        ["root-login", "how root may log in", "not at all", ROOT_LOGIN],
        [
          "operator",
          `how ${deployment.proxy.host.user}, and everybody else but ${PROXY_USER}, may log in`,
          "by a key in the account's own authorized_keys",
          OPERATOR_LOGIN,
        ],
      ] as const
    ).map(([name, tried, expected, settings]) =>
      judge(about(name, tried, expected), () => {
        // By sshd.rules these hold for every user but one.
        const found = effective("sshd:operator");
        return seen(
          Object.entries(settings).flatMap(([setting, accepted]) => {
            const value = (found.get(setting) ?? ["not set"]).join(" ");
            return (accepted as readonly string[]).includes(value) ? [] : [`${setting} is ${value}`];
          }),
          expected,
        );
      }),
    ),
  ]);
}
