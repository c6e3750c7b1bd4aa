/** The proxy's files: those that the stack wrote, and what the proxy's user could leave or change. */
import { Deployment } from "../../deployment";
import * as path from "node:path";
import { PROXY_USER, renderRcloneCommand, renderRcloneConfig } from "../../../hosts";
import { Finding, PUT_BACK, Seen } from "../probe";
import { AUTHORIZED_KEYS } from "./authorized-keys";
import { HostFacts, judge, linesOf, seen } from "./facts";
import { contentSeen, modeProblems, parseModes } from "./files";
import { RCLONE_PROGRAM } from "./programs";
import { SSHD_DROP_IN, wantedSshdConfig } from "./sshd";

const RCLONE_CONF = `/home/${PROXY_USER}/.config/rclone/rclone.conf`;
const RCLONE_COMMAND = "/usr/local/bin/rclone";

/** Judges owner, mode and content of these files, and what else there is. */
export function judgeProxyFiles(deployment: Deployment, facts: HostFacts): Promise<Finding[]> {
  const { bucket } = deployment;
  const files = (id: string, tried: string, expected: string, see: () => Seen) =>
    judge({ ring: 1, id: `files.${id}`, tried, expected, remedy: PUT_BACK }, see);
  const modes = (id: string, what: string, wanted: readonly [file: string, owner: string, mode: string][]) =>
    files(
      `${id}-mode`,
      `owner and mode of ${what}, and of the directories above`,
      `${wanted.map(([, owner, mode]) => `${mode} ${owner}`)[0] ?? ""}; only root can replace it`,
      () => {
        const found = parseModes(facts("modes"));
        return seen(
          [...new Set(wanted.flatMap(([file, owner, mode]) => modeProblems(found, file, owner, mode)))],
          "so it is",
        );
      },
    );
  const holder = bucket.writer ?? bucket.owner;
  return Promise.all([
    modes("rclone-conf", "rclone.conf", [[RCLONE_CONF, `root:${PROXY_USER}`, "640"]]),
    modes("authorized-keys", "authorized_keys", [[AUTHORIZED_KEYS, "root:root", "644"]]),
    modes("host-key", "the host key", [["/etc/ssh/ssh_host_ed25519_key", "root:root", "600"]]),
    modes("rclone", "rclone and the command that starts it", [
      [RCLONE_COMMAND, "root:root", "755"],
      [RCLONE_PROGRAM, "root:root", "755"],
    ]),
    modes("sshd-config", "sshd's configuration", [
      ["/etc/ssh/sshd_config", "root:root", "644"],
      [SSHD_DROP_IN, "root:root", "644"],
    ]),
    ...(
      [
        ["rclone-conf", RCLONE_CONF, renderRcloneConfig({ ...bucket, ...holder })],
        ["rclone-command", RCLONE_COMMAND, renderRcloneCommand()],
        ["sshd-config", SSHD_DROP_IN, wantedSshdConfig(deployment)],
      ] as const
    ).map(([id, file, content]) =>
      files(`${id}-content`, `the content of ${file}`, "what the stack wrote", () =>
        contentSeen(facts, [[file, content]]),
      ),
    ),
    files(
      "writable",
      `what ${PROXY_USER} can write in /etc, /usr, /opt, /home and where jobs are`,
      "nothing",
      () =>
        seen(
          [...new Set(linesOf(facts("writable")))].slice(0, 5).map((file) => `${file} is writable`),
          "nothing",
        ),
    ),
    files("home", `what is in the home of ${PROXY_USER}`, "rclone.conf alone; no keys of its own", () => {
      const known = [RCLONE_CONF, path.dirname(RCLONE_CONF), path.dirname(path.dirname(RCLONE_CONF))];
      return seen(
        linesOf(facts("home"))
          .filter((file) => !known.includes(file))
          .slice(0, 5)
          .map((file) => `there is ${file}`),
        "rclone.conf alone",
      );
    }),
  ]);
}
