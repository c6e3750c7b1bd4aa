import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { HostInstall, installCommand } from "../files";
import { HostAccess } from "../plan";
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
 * preview shows which file changes and for whom; the contents travel on stdin alone.
 */
export function install(name: string, args: InstallArgs, opts: pulumi.CustomResourceOptions): remote.Command {
  return new remote.Command(
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
}
