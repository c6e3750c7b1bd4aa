/** The keeper: the parameters of its inspection, and all that is judged of what it printed. */
import { DeployedKeeper, Deployment } from "../../deployment";
import {
  FileSpec,
  KEEPER_FILES,
  KEEPER_PROGRAM,
  KEEPER_SETTINGS,
  keeperDirs,
  keeperPaths,
  type KeeperRepository,
  type KeeperValues,
  LIBRARY,
  passwordFile,
  rendered,
} from "../../../hosts";
import { printable } from "../../printable";
import { Finding, ProbeAbout, PUT_BACK, REBUILD } from "../probe";
import { secretsIn, stackSecrets } from "../secrets";
import { HostFacts, judge, linesOf, seen } from "./facts";
import { contentSeen, modeProblems, OwnedFile, parseModes, parseSums, PROGRAM } from "./files";
import { identitiesSeen, LEAK_REMEDY, PLACES } from "./leaks";
import {
  opensshSeen,
  programSeen,
  programVersion,
  RESTIC_PROGRAM,
  unexpectedSockets,
  versionAbout,
  versionSeen,
} from "./programs";

const NODE_PROGRAM = `${LIBRARY}/node`;

/** The units that must run, and those that run at times; the instance stands for all of its template. */
const RUNNING = ["keeper-gate.service", "keeper-round.timer", "keeper-watch.timer"];
const UNITS = [
  ...RUNNING,
  "keeper-round.service",
  "keeper-due.service",
  "keeper-worker@x-x.service",
  "keeper-watch.service",
];

/** The parameters of inspect.sh on the keeper. */
export function keeperParameters({ bucket }: Deployment, keeper: DeployedKeeper): Record<string, string> {
  const files = [
    ...keeperPaths(keeper.settings.repositories),
    ...[KEEPER_PROGRAM.path, NODE_PROGRAM, RESTIC_PROGRAM],
  ].join(" ");
  return {
    ROLE: "keeper",
    KEY_IDS: [bucket.owner, bucket.writer].flatMap((keys) => keys?.accessKeyId ?? []).join("\n"),
    REPOSITORIES: "",
    KEEPER_SETTINGS,
    KEEPER_UNITS: UNITS.join(" "),
    MODES: files,
    SUMS: files,
  };
}

