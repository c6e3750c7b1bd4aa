/** The forced command: neither another command nor a variable changes the client's session with rclone. */
import { Deployment } from "../../deployment";
import { Probe, Seen } from "../probe";
import { Attacker, COMMAND_REMEDY, lastWords, mustHaveConnected, refusedOrNot } from "./attacker";
import { CanaryRepository, needControl, readBack, refusal } from "./canary-repository";

/** Requests other sessions with rclone, and checks that they are still the forced command's. */
export function commandAttacks(
  canary: Attacker,
  repository: Pick<CanaryRepository, "id" | "works" | "removes">,
  deployment: Deployment,
): Probe[] {
  const { id } = repository;
  return [
    {
      ring: 1,
      id: "attack.command-rclone",
      tried: "start rclone without --append-only on the whole bucket",
      expected: "the forced command runs instead",
      remedy: COMMAND_REMEDY,
      attempt: async () => {
        needControl(repository, "removes");
        return canary.session(async (request) => {
          const read = await readBack(request, `/keys/${id}`);
          if (read.status !== 200) {
            const happened = `its own repository answers ${String(read.status)}: another session`;
            return { holds: false, happened };
          }
          const { holds, happened } = refusal(await request("DELETE", `/keys/${id}`));
          return { holds, happened: `it reads its own repository as before; deletion ${happened}` };
        }, `rclone serve restic --stdio s3-resticrepo:${deployment.bucket.bucket}`);
      },
    },
    {
      ring: 1,
      id: "attack.environment",
      tried: "send variables of the loader and of rclone with visible effects",
      expected: "no effect; sshd.acceptenv checks all variables, on the proxy",
      remedy: COMMAND_REMEDY,
      attempt: () => sendVariables(canary, id),
    },
  ];
}

/** The loader and rclone report on standard error what they cannot find. */
async function sendVariables(canary: Attacker, id: string): Promise<Seen> {
  const mark = `/nonexistent/${id}`;
  const variables = `LD_PRELOAD=${mark}.so RCLONE_CONFIG=${mark} RCLONE_VERBOSE=2`;
  const result = await canary.answerTo(["-o", `SetEnv=${variables}`], ["rclone serve restic --stdio"], "", 1);
  mustHaveConnected(result);
  // ssh prints what it sends, as debug messages.
  const messages = result.stderr.split("\n").filter((line) => !line.startsWith("debug"));
  const effects = [
    ["LD_PRELOAD", `${mark}.so`],
    ["RCLONE_CONFIG", `"${mark}"`],
    ["RCLONE_VERBOSE", "DEBUG :"],
  ].flatMap(([variable = "", sign = ""]) =>
    messages.some((line) => line.includes(sign)) ? [`${variable} HAS an effect`] : [],
  );
  if (effects.length === 0 && result.stdout === "") throw new Error(lastWords(result.stderr));
  return refusedOrNot(effects, "rclone answers, and no variable has an effect");
}
