import { cloudDown, ensurePrerequisites, LocalStack } from "../local-stack";
import { EXIT } from "../../../operations/exit-status";
import { step } from "../../../operations/transport/run";
import { OperatorCommand, start } from "../../command";
import { alarmsArrive, statusTable } from "./alarms";
import { keeperRound } from "./keeper-round";
import { timerRun } from "./timer-run";
import { backupRoundTrip, RoundTrip } from "./round-trip";

function summary(trips: RoundTrip[], proxy: string): string {
  const rows = trips.map(
    ({ client, repository, files, firstSeconds, secondSeconds, refusal }) =>
      `  ${`${client}/${repository}`.padEnd(20)} ${String(files).padStart(6)} entries` +
      `   backup ${firstSeconds.toFixed(0)} s, again ${secondSeconds.toFixed(0)} s   ${refusal}`,
  );
  return `
Every repository was backed up twice and both snapshots came back byte for byte; every forget was refused:

${rows.join("\n")}

The cloud stays up. Try next:
  npm run local -- npm run verify                 what an attacker would try, ring by ring, and with what result
  npm run local -- npm run status                 how all backups are; --html FILE writes the page, which is also in
                                                  the bucket, .status/status.html, and on keepersrv, /run/keeper-status
  npm run local -- npm run keeper -- status filesrv1   what the keeper last did there
  npm run local -- npm run ssh -- appsrv1         a shell on a client; restic-backup is there
  npm run local-cloud -- shell                    a shell that reaches the cloud (proxy: ${proxy})
  npm run demo -- --fresh                         all of it again from an empty stack
  npm run local-cloud -- down                     end the cloud and all that runs in it
`;
}

async function demo(fresh: boolean): Promise<number> {
  const stack = new LocalStack();
  if (fresh) await step("end the cloud of an earlier run", cloudDown);
  await step("toolchain and local cloud", ensurePrerequisites);
  await step("stack local: state, configuration", () => stack.open());
  await stack.resetConfig();
  await step("pulumi up", () => stack.up([], { show: true }));

  const outputs = await stack.outputs();
  // The repositories are used side by side, as they would be at night.
  const trips = await Promise.all(
    Object.entries(outputs.clients).map(async ([client, { repositories }]) => {
      const host = await stack.host(client);
      return Promise.all(
        Object.keys(repositories).map((repository) => backupRoundTrip(host, client, repository, console.log)),
      );
    }),
  );
  const status = await timerRun(await stack.host("filesrv1"), "files");
  console.log(`A timer's own backup, as restic-backup --status shows it on filesrv1:\n\n${status}`);
  const kept = await keeperRound(stack, await stack.host("filesrv1"), "filesrv1", "files");
  console.log(`What the keeper makes of a snapshot with a forged date:\n\n${kept}`);
  const arrived = await alarmsArrive(stack);
  console.log(`What reached the receiver of alarms:\n\n${arrived}\n`);
  console.log(`How all backups are, by npm run status:\n\n${await statusTable(stack)}`);
  console.log(summary(trips.flat(), outputs.proxy.address));
  return EXIT.done;
}

export const command = new OperatorCommand(
  "demo",
  "Builds the stack of Pulumi.local.yaml on a local OpenStack cloud and shows what it is for.",
  { stack: false },
)
  .option("--fresh", "starts over: ends the cloud of an earlier run with all that is in it")
  .does(({ fresh = false }: { fresh?: boolean }) => demo(fresh));

if (require.main === module) void start(command);
