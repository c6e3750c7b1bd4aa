import { printable } from "../printable";
import { readDeployment } from "../read-deployment";
import { openStackSession, openStackSettings } from "./openstack/session";
import { briefly, Ring } from "./probe";
import { leaveRecordIn } from "./record";
import { exitStatus, renderReport, summarize } from "./report";
import { verify } from "./verify";

/** Columns of a report where the terminal has no fewer. */
const COLUMNS = 100;

/** @see verifyStack */
export interface VerifyRequest {
  /** @default the selected one */
  stack?: string;
  /** @default all rings */
  ring?: Ring;
  /** Whether the report shows what passed, too. @default false */
  all?: boolean;
  /** Whether a program reads the findings. @default false */
  json?: boolean;
}

const progress = (words: string): void => void process.stderr.write(`verify: ${words}\n`);

/**
 * Verifies a deployed stack: findings on standard output, progress on standard error.
 *
 * @returns the exit status
 * @throws Error where the stack cannot be read
 */
export async function verifyStack({
  stack,
  ring,
  all = false,
  json = false,
}: VerifyRequest): Promise<number> {
  const deployment = await readDeployment(stack);
  progress("this takes up to three minutes");
  const started = Date.now();
  const session = openStackSettings(stack).then(openStackSession);
  const findings = await verify(deployment, { ring, session, progress });
  const width = process.stdout.isTTY ? Math.min(process.stdout.columns, COLUMNS) : COLUMNS;
  process.stdout.write(
    json
      ? `${JSON.stringify({ findings, summary: summarize(findings) }, undefined, 2)}\n`
      : `\n${renderReport(findings, width, all)}`,
  );
  // Of one ring alone it would hide what failed in the others.
  if (ring === undefined) {
    await leaveRecordIn(deployment.bucket, findings).catch((error: unknown) => {
      progress(`the status does not get this result: ${printable(briefly(error))}`);
    });
  }
  progress(`${String(findings.length)} findings in ${((Date.now() - started) / 1000).toFixed(0)} s`);
  return exitStatus(findings);
}
