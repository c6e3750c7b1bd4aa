/** The SSH session: whatever else than the forced command a client may ask sshd for. */
import { Finding, probe, Seen } from "../probe";
import { Attacker, COMMAND_REMEDY, lastWords, mustHaveConnected, refusedOrNot } from "./attacker";

/** What a program that is not the forced command would print. */
const FOREIGN = /uid=\d+|root:[^:]*:0:0:/;

/** The first message of SFTP: version 3. A server's answer has the type 2 in its fifth byte. */
const SFTP_INIT = "\0\0\0\u0005\u0001\0\0\0\u0003";
const SFTP_VERSION = 2;

/** Asks sshd for all that `restrict` and the forced command take away. */
export async function attackSession(canary: Attacker): Promise<Finding[]> {
  const attack = (name: string, tried: string, expected: string, attempt: () => Promise<Seen>) =>
    probe({ ring: 1, id: `attack.${name}`, tried, expected, remedy: COMMAND_REMEDY }, attempt);
  // One login is asked for a command, a terminal and X11 at once.
  const first = canary.run(["-tt", "-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=yes"], ["id"]);
  first.catch(() => {
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
      for (const command of ["id", ...commands]) {
        const result = command === "id" ? await first : await canary.run(["-T"], [command]);
        mustHaveConnected(result);
        if (FOREIGN.test(result.stdout + result.stderr)) ran.push(`"${command}" RAN`);
      }
      return refusedOrNot(ran, `${String(commands.length + 1)} commands, none ran`);
    }),
    await attack(
      "sftp",
      "start the sftp subsystem (scp uses it too)",
      "only the forced command runs",
      async () => {
        const result = await canary.run(["-T", "-s"], ["sftp"], SFTP_INIT);
        mustHaveConnected(result);
        const served = result.stdout.charCodeAt(4) === SFTP_VERSION;
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
