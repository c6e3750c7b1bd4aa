import { keystonePrincipal } from "../../plan/bucket-policy";
import { strongestPolicy } from "./strongest-policy";
import { adoptOrCreate } from "../../s3/create";
import { POLICY } from "../../s3/settings/policy";
import { settle } from "../../s3/settings/setting";
import { VERSIONING } from "../../s3/settings/versioning";
import { cloudFacts } from "../../scripts/dev/local-stack";
import { listVersions } from "../../s3/versions";
import { Identity, s3Identity } from "../../scripts/dev/s3-identity";

/** A bucket of a test's own, with versions and the stack's policy for owner and writer. */
export class TestBucket {
  private constructor(
    readonly address: { endpoint: string; region: string; bucket: string },
    readonly owner: Identity,
    readonly writer: Identity,
    readonly keeper: Identity | undefined,
  ) {}

  /**
   * @param purpose the first part of its name
   * @param withKeeper whether the policy names a keeper, too
   */
  static async create(purpose: string, withKeeper = false): Promise<TestBucket> {
    const { projects, s3Endpoint } = cloudFacts();
    const bucket = `${purpose}-${String(process.pid)}-${Date.now().toString(36)}`;
    const address = { endpoint: s3Endpoint, region: "eu-central-1", bucket };
    const [owner, writer] = await Promise.all([s3Identity(projects.owner), s3Identity(projects.writer)]);
    const keeper = withKeeper ? await s3Identity(projects.keeper) : undefined;
    await adoptOrCreate(owner.s3, address, owner);
    await settle(VERSIONING, owner.s3, address, true);
    const principals = {
      owner: keystonePrincipal(projects.owner),
      writer: keystonePrincipal(projects.writer),
      ...(withKeeper ? { keeper: keystonePrincipal(projects.keeper) } : {}),
    };
    await settle(POLICY, owner.s3, address, strongestPolicy({ bucket, ...principals }));
    return new TestBucket(address, owner, writer, keeper);
  }

  /** Removes it with all that is in it. */
  async remove(): Promise<void> {
    const { bucket: Bucket } = this.address;
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });
    await this.owner.s3
      .putBucketPolicy({ Bucket, Policy })
      .catch(() => this.owner.s3.deleteBucketPolicy({ Bucket }));
    for (const { key, versionId } of await listVersions(this.owner.s3, this.address, "")) {
      await this.owner.s3.deleteObject({ Bucket, Key: key, VersionId: versionId });
    }
    const { Uploads = [] } = await this.owner.s3.listMultipartUploads({ Bucket });
    for (const { Key, UploadId } of Uploads) {
      await this.owner.s3.abortMultipartUpload({ Bucket, Key, UploadId });
    }
    await this.owner.s3.deleteBucket({ Bucket });
    await Promise.all([this.owner.forget(), this.writer.forget(), this.keeper?.forget()]);
  }
}
