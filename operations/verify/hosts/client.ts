/** A client: the parameters of its inspection, and all that is judged of what it printed. */
import { DeployedClient, Deployment } from "../../deployment";
import {
  CLIENT_FILES,
  clientPaths,
  ClientValues,
  FileSpec,
  hookFiles,
  isScheduled,
  PROXY_USER,
  rendered,
  repositoryDir,
  repositoryFiles,
  RepositoryValues,
  SETTINGS,
  timerFiles,
  timerSpec,
} from "../../../hosts";
import { Finding, REBUILD, ProbeAbout, PUT_BACK } from "../probe";
import { HostFacts, judge, seen } from "./facts";
import { contentSeen, modeProblems, OwnedFile, parseModes, PROGRAM } from "./files";
import { clientLeaks, identitiesSeen, LEAK_REMEDY, PLACES } from "./leaks";
import {
  opensshSeen,
  programSeen,
  programVersion,
  RESTIC_PROGRAM,
  versionAbout,
  versionSeen,
} from "./programs";
import { runsSeen, timersSeen } from "./runs";

/** The parameters of inspect.sh on a client. */
export function clientParameters({ bucket }: Deployment, client: DeployedClient): Record<string, string> {
  const names = client.repositories.map(({ name }) => name);
  const files = [...clientPaths(client.name, client.repositories), RESTIC_PROGRAM].join(" ");
  return {
    ROLE: "client",
    KEY_IDS: [bucket.owner, bucket.writer, bucket.keeper]
      .flatMap((keys) => keys?.accessKeyId ?? [])
      .join("\n"),
    REPOSITORIES: names.join(" "),
    TIMERS: client.repositories
      .filter(isScheduled)
      .map(({ name }) => timerSpec(name).path)
      .join(" "),
    MODES: files,
    SUMS: files,
  };
}

/** Everything about a client that its facts show. */
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
  const values: ClientValues = {
    stack: deployment.stack,
    client: name,
    bucket: deployment.bucket.bucket,
    proxy: {
      address: deployment.proxy.address,
      port: deployment.proxy.host.port,
      hostKey: deployment.proxy.host.hostKey,
    },
    // A client that is reached has all its keys from the stack.
    repositories: repositories.map((repository) => ({ privateKey: "", ...repository })),
  };
  // At which of its addresses a client reaches the proxy is not known here: of its ssh_config, what ssh reads in it is judged.
  const { knownHosts, sshConfig, ...others } = CLIENT_FILES;
  const written = [
    ...Object.values(others).map((file: FileSpec<ClientValues>) => rendered(file, values)),
    ...values.repositories.flatMap((repository) => [
      ...Object.values(repositoryFiles(repository.name)).map((file: FileSpec<RepositoryValues>) =>
        rendered(file, { ...values, ...repository }),
      ),
      ...hookFiles(repository),
    ]),
    ...timerFiles(name, repositories),
  ];
  const wanted: OwnedFile[] = [...written, knownHosts, sshConfig];
  return Promise.all([
    judge(
      about(
        "client.files",
        `owner and mode of the settings on ${name}`,
        "root's alone, as the stack wrote them",
      ),
      () => {
        const modes = parseModes(facts("modes"));
        const program = restic ? [{ path: RESTIC_PROGRAM, ...PROGRAM }] : [];
        const directories = [SETTINGS, ...repositories.map((repository) => repositoryDir(repository.name))];
        const problems = [
          ...[...wanted, ...program].flatMap((file) => modeProblems(modes, file)),
          ...directories.flatMap(({ dir, mode }) =>
            modes.get(dir)?.mode.padStart(4, "0") === mode ? [] : [`${dir} is not ${mode.slice(1)}`],
          ),
        ];
        return seen([...new Set(problems)], `${String(wanted.length)} files, so they are`);
      },
    ),
    judge(
      about(
        "client.content",
        `keys, passwords, paths, excludes, commands and timers on ${name}`,
        "what the stack wrote",
      ),
      () => contentSeen(facts, written, deployment.project),
    ),
    judge(
      about("client.known-hosts", `the host key that ${name} has pinned`, "the proxy's, and no other"),
      () => contentSeen(facts, [rendered(knownHosts, values)], deployment.project),
    ),
    judge(
      about(
        "client.ssh-config",
        `what ssh makes of the settings on ${name}`,
        "only the pinned key, no forwarding",
      ),
      () => seen(sshProblems(facts("ssh")), `${String(repositories.length)} connections, so they are`),
    ),
    judge(
      about("client.timers", `the timers of ${name}'s backups`, "one for each schedule, enabled and active"),
      () => timersSeen(facts, repositories),
    ),
    judge(
      about(
        "client.runs",
        `what ${name} says of each repository's last run`,
        "all was backed up",
        `find the cause on ${name} by journalctl -u restic-backup@REPOSITORY and restic-backup --status REPOSITORY; ` +
          "once it is removed, run restic-backup REPOSITORY there",
      ),
      () => runsSeen(facts, repositories),
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
  userknownhostsfile: CLIENT_FILES.knownHosts.path,
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
      const wanted = { ...SSH_SETTINGS, identityfile: repositoryFiles(name).privateKey.path };
      return Object.entries(wanted).flatMap(([key, value]) =>
        settings.get(key) === value ? [] : [`${name}: ${key} is ${settings.get(key) ?? "not set"}`],
      );
    });
}
