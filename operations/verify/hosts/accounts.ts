/** The proxy's accounts, and what its user could do beyond serving clients. */
import { PROXY_HOME, PROXY_USER } from "../../../hosts";
import { Finding, PUT_BACK, Seen } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";

/** Judges accounts, passwords, sudo and jobs. */
export function judgeAccounts(facts: HostFacts): Promise<Finding[]> {
  const users = (id: string, tried: string, expected: string, remedy: string, see: () => Seen) =>
    judge({ ring: 1, id: `users.${id}`, tried, expected, remedy }, see);
  const accounts = () =>
    linesOf(facts("accounts")).map((line) => {
      const [kind = "", ...entry] = line.split(" ");
      const [name = "", , uid = "", , , home = "", shell = ""] = entry.join(" ").split(":");
      return { kind, name, uid, home, shell };
    });
  return Promise.all([
    users(PROXY_USER, `the account ${PROXY_USER}`, "no password, its own home, /bin/sh", PUT_BACK, () => {
      const account = accounts().find(({ name }) => name === PROXY_USER);
      if (account === undefined) return { holds: false, happened: "there is NO such account" };
      return seen(
        [
          ...(account.kind === "locked" ? [] : [`it has a password (${account.kind})`]),
          ...(account.home === PROXY_HOME ? [] : [`its home is ${account.home}`]),
          ...(account.shell === "/bin/sh" ? [] : [`its shell is ${account.shell}`]),
        ],
        "so it is",
      );
    }),
    users(
      "uid-0",
      "accounts with user ID 0",
      "root alone",
      "remove the account; only root on the proxy could create it",
      () =>
        seen(
          accounts()
            .filter(({ uid, name }) => uid === "0" && name !== "root")
            .map(({ name }) => `${name} is root too`),
          "root alone",
        ),
    ),
    users(
      "passwords",
      "accounts with a password",
      "none",
      "lock it (passwd -l NAME): operators log in by key",
      () =>
        seen(
          accounts()
            .filter(({ kind }) => kind !== "locked")
            .map(({ name, kind }) => `${name} has ${kind === "empty" ? "an empty" : "a"} password`),
          "none",
        ),
    ),
    users(
      "sudo",
      `rights of ${PROXY_USER} by sudo and groups`,
      "none; no group but its own",
      `take the user out of sudoers and of every other group: it needs no more than its own`,
      () => {
        const [groups = "", ...rights] = facts("sudo").trim().split("\n");
        const others = groups.split(" ").filter((group) => group !== PROXY_USER);
        const said = rights.join("\n");
        const granted = /may run the following/.test(said);
        if (!granted && !/is not allowed to run sudo|^there is no sudo$/m.test(said))
          throw new Error(`sudo does not report the rights: ${said.trim() || "it said nothing"}`);
        return seen(
          [
            ...others.map((group) => `it is in the group ${group}`),
            ...(granted ? [`sudo gives it ${(rights.at(-1) ?? "").trim()}`] : []),
          ],
          "none",
        );
      },
    ),
    users(
      "jobs",
      `cron jobs, timers and at jobs of ${PROXY_USER}`,
      "none",
      "remove them: an attacker keeps access by such jobs",
      () =>
        seen(
          linesOf(facts("jobs"))
            .slice(0, 5)
            .map((job) => `there is: ${job}`),
          "none",
        ),
    ),
  ]);
}
