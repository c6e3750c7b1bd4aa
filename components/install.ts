import { HostAccess } from "../operations/deployment";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { cameToItsEnd, HostInstall, installCommand } from "../hosts";
import { connection } from "./connection";

/** @see install */
export interface InstallArgs {
  access: pulumi.Output<HostAccess>;
  /** Whether the host may just have been made, and still boots. */
  state: "booting" | "running";
  /** What to put on the host: a summary for previews and a script with the contents, which is a secret. */
  content: pulumi.Output<HostInstall>;
  /** Values that name the machine behind the address: when one changes, everything is installed anew. */
  triggers?: pulumi.Input<string>[];
}

/**
 * Puts all files of one host in force by one remote command. The command's text is the summary, so that a
 * preview shows which file changes and for whom; the contents travel on stdin alone. The update fails where the command
 * succeeded and the install did not say that it came to its end: something else ran in its place.
 */
export function install(name: string, args: InstallArgs, opts: pulumi.CustomResourceOptions): remote.Command {
  const command = new remote.Command(
    name,
    {
      connection: connection(args.access, args.state),
      create: pulumi.unsecret(args.content.apply(({ summary }) => installCommand(summary))),
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
  return command;
}

/** What is said of a login that answers a command with success and does not run it. */
function nothingRan(name: string, login: string, urn: string): string {
  return (
    `${name}: nothing was installed, though the login ${login} reported success: its login shell or a forced ` +
    `command ran something else. Give this user a shell that runs commands, then: pulumi up --replace '${urn}'`
  );
}
