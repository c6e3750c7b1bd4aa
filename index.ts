import * as pulumi from "@pulumi/pulumi";
import { BackupBucket, S3Credentials } from "./components/backup-bucket";
import { Client } from "./components/client";
import { ClientKeys } from "./components/client-keys";
import { refuseDeadAgent } from "./components/connection";
import { Keeper } from "./components/keeper";
import { refuseFlavorsWithoutDisk } from "./components/flavors";
import { HostEnvironment } from "./components/host";
import { announceBoots } from "./components/install";
import { Network } from "./components/network";
import { HostLookups, lookUp } from "./components/lookup";
import { deploymentOf } from "./components/deployment";
import { Operator } from "./components/operator";
import { Proxy } from "./components/proxy";
import { StackState } from "./components/stack-state";
import { readStackConfig } from "./config";
import { fingerprint } from "./hosts";
import type { KeeperSettings } from "./keeper/settings";
import { buildPlan, ringsOpenByService } from "./plan";

/** The program: the parts of the stack, and its outputs. */
export = async () => {
  const plan = buildPlan(readStackConfig());
  const { config } = plan;
  // A keeper without S3 keys of its own could do nothing; the warning below says what it needs.
  const { writer: ownWriter, keeper: ownKeeper } = config.s3.identities;
  const keeper = ownWriter && ownKeeper && config.keeper;
  refuseDeadAgent(process.env);
  for (const warning of plan.warnings) void pulumi.log.warn(warning);
  if (plan.retentionOff !== undefined) {
    void pulumi.log.warn(
      `retention is off, so nothing is forgotten and the bucket only grows: ${plan.retentionOff}`,
    );
  }
  for (const { ring, why, remedy } of plan.openRings) {
    void pulumi.log.warn(`ring ${String(ring)} is open: ${why}; to close it, ${remedy}`);
  }

  const state = await StackState.read();
  // Resources carry the name that the stack had when they were created: a stack that is renamed keeps them.
  const name = state.nameOf("secure-backups:index:Operator") ?? `${pulumi.getProject()}-${pulumi.getStack()}`;
  const found = await lookUp(plan, name, state);
  await refuseFlavorsWithoutDisk(plan.disksOfFlavors.filter(({ name }) => !state.hasHost(name)));

  const created = [
    config.proxy.name,
    ...(keeper === undefined ? [] : [keeper.name]),
    ...plan.clients.flatMap(({ kind, frozen, name }) => (kind === "vm" && !frozen ? [name] : [])),
  ];
  announceBoots(created.filter((host) => !state.hasHost(host)));

  const operator = new Operator(name, {
    access: config.access,
    protect: config.protect,
    s3: config.s3,
  });
  const network = new Network(name, {
    network: config.network,
    firewall: plan.firewall,
    externalNetworkId: found.externalNetworkId,
  });
  const backupBucket = new BackupBucket(name, {
    endpoint: plan.s3Endpoint,
    s3: config.s3,
    rootKeyLock: operator.rootKeyLock,
  });
  const host: HostEnvironment = {
    network,
    access: { privateKey: operator.privateKey, jumpHost: config.access.jumpHost },
    keyPair: operator.keyPair,
    protect: config.protect,
  };
  const pool = config.access.floatingIpPool;

  const keys = plan.clients.map(
    (client) => new ClientKeys(client.name, { client, rootKey: operator.rootKey }),
  );
  const proxyHost = new Proxy(config.proxy.name, {
    host,
    proxy: config.proxy,
    found: found.hosts[config.proxy.name] as HostLookups,
    s3: config.s3,
    endpoint: plan.s3Endpoint,
    bucket: backupBucket,
    clients: keys,
    floatingIpPool: config.proxy.floatingIp ? pool : undefined,
  });
  const keeperHost =
    keeper &&
    new Keeper(keeper.name, {
      host,
      keeper,
      settings: plan.keeper as KeeperSettings,
      alarms: config.alarms,
      found: found.hosts[keeper.name] as HostLookups,
      s3: backupBucket.keeper as S3Credentials,
      bucket: backupBucket.bucket,
      clients: keys,
      floatingIpPool: keeper.floatingIp ? pool : undefined,
    });
  const clients = keys.map(
    (keys) =>
      new Client(keys.client.name, {
        stack: operator.stack,
        keys,
        proxy: proxyHost,
        bucket: config.s3.bucket,
        restic: config.restic,
        host,
        found: found.hosts[keys.client.name],
        floatingIpPool: config.access.via === "floating-ip" ? pool : undefined,
      }),
  );

  /** The bucket and its settings, as the last update or refresh saw them at the service. */
  const bucket = {
    name: config.s3.bucket,
    policyForm: backupBucket.bucket.form,
    versioning: backupBucket.bucket.versioning,
    lifecycle: backupBucket.bucket.lifecycle,
    objectLock: backupBucket.bucket.objectLock,
    publicAccessBlock: backupBucket.bucket.publicAccessBlock,
    quota: backupBucket.bucket.quota,
  };

  /** The proxy as clients reach it. */
  const proxy = {
    address: proxyHost.publicAddress,
    fixedAddress: proxyHost.fixedAddress,
    address6: proxyHost.host.address6,
    hostKey: proxyHost.hostKey,
    hostKeyFingerprint: proxyHost.hostKey.apply(fingerprint),
  };

  /** The rings of defence that this configuration leaves open, and those that the S3 service does. */
  const openRings = pulumi
    .all([backupBucket.bucket.versioning, backupBucket.bucket.quota])
    .apply(([versioning, quota]) => [...plan.openRings, ...ringsOpenByService({ versioning, quota })]);

  /** Whether snapshots are forgotten, or why not. */
  const retention = plan.retentionOff === undefined ? "on" : `off: ${plan.retentionOff}`;

  /** The operator's SSH key: the public half for existing servers, the private half (secret) for emergencies. */
  const operatorPublicKey = operator.publicKey;
  const operatorPrivateKey = operator.privateKey;

  /** Repository passwords by `CLIENT/REPOSITORY`, secret. */
  const passwords = pulumi.secret(
    pulumi
      .all(
        keys.map(({ client, repositories }) =>
          repositories.apply((all) =>
            all.map(({ name, password }) => [`${client.name}/${name}`, password] as const),
          ),
        ),
      )
      .apply((clients) => Object.fromEntries(clients.flat())),
  );

  /** The root of all derived passwords, secret: with it all backups can be read, removed clients' too. */
  const repositoryRootKey = operator.rootKey;

  /** All that `npm run verify`, `recover` and `ssh` need to know of this stack, secret. */
  const deployment = deploymentOf({
    plan,
    operator,
    network,
    bucket: backupBucket,
    proxy: proxyHost,
    keeper: keeperHost,
    clients,
  });

  return {
    bucket,
    proxy,
    openRings,
    retention,
    operatorPublicKey,
    operatorPrivateKey,
    passwords,
    repositoryRootKey,
    deployment,
  };
};
