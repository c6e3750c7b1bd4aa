/** Proves that a bucket's policy is in force: each identity tries what it must be able to do, and what it must not. */
import type { S3 } from "@aws-sdk/client-s3";
import { KEEPER_FOLDER, OWNER_FOLDER, STATUS_FOLDER, type PolicyForm } from "../plan/bucket-policy";
import { answerOf, ofNoAnswer } from "./answers";
import { explained, failure, patiently, putAsProxy, where, type BucketAddress } from "./client";
import { ENCRYPTED_STATUS, NULL_VERSION, isDenied, isFull, isUnsupported } from "./services";
import { retentionOf } from "./settings/object-lock";
import { POLICY } from "./settings/policy";
import { PATIENCE, settle } from "./settings/setting";
import { PROVED, type InForce } from "./tampering";

/** No data lies below this prefix: there updates and the operator's tools try the policy. */
export const CANARY_PREFIX = ".canary/";
/** The proof writes below this prefix only, in the form of a repository. */
export const PROOF_PREFIX = `${CANARY_PREFIX}proof/`;
/** The object that the writer must not be able to delete. */
export const CANARY_KEY = `${PROOF_PREFIX}keys/undeletable`;
/** A lock, which the writer must be able to delete. */
export const CANARY_LOCK_KEY = `${PROOF_PREFIX}locks/canary`;
/** What the keeper must be able to put: what a prune writes, which the writer must be able to read, and others. */
const PRUNED = ["data/keeper", "index/keeper"].map((part) => PROOF_PREFIX + part);
const KEEPER_LOCK = `${PROOF_PREFIX}locks/keeper`;
const KEEPER_NOTES = [KEEPER_FOLDER, STATUS_FOLDER].map((folder) => `${folder}${PROOF_PREFIX}note`);
/** What the keeper must not be able to put. */
const KEEPER_NEVER_ADDS = ["keys/keeper", "snapshots/keeper", "config"].map((part) => PROOF_PREFIX + part);
/** What only the owner may put. */
const OWNER_NOTE = `${OWNER_FOLDER}${PROOF_PREFIX}note`;
/** Everything that a proof may leave besides the canary. */
const LEFT = [CANARY_LOCK_KEY, ...PRUNED, KEEPER_LOCK, ...KEEPER_NOTES, ...KEEPER_NEVER_ADDS, OWNER_NOTE];

/** Versions of one key to read, the newest; an attacker may have put any number. */
const PAGE = 50;

/** A client for each identity. */
export interface IdentityClients {
  readonly owner: S3;
  /** @default the owner's */
  readonly writer?: S3;
  /** Absent where there is no keeper, or its keys are not known. */
  readonly keeper?: S3;
}

/**
 * Puts the forms of the policy one after the other, and keeps the first that is proved to hold.
 *
 * @param forms the strongest first
 * @returns the form that holds, why each form before it does not, and what could not be tried because the bucket is full
 * @throws Error why each form does not hold, if none does; then the first that the service accepted stays
 */
export async function settleBestPolicy(
  clients: IdentityClients,
  address: BucketAddress,
  forms: readonly PolicyForm[],
  inForce: Omit<InForce, "policy">,
  patience = PATIENCE,
): Promise<{ form: PolicyForm; failed: readonly string[]; untried: readonly string[] }> {
  const failed: string[] = [];
  let accepted: PolicyForm | undefined;
  for (const form of forms) {
    try {
      await settle(POLICY, clients.owner, address, form.policy, patience);
      accepted ??= form;
      const untried = await prove(clients, address, { ...inForce, policy: form.policy }, patience);
      return { form, failed, untried };
    } catch (error) {
      if (isIndependentOfPolicy(error)) {
        throw error;
      }
      failed.push(`${form.name}: ${(error as Error).message.replace(`${where(address)}: `, "")}`);
    }
  }
  if (accepted !== undefined) {
    await settle(POLICY, clients.owner, address, accepted.policy, patience);
  }
  throw new Error(
    `${where(address)}: no form of the policy holds, so the backups are not protected.\n- ${failed.join("\n- ")}`,
  );
}

