/** Secrets and S3 identities where they must not be, on the proxy and on clients. */
import { DeployedClient, Deployment } from "../../deployment";
import { CLIENT_FILES, PROXY_USER } from "../../../hosts";
import { Finding, Seen, Undecided } from "../probe";
import { Secret, secretsIn, stackSecrets } from "../secrets";
import { HostFacts, judge, linesOf, seen } from "./facts";

/** The remedy for a secret where it must not be. */
export const LEAK_REMEDY =
  "remove it there, rotate that secret (see the handbook), and find out which program wrote it";

/** Where secrets are searched: the end of a finding's id, the fact, and words for it. */
export const PLACES = [
  ["process-list", "processes", "the process list"],
  ["environment", "environments", "the environments of processes"],
  ["logs", "logs", "the journal and recent logs"],
  ["cloud-init", "cloud_init", "what cloud-init left: user data, its files and logs"],
  ["history", "histories", "the shells' histories"],
] as const;

/** Searches what the proxy printed for every secret, and its files for access key IDs. */
export function judgeProxySecrets(deployment: Deployment, facts: HostFacts): Promise<Finding[]> {
  const { secrets, tooShort } = stackSecrets(deployment);
  const short = tooShort.join(", ");
  return Promise.all([
    ...PLACES.map(([id, fact, where]) =>
      judge(
        {
          ring: 1,
          id: `secrets.${id}`,
          tried: `search ${where} of the proxy for every secret of the stack`,
          expected: "none is there",
          remedy: LEAK_REMEDY,
        },
        () => leaks(facts(fact), secrets),
      ),
    ),
    ...(short === ""
      ? []
      : [
          judge(
            {
              ring: 1,
              id: "secrets.too-short",
              tried: "search for passwords of fewer than 8 characters",
              expected: "there are none so short",
              remedy: "configure a longer password: such a one is found in texts by accident, and guessed",
            },
            () => {
              throw new Undecided(`too short to search for: ${short}`);
            },
          ),
        ]),
    ...[
      {
        id: "identities-readable",
        tried: `search the proxy's files that ${PROXY_USER} may read for the access key IDs of owner and keeper`,
        only: " readable ",
      },
      { id: "identities", tried: "search all of the proxy's small files for these", only: " " },
    ].map(({ id, tried, only }) =>
      judge({ ring: 2, id: `secrets.${id}`, tried, expected: "in none", remedy: LEAK_REMEDY }, () =>
        identitiesSeen(deployment, facts, (line) => line.includes(only)),
      ),
    ),
  ]);
}

function leaks(text: string, secrets: readonly Secret[]): Seen {
  return seen(
    secretsIn(text, secrets).map((name) => `${name} IS THERE`),
    `none in ${String(Math.ceil(text.length / 1024))} kB`,
  );
}

/** Whose access key IDs are in files. */
export function identitiesSeen(
  { bucket }: Deployment,
  facts: HostFacts,
  matches: (line: string) => boolean,
): Seen {
  const names = { owner: bucket.owner, writer: bucket.writer, keeper: bucket.keeper };
  return seen(
    linesOf(facts("key_ids"))
      .filter(matches)
      .map((line) => {
        const [id = "", , ...file] = line.split(" ");
        const name =
          Object.entries(names).find(([, keys]) => keys?.accessKeyId === id)?.[0] ?? "another identity";
        return `that of the ${name} in ${file.join(" ")}`;
      }),
    "in none",
  );
}

/** Whether it is a program of ours, or what that starts: their environment has their repository's password. */
const isOwnProgram = (command: string): boolean =>
  /(^|\/)restic(-backup)? /.test(command) || command.includes(CLIENT_FILES.sshConfig.path);

/** Searches what a client printed; its own programs have its own passwords. */
export function clientLeaks(deployment: Deployment, { name }: DeployedClient, facts: HostFacts): Seen {
  const { secrets } = stackSecrets(deployment);
  const programs = new Map(
    linesOf(facts("processes")).map((line) => {
      const [, pid = "", command = ""] = /^\s*(\d+) +\S+ +(.*)$/.exec(line) ?? [];
      return [pid, command];
    }),
  );
  const found = PLACES.flatMap(([, fact, where]) => {
    const text = facts(fact);
    if (fact !== "environments") return secretsIn(text, secrets).map((secret) => `${secret} is in ${where}`);
    const own = secrets.filter((secret) => !secret.name.startsWith(`the password of ${name}/`));
    return text
      .split(/^==> \/proc\//m)
      .slice(1)
      .flatMap((part) => {
        const program = programs.get(part.split("/", 1)[0] ?? "") ?? "a process that has ended";
        const searched = isOwnProgram(program) ? own : secrets;
        return secretsIn(part, searched).map(
          (secret) => `${secret} is in the environment of ${program.slice(0, 60)}`,
        );
      });
  });
  return seen([...new Set(found)], `none in ${String(PLACES.length)} places`);
}
