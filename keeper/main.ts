/** The keeper's program: `gate`, `worker`, `due` or `watch`. Credentials come from systemd, never by the command line. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "./printable";

const USAGE = `usage: keeper.js gate --settings FILE --sockets FOLDER     serves the repositories until SIGTERM
       keeper.js worker --socket PATH --restic PATH        does what is due on the socket's repository
       keeper.js due --sockets FOLDER                      prints the instances of which something is due
       keeper.js watch --settings FILE --page FOLDER       looks at all backups once, and sends alarms
`;

/** Exit status of a command line that is not understood. */
const NOT_UNDERSTOOD = 64;

class UsageError extends Error {}

/** A credential that systemd loaded. */
function credential(name: string): string {
  const folder = process.env["CREDENTIALS_DIRECTORY"];
  if (folder === undefined) throw new Error("CREDENTIALS_DIRECTORY is not set: systemd starts this program");
  return path.join(folder, name);
}

/** The values of options that all have to be there, and nothing else. */
function options<Name extends string>(
  args: readonly string[],
  ...names: readonly Name[]
): Record<Name, string> {
  const known = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  let values: Partial<Record<string, string | boolean>>;
  try {
    ({ values } = parseArgs({ args: [...args], options: known, allowPositionals: false }));
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
  const missing = names.find((name) => typeof values[name] !== "string");
  if (missing !== undefined) throw new UsageError(`--${missing} is missing`);
  return values as Record<Name, string>;
}

async function main([command, ...args]: readonly string[]): Promise<number> {
  // Each part loads its own code alone: a worker has no S3 client.
  if (command === "gate") {
    const given = options(args, "settings", "sockets");
    const { runGate } = await import("./gate");
    await runGate({ ...given, credentials: credential("s3.json") });
    return 0;
  }
  if (command === "worker") {
    const given = options(args, "socket", "restic");
    const { runWorker } = await import("./worker");
    return await runWorker({ ...given, passwordFile: credential("password") });
  }
  if (command === "due") {
    const { sockets } = options(args, "sockets");
    const { askDue } = await import("./gate");
    for (const instance of await askDue(sockets)) process.stdout.write(`${instance}\n`);
    return 0;
  }
  if (command === "watch") {
    const given = options(args, "settings", "page");
    const { runWatch } = await import("./watch");
    const whole = await runWatch({
      ...given,
      credentials: credential("s3.json"),
      alarms: credential("alarms.json"),
    });
    return whole ? 0 : 1;
  }
  throw new UsageError("no such command");
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    const usage = error instanceof UsageError;
    process.stderr.write(`keeper: ${messageOf(error)}\n${usage ? USAGE : ""}`);
    process.exitCode = usage ? NOT_UNDERSTOOD : 1;
  },
);