/** Whether any policy would give the same error: no answer, an error of the service, a key that does not work. */
function isIndependentOfPolicy(error: unknown): boolean {
  const { cause = error } = error as { cause?: unknown };
  const { code, status = 0 } = answerOf(cause);
  return (
    ofNoAnswer(cause) ||
    (status >= 500 && status !== 501) ||
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "NoSuchBucket"].includes(code)
  );
}

/**
 * Proves with a canary that the policy is in force; a policy may be stored and yet bind nobody. The writer can add
 * an object, cannot delete it or a version of it, and can delete a lock. The keeper removes the canary, which leaves a
 * delete marker, and can delete no version; the owner reads what the writer wrote and restores it. The keeper adds
 * packs, indexes, locks, its notes and the status, which the writer can neither read nor change, and no other part of a
 * repository; neither of them changes what is the owner's. Neither can do anything in {@link PROVED}.
 *
 * An attacker with the writer's keys may have left any object in the canary's place: an unreadable one, a locked one, or
 * many. So each proof writes a new canary, and reads nothing from an older one.
 *
 * Leaves one object behind, always the same. The owner removes everything else; where policy or object lock bind the
 * owner too, a versioned bucket keeps one hidden version of canary and lock per proof until the lifecycle removes it.
 *
 * @returns what could not be tried because the bucket is full, in words
 * @throws Error which of these does not hold
 */
export async function prove(
  clients: IdentityClients,
  address: BucketAddress,
  inForce: InForce,
  patience = PATIENCE,
): Promise<readonly string[]> {
  return await patiently(patience, () => proveOnce(clients, address, inForce));
}

async function proveOnce(
  clients: IdentityClients,
  address: BucketAddress,
  inForce: InForce,
): Promise<readonly string[]> {
  const bypass = lockBypass(inForce);
  const written = await explained(
    address,
    `write "${CANARY_KEY}" as the writer`,
    () => putUnlessFull(clients.writer ?? clients.owner, address.bucket, CANARY_KEY),
    "The writer could not add backups either: check that its keys belong to the project or principal in the policy.",
  );
  try {
    return await proveWith(written, clients, address, inForce);
  } finally {
    await tidy(clients.owner, address.bucket, CANARY_KEY, bypass, written);
    for (const key of LEFT) await tidy(clients.owner, address.bucket, key, bypass);
  }
}

