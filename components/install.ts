import { HostAccess } from "../operations/deployment";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { cameToItsEnd, FILES_TYPE, HostInstall, INSTALL_COMMAND } from "../hosts";
import { connection, DIAL_ERROR_LIMIT } from "./connection";

/** @see install */
export interface InstallArgs {
  access: pulumi.Output<HostAccess>;
  /** Whether the host may just have been created, and still boots. */
  state: keyof typeof DIAL_ERROR_LIMIT;
  content: pulumi.Output<HostInstall>;
  /** The paths of the content's files, which are known before it is. */
  paths: readonly string[];
  /** Values that name the machine behind the address: when one changes, everything is installed again. */
  triggers?: pulumi.Input<string>[];
}

/** The files of one host, as the last install that succeeded left them: a preview compares them with the next one's. */
class Files extends pulumi.ComponentResource {
  constructor(
    name: string,
    content: pulumi.Output<HostInstall>,
    paths: readonly string[],
    opts: pulumi.ComponentResourceOptions,
  ) {
    const summary = pulumi.unsecret(content.apply(({ summary }) => summary));
    const inputs = {
      install: summary.apply(({ title, script }) => ({ title, script })),
      ...Object.fromEntries(paths.map((path) => [path, summary.apply(({ files }) => files[path])])),
    };
    super(FILES_TYPE, name, inputs, opts);
    this.registerOutputs();
  }
}

/**
 * Puts all files of one host in force by one remote command. The contents travel on stdin alone. A preview shows which
 * file changes and for whom by another resource, which is recorded once the command has succeeded. The update fails
 * where the command succeeded and the install did not say that it came to its end: something else ran in its place.
 */
export function install(name: string, args: InstallArgs, opts: pulumi.CustomResourceOptions): remote.Command {
  const command = new remote.Command(
    name,
    {
      connection: connection(args.access, args.state),
      create: INSTALL_COMMAND,
      stdin: pulumi.secret(args.content.apply(({ script }) => script)),
      triggers: args.triggers,
      addPreviousOutputInEnv: false,
      logging: remote.Logging.None,
    },
    opts,
  );
  // A preview sees what the command of before printed.
  if (!pulumi.runtime.isDryRun()) {
    pulumi.all([command.urn, args.access, command.stdout]).apply(([urn, { host, user }, stdout]) => {
      if (!cameToItsEnd(stdout)) throw new pulumi.RunError(nothingRan(name, `${user}@${host}`, urn));
    });
  }
  new Files(name, args.content, args.paths, { parent: opts.parent, dependsOn: command });
  return command;
}

/** Says that an update waits for these hosts: Pulumi shows nothing but failed attempts while a host boots. */
export function announceBoots(hosts: readonly string[]): void {
  if (hosts.length === 0 || pulumi.runtime.isDryRun()) return;
  void pulumi.log.info(
    `waiting for ${hosts.join(", ")} to boot, which takes minutes: until then, ` +
      `"Dial 1/${String(DIAL_ERROR_LIMIT.booting)} failed: retrying" and the like are expected`,
  );
}

/** What is said of a login that answers a command with success and does not run it. */
function nothingRan(name: string, login: string, urn: string): string {
  return (
    `${name}: nothing was installed, though the login ${login} reported success: its login shell or a forced ` +
    `command ran something else. Give this user a shell that runs commands, then: pulumi up --replace '${urn}'`
  );
}
