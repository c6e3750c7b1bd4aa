import { isRsaKey, StackConfig } from "../config";

/**
 * What the configuration asks for and its author probably did not mean: one sentence each, with field and remedy.
 * Frozen clients are passed over, for nothing is done with them.
 */
export function configWarnings({ access, alarms, clients, keeper, s3 }: StackConfig): string[] {
  const warnings: string[] = [];
  const warn = (field: string, message: string) => warnings.push(`${field} ${message}`);

  if (access.jumpHost && isRsaKey(access.jumpHost.hostKey)) warn("access.jumpHost.hostKey", RSA);
  const { mail, webhooks, command, ping } = alarms;
  const ways = Object.entries({ mail, webhooks: webhooks[0], command, ping });
  const sends = keeper && s3.identities.writer && s3.identities.keeper;
  for (const [way] of sends ? [] : ways.filter(([, given]) => given !== undefined)) {
    warn(`alarms.${way}`, NO_SENDER);
  }
  for (const client of clients.filter(({ frozen }) => !frozen)) {
    if (client.kind === "existing" && isRsaKey(client.ssh.hostKey)) {
      warn(`client ${client.name}: ssh.hostKey`, RSA);
    }
    for (const { name, paths, oneFileSystem, keep } of client.repositories) {
      if (keep && keeper === undefined) warn(`client ${client.name}, repository ${name}: keep`, NO_KEEPER);
      if (paths.includes("/") && !oneFileSystem) {
        warn(`client ${client.name}, repository ${name}: the path`, WHOLE_SYSTEM);
      }
    }
  }
  return warnings;
}

const NO_KEEPER = "has no effect, for there is no host that forgets; give keeper a host, or leave keep out";

const NO_SENDER =
  "has no effect, for there is no host that sends; give keeper a host and S3 identities writer and keeper, or leave it out";

const RSA =
  "is an RSA key, for which Pulumi's SSH connection offers ssh-rsa with SHA-1 alone: OpenSSH 8.8 and newer refuse that; " +
  "give the host's ed25519 key instead, /etc/ssh/ssh_host_ed25519_key.pub there (ssh-keygen -A creates a missing one)";

const WHOLE_SYSTEM =
  '"/" includes everything that is mounted below it, network and removable disks too; to stay on the disk itself, add ' +
  "oneFileSystem: true and list the other file systems that you mean";
