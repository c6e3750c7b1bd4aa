/** The SSH session: whatever else than the forced command a client may ask sshd for. */
import { Finding, Seen } from "../probe";
import { Attacker, COMMAND_REMEDY, lastWords, mustHaveConnected, probeAlone, refusedOrNot } from "./attacker";

/** What a program that is not the forced command would print. */
const FOREIGN = /uid=\d+|root:[^:]*:0:0:/;

/** The first message of SFTP: version 3. A server's answer has the type 2 in its fifth byte. */
const SFTP_INIT = "\0\0\0\u0005\u0001\0\0\0\u0003";
const SFTP_VERSION = 2;
/** As many bytes of it are looked at. */
const SFTP_TYPE_BYTES = 5;

/** scp -f waits for these before each thing that it sends. */
const SCP_GO_ON = "\0\0\0";

/** Asks sshd for all that `restrict` and the forced command take away. */
export async function attackSession(canary: Attacker): Promise<Finding[]> {
  const attack = (name: string, tried: string, expected: string, attempt: () => Promise<Seen>) =>
    probeAlone({ ring: 1, id: `attack.${name}`, tried, expected, remedy: COMMAND_REMEDY }, attempt);
  // One login is asked for a terminal and X11 at once; where it gets no terminal, ssh runs no command.
  const first = canary.run(["-tt", "-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=yes"], ["id"]);
  // Before the first attack, whose time is not for the login.
  await first.catch(() => {
    // Each attack that looks at it says so.
  });
  const refusal = async (words: string, granted: string): Promise<Seen> => {
    const result = await first;
    mustHaveConnected(result);
    const refused = result.stderr.includes(words);
    return { holds: refused, happened: refused ? "refused" : granted };
  };
  return [
    await attack("pty", "ask for a terminal", "refused", () =>
      refusal("PTY allocation request failed", "a terminal was GIVEN"),
    ),
    await attack("x11", "have X11 forwarded", "refused", () =>
      refusal("X11 forwarding request failed", "X11 IS forwarded"),
    ),
    await attack("command", "run another command", "only the forced command runs", async () => {
      const commands = ["rclone serve restic --stdio; id", "scp -f /etc/passwd"];
      const ran: string[] = [];
      for (const command of commands) {
        const result = await canary.run(["-T"], [command], SCP_GO_ON);
        mustHaveConnected(result);
        if (FOREIGN.test(result.stdout + result.stderr)) ran.push(`"${command}" RAN`);
      }
      return refusedOrNot(ran, `${String(commands.length)} commands, none ran`);
    }),
    await attack(
      "sftp",
      "start the sftp subsystem (scp uses it too)",
      "only the forced command runs",
      async () => {
        const result = await canary.answerTo(["-s"], ["sftp"], SFTP_INIT, SFTP_TYPE_BYTES);
        mustHaveConnected(result);
        const served = result.stdout.charCodeAt(SFTP_TYPE_BYTES - 1) === SFTP_VERSION;
        return { holds: !served, happened: served ? "an sftp server ANSWERED" : "no sftp server answered" };
      },
    ),
    await attack("host-keys", "ask for other host keys than ed25519", "there are none", async () => {
      // ssh would tell the offer of anybody's sshd: this one has to have the pinned key too.
      mustHaveConnected(await first);
      const { stderr } = await canary.run(["-o", "HostKeyAlgorithms=rsa-sha2-512"], ["id"]);
      const offer = /no matching host key type found\. Their offer: (\S+)/.exec(stderr)?.[1];
      if (offer === undefined && !/Host key verification failed/i.test(stderr))
        throw new Error(lastWords(stderr));
      return { holds: offer === "ssh-ed25519", happened: `offered: ${offer ?? "an RSA key"}` };
    }),
  ];
}
