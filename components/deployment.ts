import {
  DeployedBucket,
  DeployedClient,
  MadeHost,
  Deployment,
  DEPLOYMENT_VERSION,
  PROJECT_VERSION,
} from "../operations/deployment";
import * as pulumi from "@pulumi/pulumi";
import { Group, Plan } from "../plan";
import { BackupBucket } from "./backup-bucket";
import { Client } from "./client";
import { Host } from "./host";
import { Keeper } from "./keeper";
import { Network } from "./network";
import { Operator } from "./operator";
import { Proxy } from "./proxy";

/** @see deploymentOf */
export interface DeploymentArgs {
  plan: Plan;
  operator: Operator;
  network: Network;
  bucket: BackupBucket;
  proxy: Proxy;
  /** Absent: there is none. */
  keeper?: Keeper;
  clients: Client[];
}

/** What the operator's tools need to know of the stack, as one secret; nothing is read or created for it. */
export function deploymentOf(args: DeploymentArgs): pulumi.Output<Deployment> {
  const { plan, operator, network, proxy, keeper } = args;
  const created = [
    createdHost(plan.config.proxy.name, "proxy", proxy.host),
    ...(keeper ? [createdHost(plan.config.keeper?.name as string, "keeper", keeper.host)] : []),
    ...args.clients.flatMap(({ keys, host }) =>
      host ? [createdHost(keys.client.name, "appserver", host)] : [],
    ),
  ];
  const known = pulumi
    .all([
      deployedBucket(plan, args.bucket),
      pulumi.output({
        host: proxy.host.access,
        address: proxy.publicAddress,
        address6: proxy.host.address6,
      }),
      pulumi.all(args.clients.map(deployedClient)),
      proxy.canary,
      pulumi.output({
        proxy: network.groups.proxy.id,
        appserver: network.groups.appserver.id,
        ...(network.groups.keeper && { keeper: network.groups.keeper.id }),
      }),
      keeper?.deployed,
      operator.rootKey,
    ] as const)
    .apply(([bucket, proxy, clients, canary, groups, keeper, repositoryRootKey]) =>
      pulumi.all(created).apply((hosts): Omit<Deployment, "stack"> => ({
        version: DEPLOYMENT_VERSION,
        project: PROJECT_VERSION,
        bucket,
        proxy: { ...proxy, rclone: plan.config.proxy.rclone },
        ...(keeper && { keeper }),
        alarms: plan.config.alarms,
        restic: plan.config.restic,
        clients,
        canary,
        network: { groups, rules: plan.firewall, hosts },
        openRings: plan.openRings,
        retentionOff: plan.retentionOff,
        repositoryRootKey,
      })),
    );
  return pulumi.secret(pulumi.all([known, operator.stack]).apply(([known, stack]) => ({ ...known, stack })));
}

function deployedBucket({ config, s3Endpoint }: Plan, bucket: BackupBucket): pulumi.Output<DeployedBucket> {
  const { region, identities, versioning, noncurrentVersionDays, objectLock, bucket: name } = config.s3;
  return pulumi
    .all([bucket.owner, identities.writer && bucket.writer, bucket.keeper, bucket.bucket.policy])
    .apply(([owner, writer, keeper, policy]) => ({
      endpoint: s3Endpoint,
      region,
      bucket: name,
      owner,
      writer,
      keeper,
      policy,
      versioning,
      noncurrentVersionDays,
      objectLock,
    }));
}

function deployedClient({ keys, access, proxyAddress }: Client): pulumi.Output<DeployedClient> {
  const { name, kind, frozen } = keys.client;
  return pulumi
    .all([access, keys.client.byIpv6 ? proxyAddress : undefined, keys.repositories])
    .apply(([host, proxyAddress, repositories]) => ({
      name,
      kind,
      frozen,
      host,
      proxyAddress,
      repositories,
    }));
}

function createdHost(name: string, group: Group, host: Host): pulumi.Output<MadeHost> {
  return pulumi
    .all([host.instanceId, host.portId, host.securityGroupIds])
    .apply(([instanceId, portId, securityGroupIds]) => ({
      name,
      group,
      instanceId,
      portId,
      securityGroupIds,
    }));
}
