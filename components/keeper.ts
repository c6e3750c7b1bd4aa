import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { AlarmsConfig, Artifact, KeeperConfig } from "../config";
import {
  alarmWaysInWords,
  bundleKeeper,
  KEEPER_PROGRAM,
  keeperInstall,
  keeperPaths,
  keeperProgramInstall,
  keptName,
} from "../hosts";
import type { Keep, KeeperSettings } from "../keeper/settings";
import type { DeployedKeeper } from "../operations/deployment";
import { S3Credentials } from "./backup-bucket";
import { ClientKeys } from "./client-keys";
import { Host, HostEnvironment } from "./host";
import { install } from "./install";
import { HostLookups } from "./lookup";

/** What the component's input shows of a repository that has no `keep`. */
export const NOTHING_FORGOTTEN = "nothing is forgotten";

/** What the component's input shows of a repository that has one. */
type ShownKeep = Keep & { readonly schedule: string };

/** @see Keeper */
export interface KeeperArgs {
  host: HostEnvironment;
  keeper: KeeperConfig;
  settings: KeeperSettings;
  alarms: AlarmsConfig;
  /** What the host is created with, as far as the configuration only names it. */
  found: HostLookups;
  /** The keeper's own credentials. */
  s3: S3Credentials;
  /** What must exist before the keeper looks at it. */
  bucket: pulumi.Resource;
  /** Every client. */
  clients: ClientKeys[];
  floatingIpPool?: string;
}

/**
 * `keepersrv`: the host that forgets, prunes and checks. It alone holds the keeper's S3 keys and the repositories'
 * passwords; it has no root key and no SSH key but its own host key. It serves nobody.
 */
export class Keeper extends pulumi.ComponentResource {
  /** The machine itself. */
  readonly host: Host;
  /** What the operator's tools need to know of it; a secret. */
  readonly deployed: pulumi.Output<DeployedKeeper>;
  /** Done when the gate serves and rounds are timed. */
  readonly installed: remote.Command;

  constructor(name: string, args: KeeperArgs, opts?: pulumi.ComponentResourceOptions) {
    const { keeper, settings, alarms } = args;
    const shown = ({ version, sha256, url }: Artifact) => `${version} (sha256 ${sha256}) from ${url}`;
    // A preview works out with the schedule what a keep keeps.
    const keep: Record<string, ShownKeep | typeof NOTHING_FORGOTTEN> = Object.fromEntries(
      settings.repositories.map((one) => [
        keptName(one),
        one.keep ? { ...one.keep, schedule: one.schedule } : NOTHING_FORGOTTEN,
      ]),
    );
    super(
      "secure-backups:index:Keeper",
      name,
      {
        name: keeper.name,
        node: shown(keeper.node),
        restic: shown(keeper.restic),
        keep,
        alarms: alarmWaysInWords(alarms),
      },
      opts,
    );
    const parent = { parent: this };
    this.host = new Host(
      keeper.name,
      {
        ...args.host,
        hostName: keeper.name,
        machine: keeper,
        found: args.found,
        securityGroup: "keeper",
        floatingIpPool: args.floatingIpPool,
      },
      parent,
    );
    const target = { access: this.host.access, state: "booting" as const, triggers: [this.host.instanceId] };

    const bundle = bundleKeeper();
    const program = install(
      `${keeper.name}-program`,
      { ...target, content: pulumi.output(keeperProgramInstall(bundle)), paths: [KEEPER_PROGRAM.path] },
      { ...parent, dependsOn: args.host.network.reachable },
    );

    const content = pulumi
      .all([args.s3, args.clients.map(({ passwords }) => passwords)])
      .apply(([s3, repositories]) =>
        keeperInstall({
          host: keeper.name,
          node: keeper.node,
          restic: keeper.restic,
          settings,
          s3,
          alarms,
          repositories: repositories.flat(),
        }),
      );
    this.installed = install(
      keeper.name,
      { ...target, content, paths: keeperPaths(settings.repositories) },
      { ...parent, dependsOn: [program, args.bucket] },
    );
    const { name: hostName, node, restic } = keeper;
    this.deployed = this.host.access.apply((host) => ({
      name: hostName,
      host,
      node,
      restic,
      program: bundle.sha256,
      settings,
    }));
    this.registerOutputs();
  }
}