/** Everything about the keeper that its facts show. */
export function judgeKeeper(
  deployment: Deployment,
  keeper: DeployedKeeper,
  facts: HostFacts,
): Promise<Finding[]> {
  const { name, settings, node, restic } = keeper;
  const about = (id: string, tried: string, expected: string, remedy = PUT_BACK): ProbeAbout => ({
    ring: 1,
    id,
    tried,
    expected,
    remedy,
  });
  const { bucket, alarms } = deployment;
  const repositories: KeeperRepository[] = deployment.clients.flatMap(({ name: client, repositories }) =>
    repositories.map(({ name: repository, password }) => ({ client, repository, password })),
  );
  // A stack whose bucket knows no keeper has none.
  const values: KeeperValues = { settings, s3: bucket.keeper ?? bucket.owner, alarms, repositories };
  const written = [
    ...Object.values(KEEPER_FILES).map((file: FileSpec<KeeperValues>) => rendered(file, values)),
    ...repositories.map((repository) => rendered(passwordFile(repository), repository)),
  ];
  const wanted: OwnedFile[] = [
    ...written,
    KEEPER_PROGRAM,
    ...[NODE_PROGRAM, RESTIC_PROGRAM].map((path) => ({ path, ...PROGRAM })),
  ];
  return Promise.all([
    judge(
      about("keeper.files", "owner and mode of the keeper's files", "root's, as the stack wrote them"),
      () => {
        const modes = parseModes(facts("modes"));
        const problems = [
          ...wanted.flatMap((file) => modeProblems(modes, file)),
          ...keeperDirs(repositories).flatMap(({ dir, mode }) =>
            modes.get(dir)?.mode.padStart(4, "0") === mode ? [] : [`${dir} is not ${mode.slice(1)}`],
          ),
        ];
        return seen([...new Set(problems)], `${String(wanted.length)} files, so they are`);
      },
    ),
    judge(
      about(
        "keeper.content",
        "settings, keys, passwords, ways of alarms and units of the keeper",
        "what the stack wrote",
      ),
      () => contentSeen(facts, written, deployment.project),
    ),
    judge(
      about("keeper.settings", `what else is in ${KEEPER_SETTINGS}`, "nothing", `remove it; ${REBUILD}`),
      () => {
        const known = new Set(written.map(({ path }) => path));
        return seen(
          linesOf(facts("keeper_settings"))
            .filter((file) => !known.has(file))
            .map((file) => `there is ${printable(file)}`),
          "nothing",
        );
      },
    ),
    judge(about("keeper.units", "the keeper's units", "gate and timers run; nothing changes a unit"), () =>
      unitsSeen(facts("keeper_units")),
    ),
    judge(
      about("keeper.program", "the SHA-256 of the keeper's program", "that of the last update", REBUILD),
      () => {
        const sum = parseSums(facts("sums")).get(KEEPER_PROGRAM.path) ?? "missing";
        const happened = `it is ${sum.slice(0, 12)}`;
        return sum === keeper.program
          ? { holds: true, happened }
          : { holds: false, happened: `${happened}, NOT so` };
      },
    ),
    judge(
      about("keeper.node-program", "the SHA-256 of the keeper's Node", `that of ${node.version}`, REBUILD),
      () => programSeen(facts, NODE_PROGRAM, node, "stamp.node"),
    ),
    judge(
      about(
        "keeper.restic-program",
        "the SHA-256 of the keeper's restic",
        `that of ${restic.version}`,
        REBUILD,
      ),
      () => programSeen(facts, RESTIC_PROGRAM, restic, "stamp.restic"),
    ),
    judge(versionAbout("restic", ".keeper", name), () =>
      versionSeen("restic", programVersion(facts("version.restic"), "restic")),
    ),
    judge(versionAbout("openssh", ".keeper", name), () => opensshSeen(facts)),
    judge(
      about(
        "keeper.sockets",
        "what listens on the keeper",
        "sshd on port 22; time, name and address services of the system",
        "stop and remove the program: the keeper serves nobody",
      ),
      () =>
        seen(
          unexpectedSockets(facts("sockets")).map((socket) => `${socket} listens`),
          "nothing else",
        ),
    ),
    judge(
      about(
        "secrets.leaks.keeper",
        `search the keeper for every secret of the stack: ${PLACES.map(([, , where]) => where).join(", ")}`,
        "none is there",
        LEAK_REMEDY,
      ),
      () => {
        const { secrets } = stackSecrets(deployment);
        const found = PLACES.flatMap(([, fact, where]) =>
          secretsIn(facts(fact), secrets).map((secret) => `${secret} is in ${where}`),
        );
        return seen([...new Set(found)], `none in ${String(PLACES.length)} places`);
      },
    ),
    judge(
      {
        ...about(
          "secrets.identities.keeper",
          "search the keeper's small files for the access key IDs of owner and writer",
          "in none",
          LEAK_REMEDY,
        ),
        ring: 2,
      },
      () => identitiesSeen(deployment, facts, () => true),
    ),
  ]);
}

/** Judges the output of `systemctl show` for the keeper's units. */
export function unitsSeen(text: string) {
  const units = new Map(
    text.split(/\n{2,}/).map((part) => {
      const fields = new Map(linesOf(part).map((line) => line.split(/=(.*)/s, 2) as [string, string]));
      return [fields.get("Id") ?? "", fields];
    }),
  );
  return seen(
    UNITS.flatMap((unit) => {
      const fields = units.get(unit);
      if (fields === undefined) return [`${unit} is not there`];
      const field = (key: string) => printable(fields.get(key) ?? "").slice(0, 200);
      return [
        ...(field("LoadState") === "loaded" ? [] : [`${unit} is ${field("LoadState")}`]),
        ...(field("DropInPaths") === "" ? [] : [`${unit} is changed by ${field("DropInPaths")}`]),
        ...(field("NeedDaemonReload") === "no" ? [] : [`${unit} is not yet read by systemd`]),
        ...(!RUNNING.includes(unit) || field("ActiveState") === "active"
          ? []
          : [`${unit} is ${field("ActiveState")}`]),
        ...(!RUNNING.includes(unit) || field("UnitFileState") === "enabled"
          ? []
          : [`${unit} is ${field("UnitFileState")}`]),
      ];
    }),
    `${String(UNITS.length)} units, so they are`,
  );
}
