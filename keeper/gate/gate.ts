/** The gate's sockets: one for each repository, and one for the round. */
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import * as path from "node:path";
import { printable } from "../printable";
import { instanceOf, nameOf, OWNERS } from "./names";
import { type GateContext, RepositoryGate, runRequests } from "./repository";
import { repositoryServer } from "./server";

/** The name of a repository's socket, in its folder below the sockets' one. */
export const SOCKET = "socket";
/** The name of the round's socket, beside the clients' folders: no client's name begins with a dot. */
export const ROUND_SOCKET = ".round";

/** States that are read at once. */
const PARALLEL = 16;

/** Bytes of an answer to the round: an instance's name is short. */
const DUE_BYTES = 1024 * 1024;

/** Milliseconds that the round waits: after its start the gate reads each state once. */
const DUE_MS = 300_000;

const INSTANCE = /^[A-Za-z0-9:_.\\-]+$/;

/** A gate that serves. */
export interface RunningGate {
  /** Takes no more sessions, ends those that are open, and removes the sockets. */
  readonly stop: () => Promise<void>;
}

/**
 * Serves all repositories of the settings.
 *
 * The folder of all sockets is for root and the gate alone (systemd: RuntimeDirectoryMode=0700); the sockets in it are
 * open to everybody. systemd binds the socket of one repository into its worker's namespace, so a worker reaches this one
 * and no other, under whatever user it runs; likewise the round's socket.
 *
 * @param folder exists
 */
export async function startGate(context: GateContext, folder: string): Promise<RunningGate> {
  const gates = context.settings.repositories.map((kept) => new RepositoryGate(context, kept));
  const listening: Listening[] = [];
  for (const gate of gates) {
    const { client, repository } = gate.kept;
    const place = path.join(folder, client, repository);
    await fs.mkdir(place, { recursive: true });
    for (const one of [path.dirname(place), place]) await fs.chmod(one, 0o700);
    listening.push(await listen(repositoryServer(gate), place, SOCKET, 0o666));
  }
  listening.push(await listen(roundServer(context, gates), folder, ROUND_SOCKET, 0o666));
  context.log(`repositories served: ${gates.length}`);
  return {
    stop: async () => {
      const ended = await Promise.allSettled(gates.map((gate) => gate.stop()));
      for (const one of ended) if (one.status === "rejected") context.log(String(one.reason));
      await Promise.all(listening.map((one) => one.close()));
      context.log("ended");
    },
  };
}

interface Listening {
  readonly close: () => Promise<void>;
}

/** Listens on a socket in a folder. Its path may be longer than the 107 bytes of a socket's address. */
async function listen(server: http.Server, folder: string, name: string, mode: number): Promise<Listening> {
  const socket = path.join(folder, name);
  // One that a killed gate left.
  await fs.rm(socket, { force: true });
  const opened = await fs.open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(`/proc/self/fd/${opened.fd}/${name}`, resolve);
  });
  await fs.chmod(socket, mode);
  return {
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await opened.close();
    },
  };
}

/** The server of the round: `GET /due` answers the instances of which something is due, one a line. */
function roundServer(context: GateContext, gates: readonly RepositoryGate[]): http.Server {
  return http.createServer({ maxHeaderSize: 8192 }, (request, response) => {
    if (request.method !== "GET" || request.url !== "/due") {
      response.writeHead(404).end();
      return;
    }
    due(context, gates).then(
      (instances) => response.end(instances.map((one) => `${one}\n`).join("")),
      (error: unknown) => {
        context.log(String(error));
        response.writeHead(503).end();
      },
    );
  });
}

/** The instances of repositories of which something is due; one whose state cannot be read is logged and left out. */
async function due(context: GateContext, gates: readonly RepositoryGate[]): Promise<string[]> {
  const isDue = new Set<RepositoryGate>();
  const requests = await runRequests(context.store, OWNERS);
  let next = 0;
  const reader = async () => {
    for (let gate = gates[next++]; gate !== undefined; gate = gates[next++]) {
      try {
        if (await gate.isDue(requests)) isDue.add(gate);
      } catch (error) {
        context.log(`${nameOf(gate.kept)}: ${String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, reader));
  return gates.filter((gate) => isDue.has(gate)).map(({ kept }) => instanceOf(kept));
}

/**
 * Asks a gate which instances are due.
 *
 * @param folder that of its sockets
 * @throws Error where it does not answer
 */
export async function askDue(folder: string): Promise<string[]> {
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const signal = AbortSignal.timeout(DUE_MS);
    http
      .get({ socketPath: path.join(folder, ROUND_SOCKET), path: "/due", signal }, resolve)
      .on("error", reject);
  });
  let text = "";
  for await (const chunk of answer.setEncoding("utf8") as AsyncIterable<string>) {
    text += chunk;
    if (text.length > DUE_BYTES) throw new Error("the gate's answer is too long");
  }
  if (answer.statusCode !== 200) throw new Error(`the gate answers ${answer.statusCode ?? 0}`);
  const instances = text.split("\n").filter((line) => line !== "");
  const wrong = instances.find((one) => !INSTANCE.test(one));
  if (wrong !== undefined) throw new Error(`the gate names an instance ${JSON.stringify(wrong)}`);
  return instances;
}

/** Writes one event as one line of the journal. */
export const logLine = (event: string): void => {
  process.stdout.write(`${printable(event, 2000)}\n`);
};
