/** The proof that a bucket's policy is in force: each identity tries what it must be able to do, and what it must not. */
import type { LifecycleRule, S3 } from "@aws-sdk/client-s3";
import type { PolicyForm } from "../files/bucket-policy";
import {
  CANARY_PREFIX,
  PATIENCE,
  settingsOf,
  settlePolicy,
  type PublicAccessBlock,
  type Versioning,
} from "./s3-bucket";
import {
  answerOf,
  explained,
  failure,
  isDenied,
  ofNoAnswer,
  patiently,
  where,
  type BucketAddress,
} from "./s3-client";

/** All that the proof writes lies below this prefix, in the form of a repository. */
export const PROOF_PREFIX = `${CANARY_PREFIX}proof/`;
/** The object that the writer must not be able to delete. */
export const CANARY_KEY = `${PROOF_PREFIX}keys/undeletable`;
/** A lock, which the writer must be able to delete. */
export const CANARY_LOCK_KEY = `${PROOF_PREFIX}locks/canary`;

/** The identities as clients. */
export interface Hands {
  readonly owner: S3;
  /** Absent: the owner writes. */
  readonly writer?: S3;
  /** Absent: none, or its keys are not known. */
  readonly keeper?: S3;
}

/** What is in force while the proof runs; what a host must not put is tried with this, so that a success changes nothing. */
export interface InForce {
  readonly policy: string;
  readonly versioning: Versioning;
  readonly rules: readonly LifecycleRule[] | "unsupported";
  readonly publicAccessBlock: PublicAccessBlock;
  /** Whether versions are kept from deletion for a time, the canary's too. */
  readonly locked: boolean;
}

/**
 * Puts the forms of the policy one after the other, and keeps the first that is seen to hold.
 *
 * @param forms the strongest first
 * @returns the form that holds, and what those before it came to
 * @throws Error that says what each form came to, if none holds; then the first that the service takes stays
 */
export async function settleBestPolicy(
  hands: Hands,
  address: BucketAddress,
  forms: readonly PolicyForm[],
  inForce: Omit<InForce, "policy">,
  patience = PATIENCE,
): Promise<{ form: PolicyForm; failed: readonly string[] }> {
  const failed: string[] = [];
  let taken: PolicyForm | undefined;
  for (const form of forms) {
    try {
      await settlePolicy(hands.owner, address, form.policy, patience);
      taken ??= form;
      await prove(hands, address, { ...inForce, policy: form.policy }, patience);
      return { form, failed };
    } catch (error) {
      if (saysNothingOfPolicy(error)) {
        throw error;
      }
      failed.push(`${form.name}: ${(error as Error).message.replace(`${where(address)}: `, "")}`);
    }
  }
  if (taken !== undefined) {
    await settlePolicy(hands.owner, address, taken.policy, patience);
  }
  throw new Error(
    `${where(address)}: no form of the policy holds, so the backups are not protected.\n- ${failed.join("\n- ")}`,
  );
}

