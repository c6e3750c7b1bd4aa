/** What many clients cost: docs/figures.md has the results. */
import * as fs from "node:fs";
import * as path from "node:path";
import * as YAML from "yaml";
import { EXIT } from "../../../operations/exit-status";
import { step } from "../../../operations/transport/run";
import { sshKey } from "../../../operations/transport/ssh-key";
import { OperatorCommand, start } from "../../command";
import { ensurePrerequisites, LocalStack } from "../local-stack";

/** The goals, for 1,000 clients on two cores. */
const GOALS = { previewSeconds: 40, stateKibibytes: 4 };

/** Networks that the clients connect from: each is a rule of the proxy's security group. */
const NETWORKS = ["198.51.100.0/26", "198.51.100.64/26", "198.51.100.128/26", "198.51.100.192/26"];

/** Writes the file of a client with one repository. */
async function writeClient(folder: string, index: number): Promise<void> {
  const { publicKey } = await sshKey();
  const name = `client${String(index).padStart(4, "0")}`;
  const client = {
    kind: "key-only",
    sourceCidrs: [NETWORKS[index % NETWORKS.length]],
    repositories: [{ name: "main", paths: ["/etc", "/home"], publicKey }],
  };
  fs.writeFileSync(path.join(folder, `${name}.yaml`), YAML.stringify(client));
}

/** KiB of the state as its backend stores it: what `pulumi stack export` prints, without the indentation. */
async function stateKibibytes(stack: LocalStack): Promise<number> {
  const { stdout } = await stack.pulumi(["stack", "export"]);
  return Buffer.byteLength(JSON.stringify(JSON.parse(stdout))) / 1024;
}

/** Seconds of a preview. @throws Error where it would change something */
async function emptyPreview(stack: LocalStack): Promise<number> {
  const args = ["preview", "--expect-no-changes", "--suppress-progress"];
  return (await stack.pulumi(args)).seconds;
}

async function measure(stack: LocalStack, folder: string, clients: number): Promise<string[]> {
  const first = await step(`pulumi up with ${clients} clients`, () => stack.up());
  const previews: number[] = [];
  for (let index = 0; index < 3; index++) {
    previews.push(await step("an empty preview", () => emptyPreview(stack)));
  }
  const state = await stateKibibytes(stack);
  await writeClient(folder, clients);
  const oneMore = await step("pulumi up with one client more", () => stack.up());
  const row = (what: string, value: number, unit: string, goal = "") =>
    `| ${what} | ${value.toFixed(1)} ${unit} | ${goal} |`;
  return [
    `| ${clients} key-only clients | measured | goal |`,
    "| --- | ---: | ---: |",
    row("first update", first.seconds, "s"),
    row(
      "empty preview (median of 3)",
      previews.sort((a, b) => a - b)[1] as number,
      "s",
      `${GOALS.previewSeconds} s`,
    ),
    row("update for one client more", oneMore.seconds, "s"),
    row("state", state, "KiB"),
    row("state, for each client", state / clients, "KiB", `${GOALS.stateKibibytes} KiB`),
  ];
}

export const command = new OperatorCommand(
  "bench:fleet",
  "Builds a stack with many key-only clients on the local cloud, measures an empty preview, an update for one client " +
    "more and the size of the state, and destroys the stack. Needs a local cloud without a stack.",
  { stack: false },
)
  .option("--clients <N>", "how many clients", Number, 1000)
  .does(async ({ clients }: { clients: number }) => {
    await step("toolchain and local cloud", ensurePrerequisites);
    const stack = new LocalStack({ name: "fleet", folder: "fleet" });
    await stack.open();
    if (await stack.deployed()) {
      throw new Error("the stack of an earlier run is there: npm run local-cloud -- down");
    }
    const folder = path.join(stack.folder, "clients");
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder);
    for (let index = 0; index < clients; index++) await writeClient(folder, index);
    await stack.resetConfig((document) => {
      for (const key of ["clients", "keeper"]) document.deleteIn(["config", `secure-backups:${key}`]);
      document.setIn(["config", "secure-backups:clientsFolder"], folder);
      document.setIn(["config", "secure-backups:s3", "bucket"], "fleet");
    });
    try {
      const table = await measure(stack, folder, clients);
      console.log(`\n${table.join("\n")}\n`);
    } finally {
      await step("destroy the stack", () => stack.destroy());
    }
    return EXIT.done;
  });

if (require.main === module) void start(command);
