/** A client: what its inspection is told, and all that is judged of what it printed. */
import { DeployedClient, Deployment } from "../../deployment";
import {
  CLIENT_SETTINGS,
  PROXY_USER,
  renderBackupCommand,
  renderEnvironment,
  renderExcludes,
  renderKnownHosts,
  renderPaths,
} from "../../../hosts";
import { Finding, REBUILD, ProbeAbout, PUT_BACK } from "../probe";
import { HostFacts, judge, seen } from "./facts";
import { contentSeen, modeProblems, parseModes } from "./files";
import { clientLeaks, identitiesSeen, LEAK_REMEDY, PLACES } from "./leaks";
import {
  opensshSeen,
  programSeen,
  programVersion,
  RESTIC_PROGRAM,
  versionAbout,
  versionSeen,
} from "./programs";

/** What inspect.sh is told on a client. */
export function clientParameters({ bucket }: Deployment, client: DeployedClient): Record<string, string> {
  return {
    ROLE: "client",
    KEY_IDS: [bucket.owner, bucket.writer, bucket.keeper]
      .flatMap((keys) => keys?.accessKeyId ?? [])
      .join("\n"),
    REPOSITORIES: client.repositories.map(({ name }) => name).join(" "),
  };
}

/** Everything about a client that its facts tell. */
export function judgeClient(
  deployment: Deployment,
  client: DeployedClient,
  facts: HostFacts,
): Promise<Finding[]> {
  const { name, repositories } = client;
  const { restic } = deployment;
  const about = (id: string, tried: string, expected: string, remedy = PUT_BACK): ProbeAbout => ({
    ring: 1,
    id: `${id}.${name}`,
    tried,
    expected,
    remedy,
  });
  const folder = (repository: string, file: string) => `${CLIENT_SETTINGS}/${repository}/${file}`;
  const secretFiles = repositories.flatMap((repository) =>
    ["env", "id_ed25519", "paths", "excludes"].map((file) => folder(repository.name, file)),
  );
  return Promise.all([
    judge(
      about("client.files", `owner and mode of the settings on ${name}`, "root's alone: 600 root:root"),
      () => {
        const modes = parseModes(facts("modes"));
        const problems = [
          ...secretFiles.flatMap((file) => modeProblems(modes, file, "root:root", "600")),
          ...["known_hosts", "ssh_config"].flatMap((file) =>
            modeProblems(modes, `${CLIENT_SETTINGS}/${file}`, "root:root", "644"),
          ),
          ...modeProblems(modes, "/usr/local/bin/restic-backup", "root:root", "755"),
          ...(restic ? modeProblems(modes, RESTIC_PROGRAM, "root:root", "755") : []),
          ...[
            CLIENT_SETTINGS,
            ...repositories.map((repository) => `${CLIENT_SETTINGS}/${repository.name}`),
          ].flatMap((directory) => (modes.get(directory)?.mode === "700" ? [] : [`${directory} is not 700`])),
        ];
        return seen([...new Set(problems)], `${String(secretFiles.length)} files, so they are`);
      },
    ),
    judge(
      about(
        "client.content",
        `keys, passwords, paths, excludes and command on ${name}`,
        "what the stack wrote",
      ),
      () =>
        contentSeen(facts, [
          ["/usr/local/bin/restic-backup", renderBackupCommand()],
          ...repositories.flatMap((settings): [string, string][] => {
            const { name: repository, paths, excludes, privateKey } = settings;
            const place = { bucket: deployment.bucket.bucket, client: name };
            return [
              [folder(repository, "paths"), renderPaths(paths)],
              [folder(repository, "excludes"), renderExcludes(excludes)],
              [folder(repository, "env"), renderEnvironment(place, settings)],
              ...(privateKey === undefined
                ? []
                : [[folder(repository, "id_ed25519"), `${privateKey.trimEnd()}\n`] as [string, string]]),
            ];
          }),
        ]),
    ),
    judge(
      about("client.known-hosts", `the host key that ${name} has pinned`, "the proxy's, and no other"),
      () =>
        contentSeen(facts, [
          [
            `${CLIENT_SETTINGS}/known_hosts`,
            renderKnownHosts({ address: "", port: 22, hostKey: deployment.proxy.host.hostKey }),
          ],
        ]),
    ),
    judge(
      about(
        "client.ssh-config",
        `what ssh makes of the settings on ${name}`,
        "only the pinned key, no forwarding",
      ),
      () => seen(sshProblems(facts("ssh")), `${String(repositories.length)} connections, so they are`),
    ),
    judge(versionAbout("restic", `.${name}`, name), () =>
      versionSeen("restic", programVersion(facts("version.restic"), "restic")),
    ),
    ...(restic === undefined
      ? []
      : [
          judge(
            about(
              "client.restic-program",
              `the SHA-256 of the restic on ${name}`,
              `that of the configured ${restic.version}`,
              REBUILD,
            ),
            () => programSeen(facts, RESTIC_PROGRAM, restic),
          ),
        ]),
    judge(versionAbout("openssh", `.${name}`, name), () => opensshSeen(facts)),
    judge(
      about(
        "secrets.leaks",
        `search ${name} for every secret of the stack: ${PLACES.map(([, , where]) => where).join(", ")}`,
        "none is there, but a running restic's own password",
        LEAK_REMEDY,
      ),
      () => clientLeaks(deployment, client, facts),
    ),
    judge(
      {
        ...about(
          "secrets.identities",
          `search ${name}'s small files for every S3 access key ID`,
          "in none",
          LEAK_REMEDY,
        ),
        ring: 2,
      },
      () => identitiesSeen(deployment, facts, () => true),
    ),
  ]);
}

/** What `ssh -G` must say of each connection. */
const SSH_SETTINGS = {
  user: PROXY_USER,
  stricthostkeychecking: "true",
  userknownhostsfile: `${CLIENT_SETTINGS}/known_hosts`,
  globalknownhostsfile: "/dev/null",
  updatehostkeys: "false",
  verifyhostkeydns: "false",
  identitiesonly: "yes",
  identityagent: "none",
  batchmode: "yes",
  clearallforwardings: "yes",
  forwardagent: "no",
  forwardx11: "no",
  permitlocalcommand: "no",
} as const;

/** What is not as it must be in the output of `ssh -G` for several connections, each after a line `== NAME`. */
export function sshProblems(text: string): string[] {
  return text
    .split(/^== /m)
    .slice(1)
    .flatMap((part) => {
      const [name = "", ...lines] = part.split("\n");
      const settings = new Map(lines.map((line) => line.split(/ (.*)/s, 2) as [string, string]));
      const wanted = { ...SSH_SETTINGS, identityfile: `${CLIENT_SETTINGS}/${name}/id_ed25519` };
      return Object.entries(wanted).flatMap(([key, value]) =>
        settings.get(key) === value ? [] : [`${name}: ${key} is ${settings.get(key) ?? "not set"}`],
      );
    });
}