/** Whether the failure would be the same under any policy: no answer, a fault of the service, a key that does not work. */
function saysNothingOfPolicy(error: unknown): boolean {
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
 * an object, cannot delete it nor a version of it, and can delete a lock. The keeper removes the canary, which leaves a
 * delete marker, and can delete no version; the owner reads what the writer wrote and brings it back. Neither can put
 * policy, versioning, lifecycle or PublicAccessBlock.
 *
 * Leaves one object behind, always the same. What else it writes the owner removes again; where policy or object lock
 * bind the owner too, a versioned bucket keeps one hidden version of the lock per proof.
 *
 * @throws Error that says which of these does not hold
 */
export async function prove(
  hands: Hands,
  address: BucketAddress,
  inForce: InForce,
  patience = PATIENCE,
): Promise<void> {
  try {
    await patiently(patience, () => proveOnce(hands, address, inForce));
  } finally {
    await tidyCanary(hands.owner, address.bucket, inForce.locked);
  }
}

async function proveOnce(hands: Hands, address: BucketAddress, inForce: InForce): Promise<void> {
  const writer = hands.writer ?? hands.owner;
  const canary = { Bucket: address.bucket, Key: CANARY_KEY };
  const version = await explained(
    address,
    `write "${CANARY_KEY}" as the writer`,
    async () => (await headOrPut(writer, canary)).VersionId,
    "The writer could not add backups either: check that its keys belong to the project or principal in the policy.",
  );
  const versioned = version !== undefined && version !== "null";
  const deleteVersion = (hand: S3) => () => hand.deleteObject({ ...canary, VersionId: version });
  await mustBeDenied(address, "writer", `delete "${CANARY_KEY}"`, () => writer.deleteObject(canary));
  if (versioned) {
    await mustBeDenied(address, "writer", `delete a version of "${CANARY_KEY}"`, deleteVersion(writer));
  }
  const lock = { Bucket: address.bucket, Key: CANARY_LOCK_KEY };
  await explained(
    address,
    `write and delete the lock "${CANARY_LOCK_KEY}" as the writer`,
    async () => {
      await writer.putObject({ ...lock, Body: "restic must be able to delete this\n" });
      await writer.deleteObject(lock);
    },
    "With such a policy every restic command would leave a lock that blocks the next.",
  );
  if (hands.writer === undefined) {
    return;
  }
  await mustNotTamper(address, "writer", writer, inForce);
  await explained(
    address,
    `read "${CANARY_KEY}" as the owner`,
    () => hands.owner.headObject(canary),
    "The owner could not repair the backups: where objects belong to whoever wrote them (Ceph RGW), the policy must " +
      "name the owner, so give s3.identities.owner.principal or projectId.",
  );
  if (hands.keeper !== undefined) {
    await mustNotTamper(address, "keeper", hands.keeper, inForce);
    if (versioned) {
      await mustBeDenied(
        address,
        "keeper",
        `delete a version of "${CANARY_KEY}"`,
        deleteVersion(hands.keeper),
      );
    }
  }
  const remover = hands.keeper ?? hands.owner;
  const marker = await explained(
    address,
    `remove "${CANARY_KEY}" as the ${hands.keeper === undefined ? "owner" : "keeper"}`,
    () => remover.deleteObject(canary),
    "Retention could not remove what is out of date: check that these keys belong to the principal in the policy.",
  );
  await explained(address, `bring "${CANARY_KEY}" back as the owner`, async () => {
    if (versioned) {
      await hands.owner.deleteObject({ ...canary, VersionId: marker.VersionId });
      await writer.headObject(canary);
    } else {
      await headOrPut(writer, canary);
    }
  });
}

async function headOrPut(
  writer: S3,
  canary: { Bucket: string; Key: string },
): Promise<{ VersionId?: string }> {
  try {
    return await writer.headObject(canary);
  } catch (error) {
    if (answerOf(error).status !== 404) {
      throw error;
    }
    return await writer.putObject({ ...canary, Body: "nobody but the bucket's owner may delete this\n" });
  }
}

async function mustNotTamper(
  address: BucketAddress,
  role: string,
  hand: S3,
  { policy, versioning, rules, publicAccessBlock }: InForce,
): Promise<void> {
  const Bucket = address.bucket;
  await mustBeDenied(address, role, "put a policy", () => hand.putBucketPolicy({ Bucket, Policy: policy }));
  if (versioning === "Enabled") {
    await mustBeDenied(address, role, "set versioning", () =>
      hand.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: versioning } }),
    );
  }
  if (rules !== "unsupported") {
    await mustBeDenied(address, role, "set the lifecycle", () =>
      hand.putBucketLifecycleConfiguration({
        Bucket,
        ChecksumAlgorithm: "MD5",
        LifecycleConfiguration: { Rules: [...rules] },
      }),
    );
  }
  if (publicAccessBlock !== "unsupported") {
    await mustBeDenied(address, role, "set the PublicAccessBlock", () =>
      hand.putPublicAccessBlock({
        Bucket,
        ChecksumAlgorithm: "MD5",
        PublicAccessBlockConfiguration: settingsOf(publicAccessBlock),
      }),
    );
  }
}

/** Only a refusal of a known identity is a proof; neither success nor any other failure is. */
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
 * Removes what a proof left but the canary itself. The owner may be bound by the policy, or by the object lock: then a
 * version stays, and with it the marker that hides it.
 */
async function tidyCanary(owner: S3, bucket: string, locked: boolean): Promise<void> {
  const bypass = locked ? { BypassGovernanceRetention: true } : {};
  try {
    const { Versions = [], DeleteMarkers = [] } = await owner.listObjectVersions({
      Bucket: bucket,
      Prefix: PROOF_PREFIX,
    });
    const remove = ({ Key, VersionId }: { Key?: string; VersionId?: string }): Promise<unknown> =>
      owner.deleteObject({ Bucket: bucket, Key, VersionId, ...bypass });
    // Versions come newest first.
    const canary = Versions.find(({ Key }) => Key === CANARY_KEY);
    const stays = new Set<string | undefined>();
    for (const version of Versions.filter((one) => one !== canary)) {
      await remove(version).catch(() => stays.add(version.Key));
    }
    for (const marker of DeleteMarkers.filter(({ Key }) => Key === CANARY_KEY || !stays.has(Key))) {
      await remove(marker);
    }
  } catch {
    // The outcome of the proof matters, not the cleaning; a real fault of the service showed there already.
  }
}
