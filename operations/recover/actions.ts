/** Applies the actions of a plan. */
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { S3 } from "@aws-sdk/client-s3";
import { inParallel } from "../../keeper/parallel";
import { answerOf } from "../../s3/answers";
import { BucketAddress, explained, where } from "../../s3/client";
import type { Entry, Version } from "../../s3/history";
import { Action } from "./plan";
import { printable } from "../printable";
import { firstOf, NO_COPY } from "./report";
import { plainEtag } from "../../s3/services";

/** Actions under way at once. */
const PARALLEL = 24;
/** Milliseconds before a failed request is repeated; the SDK itself tries each request four times. */
const PAUSES = [1_000, 4_000];
/**
 * After this many failures in a row, the other actions of the same kind are not tried: each takes long. Refusals do not
 * count: they take no time, and an attacker can add thousands of objects that are refused.
 */
const GIVE_UP = PARALLEL;
/** Entries in one part of the record, so that one request can put it. */
const PART = 1000;

/** What recovers data comes first: there may be no space or time for more. */
const ORDER: readonly Action["does"][] = ["undelete", "put-back", "move-away"];

/** What to do about failures. */
export const REMEDY =
  "Nothing is lost: fix the cause and run the same command again, which continues from here. " +
  "AccessDenied: a policy that was set by hand applies to the owner; run pulumi up --refresh first. " +
  "QuotaExceeded: there is no space for copies; ask the operator of the S3 service for more. " +
  "If the service cannot read a version, it was written so: give an earlier time.";

/** @see applyActions */
export interface ApplyArgs {
  address: BucketAddress;
  actions: readonly Action[];
  /** Records the actions that come next. */
  record: (part: readonly Action[]) => Promise<void>;
  /** Called after each action. */
  progress: (done: number, all: number) => void;
}

/** The results of the actions, as text for each object. */
export interface Applied {
  /** What failed. */
  failures: string[];
  /** Added objects that could not be copied, with the reason: they are only hidden. */
  hidden: string[];
  /** IDs of the versions that were put back, where the service reports them. */
  copies: string[];
}

/**
 * Applies the actions: first those that recover data, then those that move added objects away. After an interruption at
 * any point a new plan continues. A failure for one object stops no other action.
 *
 * @throws Error with the first failures where the service does not answer
 */
export async function applyActions(s3: S3, args: ApplyArgs): Promise<Applied> {
  const { address, actions, record, progress } = args;
  const applied: Applied = { failures: [], hidden: [], copies: [] };
  let done = 0;
  let gaveUp = false;
  // The large ones last: an attacker may have added them to use up the time.
  const bySize = actions.toSorted((one, other) => sizeOf(one) - sizeOf(other));
  for (const does of ORDER) {
    let inRow = 0;
    for (const part of parts(bySize.filter((action) => action.does === does))) {
      if (inRow >= GIVE_UP) break;
      await record(part);
      await inParallel(PARALLEL, part, async (action) => {
        if (inRow >= GIVE_UP) return;
        try {
          await applyOne(s3, address.bucket, action, applied);
          inRow = 0;
        } catch (error) {
          applied.failures.push(`${action.does} ${printable(action.key)}: ${errorText(error)}`);
          inRow = isRefusal(error) ? 0 : inRow + 1;
        }
        done += 1;
        progress(done, actions.length);
      });
    }
    gaveUp ||= inRow >= GIVE_UP;
  }
  if (gaveUp) {
    throw new Error(
      `${where(address)}: not everything could be recovered:\n${firstOf(applied.failures, "  ")}\n` + REMEDY,
    );
  }
  return applied;
}

/** Bytes to copy. */
const sizeOf = (action: Action): number => (action.does === "undelete" ? 0 : action.version.size);

/** Divides actions into parts for the record. One file may have many delete markers. */
function parts(actions: readonly Action[]): Action[][] {
  const all: Action[][] = [];
  let room = 0;
  for (const action of actions) {
    if (room <= 0) {
      all.push([]);
      room = PART;
    }
    all.at(-1)?.push(action);
    room -= action.does === "undelete" ? action.markers.length : 1;
  }
  return all;
}

function errorText(error: unknown): string {
  const { code, message } = answerOf(error);
  return message === "UnknownError" ? code : `${code}: ${message.replace(/\s+/g, " ").slice(0, 200)}`;
}

/** Whether the service understood the request and refuses it, so that repeating it is useless. */
function isRefusal(error: unknown): boolean {
  const { status = 0 } = answerOf(error);
  return status >= 400 && status < 500 && ![408, 409, 429].includes(status);
}

/** Repeats a step that fails, unless it is refused. */
async function withRetries<T>(step: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES) {
    try {
      return await step();
    } catch (error) {
      if (isRefusal(error)) throw error;
      await setTimeout(pause);
    }
  }
  return await step();
}

async function applyOne(s3: S3, bucket: string, action: Action, applied: Applied): Promise<void> {
  const { key } = action;
  switch (action.does) {
    case "undelete":
      for (const marker of action.markers) await withRetries(() => removeMarker(s3, bucket, marker));
      return;
    case "put-back": {
      const versionId = await withRetries(() => copy(s3, bucket, action.version, key));
      if (versionId !== undefined) applied.copies.push(versionId);
      return;
    }
    case "move-away": {
      const { target, version } = action;
      // An added object that cannot be copied, by design or because the bucket is full, must be hidden all the same.
      const reason =
        target === undefined
          ? NO_COPY
          : await withRetries(() => copy(s3, bucket, version, target)).then(() => undefined, errorText);
      await withRetries(() => s3.deleteObject({ Bucket: bucket, Key: key }));
      if (reason !== undefined) applied.hidden.push(`${printable(key)}: ${reason}`);
    }
  }
}

/** Removes a delete marker; only here does this tool delete by version ID. */
async function removeMarker(s3: S3, bucket: string, marker: Entry): Promise<void> {
  if (!marker.marker) throw new Error(`${marker.versionId} is a version, and versions are never deleted`);
  await s3.deleteObject({ Bucket: bucket, Key: marker.key, VersionId: marker.versionId });
}

/**
 * Copies a version inside the service, and verifies the content of the copy.
 *
 * @returns the copy's version ID, where the service reports it
 */
async function copy(s3: S3, bucket: string, version: Version, target: string): Promise<string | undefined> {
  const source = [bucket, ...version.key.split("/")].map(encodeURIComponent).join("/");
  const { CopyObjectResult, VersionId } = await s3.copyObject({
    Bucket: bucket,
    Key: target,
    CopySource: `${source}?versionId=${encodeURIComponent(version.versionId)}`,
  });
  const etag = plainEtag(CopyObjectResult?.ETag);
  if (etag === version.etag) return VersionId;
  // The ETag of a multipart upload depends on its parts, and some services give the copy another.
  const { ContentLength } = await s3.headObject({ Bucket: bucket, Key: target });
  if (!version.etag.includes("-") || ContentLength !== version.size) {
    throw new Error(`the copy has ETag ${etag} and ${String(ContentLength)} bytes, not ${version.etag}`);
  }
  return VersionId;
}

/** Writes a part of the record of a recovery, which keeps who deleted what and when after markers are removed. */
export async function writeRecord(s3: S3, address: BucketAddress, key: string, body: string): Promise<void> {
  await explained(address, "write the record of the recovery", () =>
    s3.putObject({
      Bucket: address.bucket,
      Key: key,
      Body: body,
      // A bucket with object lock requires it.
      ContentMD5: createHash("md5").update(body).digest("base64"),
      ContentType: "application/json",
    }),
  );
}
