import * as pulumi from "@pulumi/pulumi";
import { BackupBucket } from "./components/backup-bucket";
import { Client } from "./components/client";
import { ClientKeys } from "./components/client-keys";
import { refuseDeadAgent } from "./components/connection";
import { refuseFlavorsWithoutDisk } from "./components/flavors";
import { HostEnvironment } from "./components/host";
import { Network } from "./components/network";
import { operationsOf } from "./components/operations";
import { Operator } from "./components/operator";
import { Proxy } from "./components/proxy";
import { readStackConfig } from "./config";
import { authorizedKeysLine, fingerprint } from "./files";
import { buildPlan, ringsOpenByService } from "./plan";

const plan = buildPlan(readStackConfig());
const { config } = plan;
const name = `${pulumi.getProject()}-${pulumi.getStack()}`;

refuseDeadAgent(process.env);
void refuseFlavorsWithoutDisk(plan.disksOfFlavors);
for (const warning of plan.warnings) void pulumi.log.warn(warning);
for (const { ring, why, remedy } of plan.openRings) {
  void pulumi.log.warn(`ring ${String(ring)} is open: ${why}; to close it, ${remedy}`);
}

const operator = new Operator(name, { access: config.access, protect: config.protect });
const network = new Network(name, { network: config.network, firewall: plan.firewall });
const backupBucket = new BackupBucket(name, { endpoint: plan.s3Endpoint, s3: config.s3 });
const host: HostEnvironment = {
  network,
  access: { privateKey: operator.privateKey, jumpHost: config.access.jumpHost },
  keyPair: operator.keyPair,
  protect: config.protect,
};
const pool = config.access.floatingIpPool ?? config.network.create?.externalNetwork;

const keys = plan.clients.map((client) => new ClientKeys(client.name, { client, rootKey: operator.rootKey }));
const admitted = keys.filter((_, index) => plan.clients[index]?.frozen === false);
const proxyHost = new Proxy(config.proxy.name, {
  host,
  proxy: config.proxy,
  s3: config.s3,
  endpoint: plan.s3Endpoint,
  bucket: backupBucket,
  clients: admitted,
  floatingIpPool: plan.proxyFloatingIp ? pool : undefined,
});
const clientHosts = plan.clients.map(
  (client, index) =>
    new Client(client.name, {
      stack: operator.stack,
      client,
      keys: keys[index] as ClientKeys,
      proxy: proxyHost,
      bucket: config.s3.bucket,
      restic: config.restic,
      host,
      floatingIpPool: config.access.via === "floating-ip" ? pool : undefined,
    }),
);

/** The bucket and its settings, as the last update or refresh saw them at the service. */
export const bucket = {
  name: config.s3.bucket,
  policyForm: backupBucket.bucket.form,
  versioning: backupBucket.bucket.versioning,
  lifecycle: backupBucket.bucket.lifecycle,
  objectLock: backupBucket.bucket.objectLock,
  publicAccessBlock: backupBucket.bucket.publicAccessBlock,
  quota: backupBucket.bucket.quota,
};

/** The proxy as clients reach it. */
export const proxy = {
  address: proxyHost.publicAddress,
  fixedAddress: proxyHost.fixedAddress,
  hostKey: proxyHost.hostKey,
  hostKeyFingerprint: proxyHost.hostKey.apply(fingerprint),
};

/** For each client and repository what is public about it; for key-only clients what their operators install. */
export const clients = Object.fromEntries(
  plan.clients.map((client, index) => [
    client.name,
    {
      kind: client.kind,
      address: clientHosts[index]?.address,
      instructions: clientHosts[index]?.instructions,
      repositories: Object.fromEntries(
        client.repositories.map(({ name: repository, address }, at) => {
          const publicKey = (keys[index] as ClientKeys).repositories[at]?.publicKey as pulumi.Output<string>;
          return [
            repository,
            {
              address,
              publicKey,
              fingerprint: publicKey.apply(fingerprint),
              authorizedKeysLine: publicKey.apply((publicKey) =>
                authorizedKeysLine({ client: client.name, repository, publicKey }, config.s3.bucket),
              ),
            },
          ];
        }),
      ),
    },
  ]),
);

/** The rings of defence that this configuration leaves open, and those that the S3 service does. */
export const openRings = pulumi
  .all([backupBucket.bucket.versioning, backupBucket.bucket.quota])
  .apply(([versioning, quota]) => [...plan.openRings, ...ringsOpenByService({ versioning, quota })]);

/** The operator's SSH key: the public half for existing servers, the private half (secret) for emergencies. */
export const operatorPublicKey = operator.publicKey;
export const operatorPrivateKey = operator.privateKey;

/** Repository passwords by `CLIENT/REPOSITORY`, secret. */
export const passwords = pulumi.secret(
  Object.fromEntries(
    keys.flatMap((client) =>
      client.repositories.map(({ repository, password }) => [`${client.client}/${repository}`, password]),
    ),
  ),
);

/** The root of all derived passwords, secret: whoever holds it can read the backups, removed clients' too. */
export const repositoryRootKey = operator.rootKey;

/** All that `npm run verify`, `recover` and `ssh` need to know of this stack, secret. */
export const operations = operationsOf({
  plan,
  operator,
  network,
  bucket: backupBucket,
  proxy: proxyHost,
  keys,
  clients: clientHosts,
});
