/** The proxy's files: those that the stack wrote, and what the proxy's user could leave or change. */
import { Deployment } from "../../deployment";
import * as path from "node:path";
import { grantsOf, FileSpec, PROXY_FILES as FILES, PROXY_USER, rendered } from "../../../hosts";
import { Finding, PUT_BACK, Seen } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";
import { contentSeen, modeProblems, OwnedFile, parseModes, PROGRAM } from "./files";
import { RCLONE_PROGRAM } from "./programs";

const HOST_KEY = { path: "/etc/ssh/ssh_host_ed25519_key", owner: "root:root", mode: "0600" };
const SSHD_CONFIG = { path: "/etc/ssh/sshd_config", owner: "root:root", mode: "0644" };
const RCLONE = { path: RCLONE_PROGRAM, ...PROGRAM };

/** Files whose owner and mode are judged: the start of a finding's id, and words for them. */
const OWNED: [id: string, what: string, ...files: [OwnedFile, ...OwnedFile[]]][] = [
  ["rclone-conf", "rclone.conf", FILES.rcloneConf],
  ["authorized-keys", "authorized_keys", FILES.authorizedKeys],
  ["host-key", "the host key", HOST_KEY],
  ["rclone", "rclone and the command that starts it", FILES.rcloneCommand, RCLONE],
  ["sshd-config", "sshd's configuration", SSHD_CONFIG, FILES.sshdConfig],
];

/** Files of which all of the content is judged. */
const WRITTEN = [
  ["rclone-conf", FILES.rcloneConf],
  ["rclone-command", FILES.rcloneCommand],
  ["sshd-config", FILES.sshdConfig],
] as const;

/** The files of which the inspection prints owner, mode and, but for the host key, the sum. */
export const PROXY_FILES_SEEN = {
  MODES: OWNED.flatMap(([, , ...files]) => files.map((file) => file.path)).join(" "),
  SUMS: [...WRITTEN.map(([, file]) => file.path), RCLONE_PROGRAM].join(" "),
};

/** Judges owner, mode and content of these files, and what else there is. */
export function judgeProxyFiles(deployment: Deployment, facts: HostFacts): Promise<Finding[]> {
  const { bucket } = deployment;
  const files = (id: string, tried: string, expected: string, see: () => Seen) =>
    judge({ ring: 1, id: `files.${id}`, tried, expected, remedy: PUT_BACK }, see);
  const holder = bucket.writer ?? bucket.owner;
  const values = {
    bucket: bucket.bucket,
    s3: { ...bucket, ...holder },
    grants: grantsOf(deployment.clients, deployment.canary),
  };
  return Promise.all([
    ...OWNED.map(([id, what, ...wanted]) =>
      files(
        `${id}-mode`,
        `owner and mode of ${what}, and of the directories above`,
        `${wanted[0].mode.slice(1)} ${wanted[0].owner}; only root can replace it`,
        () => {
          const found = parseModes(facts("modes"));
          return seen([...new Set(wanted.flatMap((file) => modeProblems(found, file)))], "so it is");
        },
      ),
    ),
    ...WRITTEN.map(([id, file]: readonly [string, FileSpec<typeof values>]) =>
      files(`${id}-content`, `the content of ${file.path}`, "what the stack wrote", () =>
        contentSeen(facts, [rendered(file, values)], deployment.project),
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
      const { path: conf } = FILES.rcloneConf;
      const known = [conf, path.dirname(conf), path.dirname(path.dirname(conf))];
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
