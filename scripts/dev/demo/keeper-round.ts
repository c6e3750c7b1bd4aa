import { step } from "../../../operations/transport/run";
import { LocalStack } from "../local-stack";
import { RootShell } from "./round-trip";

/** The date that a compromised client gives its snapshot. */
const FORGED = "2099-01-01 00:00:00";

/**
 * Adds a snapshot from the future to a repository, as an attacker with the client's key can, and has the keeper do a
 * round on all of its client's repositories.
 *
 * @returns what `npm run keeper -- plan` and `status` print
 * @throws Error where the round fails, or would forget a snapshot
 */
export async function keeperRound(
  stack: LocalStack,
  client: RootShell,
  name: string,
  repository: string,
): Promise<string> {
  await step(`${name}/${repository}: an attacker adds a snapshot dated ${FORGED}`, () =>
    client.sh(`restic-backup ${repository} backup --time '${FORGED}' /etc/hostname >&2`),
  );
  await stack.operate("keeper", ["run", name]);
  const keeper = await stack.host("keepersrv");
  await step("the keeper's round: guard, forget, check", () =>
    keeper.sh("systemctl start keeper-round.service", { timeout: 1200 }),
  );
  const target = `${name}/${repository}`;
  const plan = (await stack.operate("keeper", ["plan", target])).stdout;
  const status = (await stack.operate("keeper", ["status", target])).stdout;
  return `${plan}\n${status}`;
}