async function proveWith(
  written: Written | "full",
  clients: IdentityClients,
  address: BucketAddress,
  inForce: InForce,
): Promise<readonly string[]> {
  const untried = new Set<string>();
  const Bucket = address.bucket;
  const canary = { Bucket, Key: CANARY_KEY };
  const writer = clients.writer ?? clients.owner;
  const version = written === "full" ? await newestVersion(clients.owner, Bucket) : written.VersionId;
  const versioned = version !== undefined && version !== NULL_VERSION;
  const bypass = lockBypass(inForce);
  const deleteVersion = (s3: S3) => () => s3.deleteObject({ ...canary, VersionId: version, ...bypass });
  await mustBeDenied(address, "writer", `delete "${CANARY_KEY}"`, () => writer.deleteObject(canary));
  if (versioned) {
    await mustBeDenied(address, "writer", `delete a version of "${CANARY_KEY}"`, deleteVersion(writer));
  } else if (written === "full" && inForce.versioning === "Enabled") {
    untried.add("nobody but the owner can delete a version");
  }
  await explained(
    address,
    `write and delete the lock "${CANARY_LOCK_KEY}" as the writer`,
    async () => {
      if (written === "full" || (await putUnlessFull(writer, Bucket, CANARY_LOCK_KEY)) === "full") {
        untried.add("the writer can add objects");
      }
      await writer.deleteObject({ Bucket, Key: CANARY_LOCK_KEY });
    },
    "With such a policy every restic command would leave a lock that blocks the next.",
  );
  if (clients.writer === undefined) {
    return [...untried];
  }
  await mustNotTamper(canary, address, "writer", writer, inForce);
  for (const key of [...KEEPER_NOTES, OWNER_NOTE]) await mustNotChange(address, "writer", writer, key);
  const { keeper } = clients;
  if (keeper !== undefined) {
    await mustNotTamper(canary, address, "keeper", keeper, inForce);
    for (const one of await proveKeeper(keeper, writer, address)) untried.add(one);
    if (versioned) {
      const deed = `delete a version of "${CANARY_KEY}"`;
      await mustBeDenied(address, "keeper", deed, deleteVersion(keeper));
      await explained(
        address,
        `list and read a version of "${CANARY_KEY}" as the keeper`,
        async () => {
          await keeper.listObjectVersions({ Bucket, Prefix: CANARY_KEY, MaxKeys: 1 });
          await mustExist(keeper, { ...canary, VersionId: version });
        },
        "Retention could not judge when a backup arrived.",
      );
    }
  }
  const remover = keeper === undefined ? "owner" : "keeper";
  const restored = `the owner can read what the writer wrote, and restore what the ${remover} removed`;
  if (written === "full") {
    return [...untried, restored];
  }
  await explained(
    address,
    `read "${CANARY_KEY}" as the owner`,
    () => clients.owner.headObject({ ...canary, ...(versioned ? { VersionId: version } : {}) }),
    "The owner could not repair the backups: where objects belong to the identity that wrote them (Ceph RGW), the policy " +
      "must name the owner, so give s3.identities.owner.principal or projectId.",
  );
  const marker = await explained(
    address,
    `remove "${CANARY_KEY}" as the ${remover}`,
    () => (keeper ?? clients.owner).deleteObject(canary),
    "Retention could not remove old snapshots: check that these keys belong to the principal in the policy.",
  );
  await explained(address, `restore "${CANARY_KEY}" as the owner`, async () => {
    if (versioned) {
      await clients.owner.deleteObject({ ...canary, VersionId: marker.VersionId });
      await mustExist(writer, canary);
    } else if ((await putUnlessFull(writer, Bucket, CANARY_KEY)) === "full") {
      untried.add(restored);
    }
  });
  return [...untried];
}

/** Proves what the keeper adds and what it must not add; returns what could not be tried because the bucket is full. */
async function proveKeeper(keeper: S3, writer: S3, address: BucketAddress): Promise<readonly string[]> {
  const Bucket = address.bucket;
  const untried: string[] = [];
  for (const key of [...PRUNED, KEEPER_LOCK, ...KEEPER_NOTES]) {
    const added = await explained(
      address,
      `write "${key}" as the keeper`,
      () => putUnlessFull(keeper, Bucket, key),
      "Retention could not prune: check that these keys belong to the principal in the policy.",
    );
    if (added === "full") {
      untried.push("the keeper can add packs, indexes, locks and its notes");
    } else if (KEEPER_NOTES.includes(key)) {
      await mustBeDenied(address, "writer", `read "${key}"`, async () => {
        const { Body } = await writer.getObject({ Bucket, Key: key });
        await Body?.transformToByteArray();
      });
    } else if (PRUNED.includes(key)) {
      await explained(
        address,
        `read "${key}" as the writer`,
        () => mustExist(writer, { Bucket, Key: key }),
        "Clients could not read what a prune wrote.",
      );
    }
  }
  for (const key of KEEPER_NEVER_ADDS) {
    await mustBeDenied(address, "keeper", `write "${key}"`, () => putAsProxy(keeper, canaryAt(Bucket, key)));
  }
  await mustNotChange(address, "keeper", keeper, OWNER_NOTE);
  return untried;
}

/** An identity must neither write nor hide an object. */
async function mustNotChange(address: BucketAddress, role: string, s3: S3, key: string): Promise<void> {
  const Bucket = address.bucket;
  await mustBeDenied(address, role, `write "${key}"`, () => putAsProxy(s3, canaryAt(Bucket, key)));
  await mustBeDenied(address, role, `delete "${key}"`, () => s3.deleteObject({ Bucket, Key: key }));
}

const canaryAt = (Bucket: string, Key: string) => ({
  Bucket,
  Key,
  Body: "the proof of the bucket's policy\n",
});

/** The service's answer to a PUT. */
interface Written {
  readonly VersionId?: string;
}

