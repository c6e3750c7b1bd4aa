/** A bucket of many repositories: copies of a small one that restic made. */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { keptKey, nameOf, type RepositoryName } from "../../../keeper/gate/names";
import { parseState } from "../../../keeper/gate/state";
import type { RepositoryState } from "../../../keeper/state";
import { run } from "../../../operations/transport/run";
import { bucketPolicies, keystonePrincipal } from "../../../plan/bucket-policy";
import type { BucketAddress, S3Credentials } from "../../../s3/client";
import { adoptOrCreate } from "../../../s3/create";
import { POLICY } from "../../../s3/settings/policy";
import { settle } from "../../../s3/settings/setting";
import { VERSIONING } from "../../../s3/settings/versioning";
import { versionPages } from "../../../s3/versions";
import { CACHE } from "../cloud";
import { cloudFacts } from "../local-stack";
import { type Identity, s3Identity } from "../s3-identity";

/** restic as the toolchain built it. */
export const RESTIC = path.join(CACHE, "artifacts/restic");

/** Files of the repository's source, and bytes of each: restic stores each as one blob. */
const FILES = 8;
const FILE_BYTES = 32 * 1024;

/** Requests at once. */
const PARALLEL = 16;

/** A repository of restic's in a folder. */
export class SampleRepository {
  /** Full IDs, in the order in which they were made. */
  readonly snapshots: string[] = [];
  private readonly repository: string;
  private readonly source: string;
  private readonly seen = new Set<string>();

  private constructor(
    folder: string,
    readonly passwordFile: string,
  ) {
    this.repository = path.join(folder, "repository");
    this.source = path.join(folder, "source");
  }

  /** @param folder exists */
  static async create(folder: string, passwordFile: string): Promise<SampleRepository> {
    const sample = new SampleRepository(folder, passwordFile);
    fs.mkdirSync(sample.source);
    for (let file = 0; file < FILES; file++) sample.change(file);
    await sample.restic("init");
    return sample;
  }

  /** Changes one file and backs up. */
  async backup(): Promise<void> {
    this.change(this.snapshots.length % FILES);
    const { stdout } = await this.restic("backup", "--json", this.source);
    const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { snapshot_id: string };
    this.snapshots.push(summary.snapshot_id);
  }

  /** The objects that were added since the last call: name and content. */
  added(): [string, Buffer][] {
    return fs
      .readdirSync(this.repository, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .filter((file) => !this.seen.has(file))
      .map((file) => {
        this.seen.add(file);
        return [path.relative(this.repository, file), fs.readFileSync(file)];
      });
  }

  private change(file: number): void {
    fs.writeFileSync(path.join(this.source, String(file)), randomBytes(FILE_BYTES));
  }

  private restic(...args: string[]) {
    const base = ["--repo", this.repository, "--password-file", this.passwordFile, "--no-cache"];
    return run(RESTIC, [...base, ...args], { timeout: 60 });
  }
}

/** A bucket with versions and the stack's policy, as the bucket's owner sees it. */
export class KeptBucket {
  private constructor(
    readonly address: BucketAddress,
    private readonly owner: Identity,
    private readonly identity: Identity,
  ) {}

  /** Works inside the local cloud's network only. */
  static async create(name: string): Promise<KeptBucket> {
    const { projects, s3Endpoint } = cloudFacts();
    const address = { endpoint: s3Endpoint, region: "eu-central-1", bucket: name };
    const owner = await s3Identity(projects.owner);
    const bucket = new KeptBucket(address, owner, await s3Identity(projects.keeper));
    await adoptOrCreate(owner.s3, address, owner);
    await settle(VERSIONING, owner.s3, address, true);
    const [{ policy }] = bucketPolicies({
      bucket: name,
      owner: keystonePrincipal(projects.owner),
      writer: keystonePrincipal(projects.writer),
      keeper: keystonePrincipal(projects.keeper),
    });
    await settle(POLICY, owner.s3, address, policy);
    return bucket;
  }

  /** The keeper's S3 keys. */
  get keeper(): S3Credentials {
    const { accessKeyId, secretAccessKey } = this.identity;
    return { accessKeyId, secretAccessKey };
  }

  /** Puts objects into each of these repositories. */
  async add(names: readonly RepositoryName[], objects: readonly [string, Buffer][]): Promise<void> {
    await sideBySide(names, async (name) => {
      for (const [object, content] of objects) await this.put(`${nameOf(name)}/${object}`, content);
    });
  }

  /** Replaces the state of each of these repositories by what comes of the one that is there. */
  async changeStates(
    names: readonly RepositoryName[],
    change: (state: RepositoryState) => RepositoryState,
  ): Promise<void> {
    await sideBySide(names, async (name) => this.putState(name, change(await this.state(name))));
  }

  async state(name: RepositoryName): Promise<RepositoryState> {
    const Key = keptKey(name, "state.json");
    const { Body } = await this.owner.s3.getObject({ Bucket: this.address.bucket, Key });
    return parseState(Buffer.from((await Body?.transformToByteArray()) ?? []));
  }

  /** Gives each of these repositories a state. */
  async putStates(names: readonly RepositoryName[], state: RepositoryState): Promise<void> {
    await sideBySide(names, (name) => this.putState(name, state));
  }

  /** Removes it with all that is in it. */
  async remove(): Promise<void> {
    const { bucket: Bucket } = this.address;
    for await (const page of versionPages(this.owner.s3, this.address, "")) {
      // RGW fails where versions of one key are removed at once.
      await sideBySide([...new Set(page.map(({ key }) => key))], async (Key) => {
        for (const { versionId } of page.filter(({ key }) => key === Key)) {
          await this.owner.s3.deleteObject({ Bucket, Key, VersionId: versionId });
        }
      });
    }
    await this.owner.s3.deleteBucket({ Bucket });
    await Promise.all([this.owner.forget(), this.identity.forget()]);
  }

  private async putState(name: RepositoryName, state: RepositoryState): Promise<void> {
    await this.put(keptKey(name, "state.json"), Buffer.from(JSON.stringify(state)));
  }

  private async put(Key: string, Body: Buffer): Promise<void> {
    await this.owner.s3.putObject({ Bucket: this.address.bucket, Key, Body });
  }
}

/**
 * Does work on each of these, a few at a time; after an error no more is begun.
 *
 * @param most how many at a time. @default 16
 */
export async function sideBySide<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  most = PARALLEL,
): Promise<void> {
  const left = [...items].reverse();
  const worker = async () => {
    try {
      for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
    } finally {
      left.length = 0;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: most }, worker));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
