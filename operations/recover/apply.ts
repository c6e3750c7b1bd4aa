/** Carries a plan out. */
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { S3 } from "@aws-sdk/client-s3";
import { answerOf, BucketAddress, explained, where } from "../../s3/client";
import { inParallel } from "../parallel";
import type { Entry, Version } from "../../s3/history";
import { Action } from "./plan";
import { printable } from "../printable";
import { firstOf, NO_COPY } from "./report";
import { plainEtag } from "../../s3/versions";

/** Actions at one time. */
const PARALLEL = 24;
/** Pauses in milliseconds before a failed action is tried again; the SDK has tried each request four times by then. */
const PAUSES = [1_000, 4_000];
/**
 * After this many failures in a row, with no answer or none that the service stands by, the rest of the same kind is not
 * tried any more: each takes long. Refusals cost nothing, and objects that are refused may have been made by the thousand.
 */
const GIVE_UP = PARALLEL;
/** Entries in one part of the record, so that one request can put it. */
const PART = 1000;

/** First what brings data back: it may be all that there is room and time for. */
const ORDER: readonly Action["does"][] = ["undelete", "put-back", "move-away"];

/** What to do about failures. */
export const REMEDY =
  "Nothing is lost: mend the cause and run the same command again, it goes on from here. " +
  "AccessDenied means that a policy set by hand binds the owner: run pulumi up --refresh first. " +
  "QuotaExceeded means that there is no room for copies: ask the operator of the S3 service for more. " +
  "What the service cannot read was put that way: give a time before that.";

/** Where and how {@link applyActions} works. */
export interface ApplyArgs {
  address: BucketAddress;
  actions: readonly Action[];
  /** Takes down what will be done next, a part of the actions at a time. */
  record: (part: readonly Action[]) => Promise<void>;
  /** Told after each action. */
  progress: (done: number, all: number) => void;
}

/** What came of the actions, in words for each object. */
export interface Applied {
  /** What could not be done. */
  failures: string[];
  /** Strangers that could not be copied, with the reason: they are hidden only. */
  hidden: string[];
  /** IDs of the versions that were put back, where the service tells them. */
  copies: string[];
}

/**
 * Carries the actions out: first all that brings data back, then what moves strangers away. Interrupted at any
 * point it leaves a state from which a new plan goes on. What fails for one object keeps nothing else from being done.
 *
 * @throws Error naming the first failures where the service does not answer
 */
export async function applyActions(s3: S3, args: ApplyArgs): Promise<Applied> {
  const { address, actions, record, progress } = args;
  const applied: Applied = { failures: [], hidden: [], copies: [] };
  let done = 0;
  let gaveUp = false;
  // The large ones last: somebody may have made them to take more time than there is.
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
          applied.failures.push(`${action.does} ${printable(action.key)}: ${inWords(error)}`);
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
      `${where(address)}: not everything could be brought back:\n${firstOf(applied.failures, "  ")}\n` +
        REMEDY,
    );
  }
  return applied;
}

/** Bytes to be copied. */
const sizeOf = (action: Action): number => (action.does === "undelete" ? 0 : action.version.size);

/** Cuts a list of actions into parts for the record. Somebody may have put many delete markers above one file. */
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

function inWords(error: unknown): string {
  const { code, message } = answerOf(error);
  return message === "UnknownError" ? code : `${code}: ${message.replace(/\s+/g, " ").slice(0, 200)}`;
}

/** Whether the service will answer the same another time: it understood the request, and refuses it. */
function isRefusal(error: unknown): boolean {
  const { status = 0 } = answerOf(error);
  return status >= 400 && status < 500 && ![408, 409, 429].includes(status);
}

/** Does a step, again where the service or the network may have been at fault. */
async function persistently<T>(step: () => Promise<T>): Promise<T> {
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
      for (const marker of action.markers) await persistently(() => removeMarker(s3, bucket, marker));
      return;
    case "put-back": {
      const versionId = await persistently(() => copy(s3, bucket, action.version, key));
      if (versionId !== undefined) applied.copies.push(versionId);
      return;
    }
    case "move-away": {
      const { target, version } = action;
      // A stranger that nobody can copy, by its maker's will or for want of room, must not stand in the way.
      const reason =
        target === undefined
          ? NO_COPY
          : await persistently(() => copy(s3, bucket, version, target)).then(() => undefined, inWords);
      await persistently(() => s3.deleteObject({ Bucket: bucket, Key: key }));
      if (reason !== undefined) applied.hidden.push(`${printable(key)}: ${reason}`);
    }
  }
}

/** Removes a delete marker; the one place of this tool that names a version to delete. */
async function removeMarker(s3: S3, bucket: string, marker: Entry): Promise<void> {
  if (!marker.marker) throw new Error(`${marker.versionId} is a version, and no version is ever deleted`);
  await s3.deleteObject({ Bucket: bucket, Key: marker.key, VersionId: marker.versionId });
}

/**
 * Copies a version inside the service, and makes sure that the copy has its content.
 *
 * @returns the copy's version ID, where the service tells it
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
  // The ETag of an upload in parts tells of the parts, and some services give the copy one of its own.
  const { ContentLength } = await s3.headObject({ Bucket: bucket, Key: target });
  if (!version.etag.includes("-") || ContentLength !== version.size) {
    throw new Error(`the copy has ETag ${etag} and ${String(ContentLength)} bytes, not ${version.etag}`);
  }
  return VersionId;
}

/** Puts a part of the record of a recovery, so that removed markers can be told later, too: who deleted what, and when. */
export async function writeRecord(s3: S3, address: BucketAddress, key: string, body: string): Promise<void> {
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
