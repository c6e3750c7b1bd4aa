/** The forced command: no command or variable of the client's makes it another session with rclone. */
import { Operations } from "../../../plan";
import { Finding, probe, Seen } from "../probe";
import { Attacker, COMMAND_REMEDY } from "./attacker";
import { needControl, refuses, verdictOn } from "./canary-repository";

/**
 * Asks for other sessions with rclone, and looks whose they are by an object named `id`.
 *
 * @param works whether that object could be read in a session as it should be
 */
export async function attackForcedCommand(
  canary: Attacker,
  id: string,
  works: boolean,
  operations: Operations,
): Promise<Finding[]> {
  return Promise.all([
    probe(
      {
        ring: 1,
        id: "attack.command-rclone",
        tried: "start rclone without --append-only on the whole bucket",
        expected: "the forced command runs instead",
        remedy: COMMAND_REMEDY,
      },
      () =>
        ownSession(
          canary,
          id,
          works,
          `rclone serve restic --stdio s3-resticrepo:${operations.bucket.bucket}`,
        ),
    ),
    probe(
      {
        ring: 1,
        id: "attack.environment",
        tried: "send variables that change PATH, the loader and rclone's settings",
        expected: "the same session as without them",
        remedy: COMMAND_REMEDY,
      },
      () =>
        ownSession(canary, id, works, "rclone serve restic --stdio", [
          "-o",
          "SetEnv=PATH=/nonexistent LD_PRELOAD=/nonexistent.so RCLONE_CONFIG=/nonexistent RCLONE_APPEND_ONLY=false",
        ]),
    ),
  ]);
}

/** Whether a session is still the forced command's: it reads its own repository and deletes nothing. */
async function ownSession(
  canary: Attacker,
  id: string,
  works: boolean,
  remote: string,
  options: readonly string[] = [],
): Promise<Seen> {
  needControl({ works });
  return canary.session(
    async (request) => {
      const read = await request("GET", `/keys/${id}`);
      if (read.status !== 200)
        return {
          holds: false,
          happened: `the own repository answers ${String(read.status)}: another session`,
        };
      const { status } = await request("DELETE", `/keys/${id}`);
      return {
        holds: refuses(status),
        happened: `reads the own repository as before; deletion ${verdictOn(status)}`,
      };
    },
    remote,
    options,
  );
}
