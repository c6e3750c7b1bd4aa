/**
 * The documents below `.keeper/` and `.owner/`: what the keeper wrote (an attacker with its keys can write that, too), and
 * what the owner answers.
 */
import { z } from "zod";
import { keptKey, ownerKey, type RepositoryName, VERIFY_RECORD } from "./gate/names";
import { contentOf, type Store } from "./gate/store";
import { isObjectId, OBJECT_TYPES } from "./objects";
import type { Approval } from "./state";
import { LAST_TIME } from "./time";

/** Most bytes of one document. */
const MOST_BYTES = 256 * 1024 * 1024;

const objectId = z.string().refine(isObjectId);
const time = z.number().min(0).max(LAST_TIME);
const finding = z.object({ kind: z.string(), objects: z.array(z.string()), why: z.string() });
const tried = z.object({
  at: time,
  ok: z.boolean(),
  detail: z.string(),
  succeeded: time.optional(),
  failingSince: time.optional(),
});
const part = z.object({ part: z.number(), of: z.number() });

const planned = z.object({
  version: z.literal(1),
  at: time,
  pauses: z.array(z.object({ kind: z.string(), why: z.string() })),
  plan: z
    .object({
      made: time,
      forget: z.array(objectId),
      kept: z.array(objectId),
      waits: z.string().optional(),
    })
    .optional(),
  putAgain: z.array(
    z.object({ type: z.enum(OBJECT_TYPES), id: z.string(), versionIds: z.array(z.string()) }),
  ),
});

const state = z.object({
  version: z.literal(1),
  arrivals: z.record(z.string(), time),
  tried: z.object({
    guard: tried.optional(),
    forget: tried.optional(),
    prune: tried.optional(),
    check: tried.optional(),
  }),
  findings: z.array(finding),
  verified: z.boolean(),
  nextPart: part.optional(),
  cycleBegan: time.optional(),
  allDataRead: time.optional(),
  claims: z.record(
    z.string(),
    z.object({ time: z.string(), hostname: z.string(), report: z.enum(["partial", "failed"]).optional() }),
  ),
});

const count = z.number().int().min(0);
const verifyRecord = z.object({
  at: time,
  passed: count,
  failed: count,
  unknown: count,
  /** Bytes that the bucket may have; absent: none, or not reported. Ceph RGW reports it to the bucket's owner alone. */
  quota: count.optional(),
});

const approval = z.object({ at: time, forget: z.array(objectId), versions: z.array(z.string()) });

/** What the operator's `verify` left below `.owner/`. */
export type VerifyRecord = z.infer<typeof verifyRecord>;
/** What the gate decided last. */
export type PlannedDocument = z.infer<typeof planned>;
/** What the keeper remembers. */
export type StateDocument = z.infer<typeof state>;

/**
 * Reads a document that the keeper or the owner left; `undefined`: there is none.
 *
 * @param most bytes. @default 256 MiB
 * @throws Error where it is not in this form
 */
export async function readDocument<T>(
  store: Pick<Store, "get">,
  key: string,
  form: z.ZodType<T>,
  most = MOST_BYTES,
): Promise<T | undefined> {
  const content = await contentOf(store, key, most);
  if (content === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(content.toString());
  } catch {
    json = undefined;
  }
  const { data } = form.safeParse(json);
  if (data === undefined) {
    throw new Error(
      `${key} is not what the keeper of this version writes: work in a checkout of the version that did the last update`,
    );
  }
  return data;
}

/**
 * What the keeper's gate decided last; `undefined`: nothing yet.
 *
 * @param most bytes. @default 256 MiB
 * @throws Error where it is not in the form of this version
 */
export const readPlanned = (
  store: Pick<Store, "get">,
  name: RepositoryName,
  most?: number,
): Promise<PlannedDocument | undefined> => readDocument(store, keptKey(name, "plan.json"), planned, most);

/** The same for what it remembers. */
export const readState = (
  store: Pick<Store, "get">,
  name: RepositoryName,
  most?: number,
): Promise<StateDocument | undefined> => readDocument(store, keptKey(name, "state.json"), state, most);

/** The owner's approval. */
export const readApproval = (
  store: Pick<Store, "get">,
  name: RepositoryName,
  most?: number,
): Promise<Approval | undefined> => readDocument(store, ownerKey(name, "approval.json"), approval, most);

/** What the operator's last `verify` found. */
export const readVerifyRecord = (
  store: Pick<Store, "get">,
  most?: number,
): Promise<VerifyRecord | undefined> => readDocument(store, VERIFY_RECORD, verifyRecord, most);

/** Replaces the owner's approval. */
export async function writeApproval(
  store: Pick<Store, "put">,
  name: RepositoryName,
  given: Approval,
): Promise<void> {
  await store.put(ownerKey(name, "approval.json"), Buffer.from(JSON.stringify(given)));
}