async function putUnlessFull(writer: S3, Bucket: string, Key: string): Promise<Written | "full"> {
  try {
    return await putAsProxy(writer, canaryAt(Bucket, Key));
  } catch (error) {
    // That is no failure of the policy, and an attacker with the writer's keys can cause it.
    if (isFull(error)) {
      return "full";
    }
    throw error;
  }
}

/** The newest version of the canary, whichever identity wrote it; a service without versions has none. */
async function newestVersion(owner: S3, Bucket: string): Promise<string | undefined> {
  try {
    const { Versions = [] } = await owner.listObjectVersions({ Bucket, Prefix: CANARY_KEY, MaxKeys: PAGE });
    return Versions.find(({ Key }) => Key === CANARY_KEY)?.VersionId;
  } catch (error) {
    if (isUnsupported(error)) {
      return undefined;
    }
    throw error;
  }
}

/** An attacker may encrypt the canary meanwhile. */
async function mustExist(s3: S3, canary: { Bucket: string; Key: string; VersionId?: string }): Promise<void> {
  try {
    await s3.headObject(canary);
  } catch (error) {
    if (answerOf(error).status !== ENCRYPTED_STATUS) {
      throw error;
    }
  }
}

/** Deletes a version in spite of an object lock, which ends: the policy has to refuse it. */
function lockBypass({ objectLock }: InForce): { BypassGovernanceRetention?: true } {
  return retentionOf(objectLock) === undefined ? {} : { BypassGovernanceRetention: true };
}

async function mustNotTamper(
  canary: { Bucket: string; Key: string },
  address: BucketAddress,
  role: string,
  s3: S3,
  inForce: InForce,
): Promise<void> {
  for (const { deed, call } of Object.values(PROVED)) {
    const attempt = call(inForce, canary);
    if (typeof attempt === "function") {
      await mustBeDenied(address, role, deed, () => attempt(s3));
    }
  }
}

/** Only the refusal of a known identity is a proof. */
async function mustBeDenied(
  address: BucketAddress,
  role: string,
  deed: string,
  call: () => Promise<unknown>,
): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (isDenied(error)) {
      return;
    }
    throw failure(address, `find out whether the ${role} could ${deed}`, error);
  }
  throw new Error(
    `${where(address)}: the policy is NOT in force: the ${role} could ${deed}. The service stored the policy ` +
      `and does not enforce it, so the backups are not protected. Check that the ${role}'s principal in the ` +
      "policy is spelled as this service spells it, and that the service enforces bucket policies at all.",
  );
}

/**
 * Removes what proofs left of one key: its delete markers, and its versions except the canary that was `written` now.
 * After an attempt in a full bucket the canary's versions stay. Policy or object lock may bind the owner: then a version
 * stays, and the marker that hides a lock.
 */
async function tidy(
  owner: S3,
  Bucket: string,
  key: string,
  bypass: { BypassGovernanceRetention?: true },
  written?: Written | "full",
): Promise<void> {
  const remove = ({ Key, VersionId }: { Key?: string; VersionId?: string }): Promise<unknown> =>
    owner.deleteObject({ Bucket, Key, VersionId, ...bypass });
  try {
    // The newest only; the lifecycle removes the others.
    const page = await owner.listObjectVersions({ Bucket, Prefix: key, MaxKeys: PAGE });
    const versions = (page.Versions ?? []).filter(({ Key }) => Key === key);
    const markers = (page.DeleteMarkers ?? []).filter(({ Key }) => Key === key);
    let stay = 0;
    for (const version of written === undefined ? versions : superseded(versions, written)) {
      await remove(version).catch(() => stay++);
    }
    for (const marker of stay > 0 && key === CANARY_LOCK_KEY ? [] : markers) {
      await remove(marker);
    }
  } catch {
    // The proof matters, not the cleaning; an error of the service has failed the proof already.
  }
}

/** The versions that the new canary replaces. */
function superseded<T extends Written>(versions: readonly T[], written: Written | "full"): readonly T[] {
  if (written === "full") {
    return [];
  }
  // Without versioning there is one version, with the ID "null" or none.
  const { VersionId = versions[0]?.VersionId } = written;
  return versions.filter((version) => version.VersionId !== VersionId);
}
