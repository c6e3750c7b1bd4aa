/** Carries a plan out. */
import { createHash } from "node:crypto";
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf, BucketAddress, explained, patiently, where } from "../../providers/s3-client";
import { Action, Entry, Version } from "./plan";
import { plainEtag } from "./versions";

/** Actions at one time. */
const PARALLEL = 24;
/** Pauses in milliseconds before a failed action is tried again; the SDK has tried each request four times by then. */
const PAUSES = [1_000, 4_000];
/** After this many failed actions the rest is not tried any more. */
const GIVE_UP = 5;

/** Where and how {@link applyActions} works. */
export interface ApplyArgs {
  address: BucketAddress;
  actions: readonly Action[];
  /** What is moved away goes to `QUARANTINE/KEY`. */
  quarantine: string;
  /** Told after each action. */
  progress: (done: number, all: number) => void;
}

/**
 * Carries the actions out: first all that brings data back, then what moves strangers away. Interrupted at any
 * point it leaves a state from which a new plan goes on.
 *
 * @throws Error naming the first failures; what could be done is done then
 */
export async function applyActions(s3: S3, args: ApplyArgs): Promise<void> {
  const { address, actions, quarantine, progress } = args;
  const failures: string[] = [];
  let done = 0;
  const work = async (queue: Action[]): Promise<void> => {
    await Promise.all(
      Array.from({ length: PARALLEL }, async () => {
        while (failures.length < GIVE_UP) {
          const action = queue.shift();
          if (action === undefined) return;
          try {
            await patiently(PAUSES, () => applyOne(s3, address, action, quarantine));
          } catch (error) {
            const { code, message } = answerOf(error);
            failures.push(`${action.does} ${JSON.stringify(action.key)}: ${code}: ${message.slice(0, 200)}`);
          }
          done += 1;
          progress(done, actions.length);
        }
      }),
    );
  };
  await work(actions.filter(({ does }) => does !== "move-away"));
  await work(actions.filter(({ does }) => does === "move-away"));
  if (failures.length > 0) {
    throw new Error(
      `${where(address)}: not everything could be brought back:\n  ${failures.join("\n  ")}\n` +
        "Nothing is lost: mend the cause and run the same command again, it goes on from here. " +
        "AccessDenied means that a policy set by hand binds the owner: run pulumi up --refresh first.",
    );
  }
}

async function applyOne(s3: S3, address: BucketAddress, action: Action, quarantine: string): Promise<void> {
  const Bucket = address.bucket;
  switch (action.does) {
    case "undelete":
      for (const marker of action.markers) await removeMarker(s3, Bucket, marker);
      return;
    case "put-back":
      await copy(s3, Bucket, action.version, action.key);
      return;
    case "move-away":
      if (!action.hideOnly) await copy(s3, Bucket, action.version, `${quarantine}/${action.key}`);
      await s3.deleteObject({ Bucket, Key: action.key });
  }
}

/** Removes a delete marker; the one place of this tool that names a version to delete. */
async function removeMarker(s3: S3, bucket: string, marker: Entry): Promise<void> {
  if (!marker.marker) throw new Error(`${marker.versionId} is a version, and no version is ever deleted`);
  await s3.deleteObject({ Bucket: bucket, Key: marker.key, VersionId: marker.versionId });
}

/** Copies a version inside the service, and makes sure that the copy has its content. */
async function copy(s3: S3, bucket: string, version: Version, target: string): Promise<void> {
  const source = [bucket, ...version.key.split("/")].map(encodeURIComponent).join("/");
  const { CopyObjectResult } = await s3.copyObject({
    Bucket: bucket,
    Key: target,
    CopySource: `${source}?versionId=${encodeURIComponent(version.versionId)}`,
  });
  const etag = plainEtag(CopyObjectResult?.ETag);
  if (etag === version.etag) return;
  // The ETag of an upload in parts tells of the parts, and some services give the copy one of its own.
  const { ContentLength } = await s3.headObject({ Bucket: bucket, Key: target });
  if (!version.etag.includes("-") || ContentLength !== version.size) {
    throw new Error(`the copy has ETag ${etag} and ${String(ContentLength)} bytes, not ${version.etag}`);
  }
}

/** Writes down what will be done, so that removed markers can be told later, too: who deleted what, and when. */
export async function writeRecord(
  s3: S3,
  address: BucketAddress,
  key: string,
  record: object,
): Promise<void> {
  const body = JSON.stringify(record);
  await explained(address, "write the record of the recovery", () =>
    s3.putObject({
      Bucket: address.bucket,
      Key: key,
      Body: body,
      // A bucket with object lock takes nothing without it.
      ContentMD5: createHash("md5").update(body).digest("base64"),
      ContentType: "application/json",
    }),
  );
}
