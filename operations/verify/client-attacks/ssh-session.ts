/** The SSH session: everything that a client may request of sshd besides the forced command. */
import { Finding, inTurn, Probe, Seen } from "../probe";
import { Attacker, COMMAND_REMEDY, lastWords, mustHaveConnected, refusedOrNot } from "./attacker";

/** What other programs than the forced command would print. */
const FOREIGN = /uid=\d+|root:[^:]*:0:0:/;

/** The first message of SFTP: version 3. The fifth byte of a server's answer is its type, 2. */
const SFTP_INIT = "\0\0\0\u0005\u0001\0\0\0\u0003";
const SFTP_VERSION = 2;
const SFTP_TYPE_BYTES = 5;

/** scp -f waits for a zero byte before each item that it sends. */
const SCP_GO_ON = "\0\0\0";

const attack = (name: string, tried: string, expected: string, attempt: () => Promise<Seen>): Probe => ({
  ring: 1,
  id: `attack.${name}`,
  tried,
  expected,
  remedy: COMMAND_REMEDY,
  attempt,
});

/** Requests everything that `restrict` and the forced command forbid. */
export async function attackSession(canary: Attacker): Promise<Finding[]> {
  // One login requests a terminal and X11 together; without a terminal ssh runs no command.
  const first = canary.run(["-tt", "-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=yes"], ["id"]);
  // Awaited here, so that the login does not use up the first probe's time.
  await first.catch(() => {
    // Each probe that uses it reports the error.
  });
  const refusal = async (message: string, granted: string): Promise<Seen> => {
    const result = await first;
    mustHaveConnected(result);
    const refused = result.stderr.includes(message);
    return { holds: refused, happened: refused ? "refused" : granted };
  };
  return await inTurn([
    attack("pty", "request a terminal", "refused", () =>
      refusal("PTY allocation request failed", "a terminal was GRANTED"),
    ),
    attack("x11", "request X11 forwarding", "refused", () =>
      refusal("X11 forwarding request failed", "X11 IS forwarded"),
    ),
    attack("command", "run another command", "only the forced command runs", async () => {
      const commands = ["rclone serve restic --stdio; id", "scp -f /etc/passwd"];
      const ran: string[] = [];
      for (const command of commands) {
        const result = await canary.run(["-T"], [command], SCP_GO_ON);
        mustHaveConnected(result);
        if (FOREIGN.test(result.stdout + result.stderr)) ran.push(`"${command}" RAN`);
      }
      return refusedOrNot(ran, `${String(commands.length)} commands, none ran`);
    }),
    attack("sftp", "start the sftp subsystem (scp uses it too)", "only the forced command runs", async () => {
      const result = await canary.answerTo(["-s"], ["sftp"], SFTP_INIT, SFTP_TYPE_BYTES);
      mustHaveConnected(result);
      const served = result.stdout.charCodeAt(SFTP_TYPE_BYTES - 1) === SFTP_VERSION;
      return { holds: !served, happened: served ? "an sftp server ANSWERED" : "no sftp server answered" };
    }),
    attack("host-keys", "request other host keys than ed25519", "there are none", async () => {
      // ssh reports the offer of any sshd: this one must have the pinned key, too.
      mustHaveConnected(await first);
      const { stderr } = await canary.run(["-o", "HostKeyAlgorithms=rsa-sha2-512"], ["id"]);
      const offer = /no matching host key type found\. Their offer: (\S+)/.exec(stderr)?.[1];
      if (offer === undefined && !/Host key verification failed/i.test(stderr))
        throw new Error(lastWords(stderr));
      return { holds: offer === "ssh-ed25519", happened: `offered: ${offer ?? "an RSA key"}` };
    }),
  ]);
}
