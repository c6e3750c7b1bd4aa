import * as pulumi from "@pulumi/pulumi";
import {
  BucketOperations,
  ClientOperations,
  Group,
  IdentityKeys,
  MadeHost,
  Operations,
  OPERATIONS_VERSION,
  Plan,
} from "../plan";
import { BackupBucket, S3Credentials } from "./backup-bucket";
import { Client } from "./client";
import { ClientKeys, RepositoryKeys } from "./client-keys";
import { Host } from "./host";
import { Network } from "./network";
import { Operator } from "./operator";
import { Proxy } from "./proxy";

/** @see operationsOf */
export interface OperationsArgs {
  plan: Plan;
  operator: Operator;
  network: Network;
  bucket: BackupBucket;
  proxy: Proxy;
  /** Keys and hosts of `plan.clients`, in its order. */
  keys: ClientKeys[];
  clients: Client[];
}

/** What the operator's tools need to know of the stack, as one secret; nothing is read or made for it. */
export function operationsOf(args: OperationsArgs): pulumi.Output<Operations> {
  const { plan, operator, network, proxy } = args;
  const made = [
    madeHost(plan.config.proxy.name, "proxy", proxy.host),
    ...plan.clients.flatMap(({ name }, index) => {
      const { host } = args.clients[index] as Client;
      return host ? [madeHost(name, "appserver", host)] : [];
    }),
  ];
  const clients = plan.clients.map((client, index) =>
    clientOperations(client, args.keys[index] as ClientKeys, args.clients[index] as Client),
  );
  const known = pulumi
    .all([
      bucketOperations(plan, args.bucket),
      proxy.host.access,
      proxy.publicAddress,
      pulumi.all(clients),
      proxy.canary,
      network.groups.proxy.id,
      network.groups.appserver.id,
      operator.rootKey,
    ] as const)
    .apply(([bucket, host, address, clients, canary, proxyGroup, appserverGroup, repositoryRootKey]) =>
      pulumi.all(made).apply((hosts): Omit<Operations, "stack"> => ({
        version: OPERATIONS_VERSION,
        bucket,
        proxy: { host, address, rclone: plan.config.proxy.rclone },
        restic: plan.config.restic,
        clients,
        canary,
        network: { groups: { proxy: proxyGroup, appserver: appserverGroup }, rules: plan.firewall, hosts },
        openRings: plan.openRings,
        repositoryRootKey,
      })),
    );
  return pulumi.secret(pulumi.all([known, operator.stack]).apply(([known, stack]) => ({ ...known, stack })));
}

function bucketOperations(
  { config, s3Endpoint }: Plan,
  bucket: BackupBucket,
): pulumi.Output<BucketOperations> {
  const { region, identities, versioning, noncurrentVersionDays, objectLock, bucket: name } = config.s3;
  return pulumi
    .all([
      identityKeys(bucket.owner),
      identities.writer && identityKeys(bucket.writer),
      bucket.keeper && identityKeys(bucket.keeper),
      bucket.bucket.policy,
    ])
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

function identityKeys(keys: S3Credentials): pulumi.Output<IdentityKeys> {
  return pulumi
    .all([keys.accessKeyId, keys.secretAccessKey])
    .apply(([accessKeyId, secretAccessKey]) => ({ accessKeyId, secretAccessKey }));
}

function clientOperations(
  { name, kind, frozen, repositories: planned }: Plan["clients"][number],
  keys: ClientKeys,
  client: Client,
): pulumi.Output<ClientOperations> {
  const repositories = planned.map(({ name, paths, excludes, oneFileSystem }, index) => {
    const { publicKey, privateKey, password } = keys.repositories[index] as RepositoryKeys;
    return pulumi.all([publicKey, privateKey, password]).apply(([publicKey, privateKey, password]) => ({
      name,
      paths,
      excludes,
      oneFileSystem,
      publicKey,
      privateKey,
      password,
    }));
  });
  return pulumi
    .all([client.access, pulumi.all(repositories)])
    .apply(([host, repositories]) => ({ name, kind, frozen, host, repositories }));
}

function madeHost(name: string, group: Group, host: Host): pulumi.Output<MadeHost> {
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
