import type { RepositorySettings } from "../../config";
import {
  type DeployedBucket,
  type HostAccess,
  type Deployment,
  DEPLOYMENT_VERSION,
  PROJECT_VERSION,
} from "../../operations/deployment";
import { ed25519 } from "./config-example";

/** A host that nobody has. */
export const SAMPLE_HOST: HostAccess = {
  host: "192.0.2.1",
  port: 22,
  user: "debian",
  hostKey: "ssh-ed25519 AAAA",
  privateKey: "the operator's key",
};

/** A repository without paths. */
export const SAMPLE_SETTINGS: RepositorySettings = {
  name: "main",
  paths: [],
  excludes: [],
  oneFileSystem: false,
  schedule: "none",
  window: 60,
};

/** A bucket that nobody has, of an owner alone. */
export function sampleBucket(overrides: Partial<DeployedBucket> = {}): DeployedBucket {
  return {
    endpoint: "https://s3.example",
    region: "r",
    bucket: "b",
    owner: { accessKeyId: "OWNERID", secretAccessKey: "owner-secret-key" },
    policy: "{}",
    versioning: true,
    noncurrentVersionDays: 30,
    ...overrides,
  };
}

/** The deployment of a stack without clients: what a test is about, it says itself. */
export function sampleDeployment(overrides: Partial<Deployment> = {}): Deployment {
  return {
    version: DEPLOYMENT_VERSION,
    project: PROJECT_VERSION,
    stack: "0123456789abcdef",
    bucket: sampleBucket(),
    proxy: {
      host: SAMPLE_HOST,
      address: SAMPLE_HOST.host,
      rclone: { version: "1.76.0", url: "https://x", sha256: "0" },
    },
    alarms: { graceHours: 6, digestHour: 6, webhooks: [] },
    clients: [],
    canary: { publicKey: ed25519(1), privateKey: "the canary's key" },
    network: {
      groups: { proxy: "", appserver: "" },
      rules: [],
      hosts: [{ name: "rclonesrv", group: "proxy", instanceId: "", portId: "", securityGroupIds: [] }],
    },
    openRings: [],
    repositoryRootKey: "root-key-of-all-passwords",
    ...overrides,
  };
}
