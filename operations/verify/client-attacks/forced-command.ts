/** The forced command: no command or variable of the client's makes it another session with rclone. */
import { Deployment } from "../../deployment";
import { Finding } from "../probe";
import { Attacker, COMMAND_REMEDY, lastWords, mustHaveConnected, probeAlone, refusedOrNot } from "./attacker";
import { CanaryRepository, needControl, readBack, refusal } from "./canary-repository";

/** Asks for other sessions with rclone, and looks whether they are still the forced command's. */
export async function attackForcedCommand(
  canary: Attacker,
  repository: Pick<CanaryRepository, "id" | "works" | "removes">,
  deployment: Deployment,
): Promise<Finding[]> {
  const { id } = repository;
  // One after the other, as all that asks for a login.
  return [
    await probeAlone(
      {
        ring: 1,
        id: "attack.command-rclone",
        tried: "start rclone without --append-only on the whole bucket",
        expected: "the forced command runs instead",
        remedy: COMMAND_REMEDY,
      },
      async () => {
        needControl(repository, "removes");
        return canary.session(async (request) => {
          const read = await readBack(request, `/keys/${id}`);
          if (read.status !== 200)
            return {
              holds: false,
              happened: `the own repository answers ${String(read.status)}: another session`,
            };
          const { holds, happened } = refusal(await request("DELETE", `/keys/${id}`));
          return { holds, happened: `reads the own repository as before; deletion ${happened}` };
        }, `rclone serve restic --stdio s3-resticrepo:${deployment.bucket.bucket}`);
      },
    ),
    await probeAlone(
      {
        ring: 1,
        id: "attack.environment",
        tried: "send variables of the loader and of rclone whose effect would be seen",
        expected: "no effect; sshd.acceptenv looks for all variables, from within",
        remedy: COMMAND_REMEDY,
      },
      () => sendVariables(canary, id),
    ),
  ];
}

/** The loader and rclone say on standard error what they cannot find, by its name. */
async function sendVariables(canary: Attacker, id: string) {
  const mark = `/nonexistent/${id}`;
  const variables = `LD_PRELOAD=${mark}.so RCLONE_CONFIG=${mark} RCLONE_VERBOSE=2`;
  const result = await canary.answerTo(["-o", `SetEnv=${variables}`], ["rclone serve restic --stdio"], "", 1);
  mustHaveConnected(result);
  // ssh says what it sends.
  const words = result.stderr.split("\n").filter((line) => !line.startsWith("debug"));
  const effects = [
    ["LD_PRELOAD", `${mark}.so`],
    ["RCLONE_CONFIG", `"${mark}"`],
    ["RCLONE_VERBOSE", "DEBUG :"],
  ].flatMap(([variable = "", sign = ""]) =>
    words.some((line) => line.includes(sign)) ? [`${variable} HAS an effect`] : [],
  );
  if (effects.length === 0 && result.stdout === "") throw new Error(lastWords(result.stderr));
  return refusedOrNot(effects, "rclone answers, and no variable has an effect");
}
