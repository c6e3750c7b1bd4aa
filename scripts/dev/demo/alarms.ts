import { spawn } from "node:child_process";
import { once } from "node:events";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { EXIT } from "../../../operations/exit-status";
import { printableLines } from "../../../operations/printable";
import { ROOT, step } from "../../../operations/transport/run";
import { IN_LOCAL_CLOUD } from "../cloud";
import type { LocalStack } from "../local-stack";

/** Where Pulumi.local.yaml has the alarms sent to. */
const RECEIVER = ["172.24.4.1", "8090"] as const;

/**
 * Lets the keeper send what it found to a receiver in the cloud's network, with a test, so that there is something on
 * each run; before, nobody was there to receive.
 *
 * @returns what arrived
 * @throws Error where nothing does
 */
export async function alarmsArrive(stack: LocalStack): Promise<string> {
  const [program, ...args] = [
    ...IN_LOCAL_CLOUD,
    ...[process.execPath, "--import", "tsx"],
    path.join(__dirname, "receiver.ts"),
    ...RECEIVER,
  ];
  const receiver = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(receiver, "exit");
  try {
    const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
    if ((await lines.next()).done === true) throw new Error("the receiver of alarms does not listen");
    await step("alarms, with a test, to a receiver in the cloud's network", () =>
      stack.operate("alarms", ["--test"]),
    );
    const words: string[] = [];
    let tested = false;
    while (!tested) {
      const line = await lines.next();
      if (line.done === true) throw new Error("the receiver of alarms ended");
      const { text, test } = JSON.parse(line.value) as { text: string; test: boolean };
      words.push(text);
      tested = test;
    }
    return printableLines(words.join("\n\n"));
  } finally {
    receiver.kill();
    await ended;
  }
}

/** What `npm run status` prints; the attacker's snapshot is amiss. */
export async function statusTable(stack: LocalStack): Promise<string> {
  return (await stack.operate("status", [], { accept: [EXIT.done, EXIT.failed] })).stdout;
}
