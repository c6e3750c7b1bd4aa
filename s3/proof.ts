/** The proof that a bucket's policy is in force: each identity tries what it must be able to do, and what it must not. */
import type { LifecycleRule, S3 } from "@aws-sdk/client-s3";
import type { PolicyForm } from "../plan/bucket-policy";
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
  isFull,
  isUnsupported,
  ofNoAnswer,
  patiently,
  putAsProxy,
  where,
  type BucketAddress,
} from "./client";

/** All that the proof writes lies below this prefix, in the form of a repository. */
export const PROOF_PREFIX = `${CANARY_PREFIX}proof/`;
/** The object that the writer must not be able to delete. */
export const CANARY_KEY = `${PROOF_PREFIX}keys/undeletable`;
/** A lock, which the writer must be able to delete. */
export const CANARY_LOCK_KEY = `${PROOF_PREFIX}locks/canary`;

/** As many versions of one key are looked at, the newest; others may have written any number. */
const PAGE = 50;

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
 * @returns the form that holds, what those before it came to, and what could not be tried because the bucket is full
 * @throws Error that says what each form came to, if none holds; then the first that the service takes stays
 */
export async function settleBestPolicy(
  hands: Hands,
  address: BucketAddress,
  forms: readonly PolicyForm[],
  inForce: Omit<InForce, "policy">,
  patience = PATIENCE,
): Promise<{ form: PolicyForm; failed: readonly string[]; untried: readonly string[] }> {
  const failed: string[] = [];
  let taken: PolicyForm | undefined;
  for (const form of forms) {
    try {
      await settlePolicy(hands.owner, address, form.policy, patience);
      taken ??= form;
      const untried = await prove(hands, address, { ...inForce, policy: form.policy }, patience);
      return { form, failed, untried };
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
 * Whoever had the writer's keys may have left any object in the canary's place: one that cannot be read, that a lock
 * keeps from everybody, or many. So the canary is written anew each time, and nothing is read out of an older one.
 *
 * Leaves one object behind, always the same. What else it writes the owner removes again; where policy or object lock
 * bind the owner too, a versioned bucket keeps one hidden version of canary and lock per proof, until the lifecycle
 * removes it.
 *
 * @returns what could not be tried because the bucket is full, in words; empty where all holds
 * @throws Error that says which of these does not hold
 */
export async function prove(
  hands: Hands,
  address: BucketAddress,
  inForce: InForce,
  patience = PATIENCE,
): Promise<readonly string[]> {
  return await patiently(patience, () => proveOnce(hands, address, inForce));
}

async function proveOnce(hands: Hands, address: BucketAddress, inForce: InForce): Promise<readonly string[]> {
  const written = await explained(
    address,
    `write "${CANARY_KEY}" as the writer`,
    () => putUnlessFull(hands.writer ?? hands.owner, address.bucket, CANARY_KEY),
    "The writer could not add backups either: check that its keys belong to the project or principal in the policy.",
  );
  try {
    return await proveWith(written, hands, address, inForce);
  } finally {
    await tidy(hands.owner, address.bucket, CANARY_KEY, inForce.locked, written);
    await tidy(hands.owner, address.bucket, CANARY_LOCK_KEY, inForce.locked);
  }
}

async function proveWith(
  written: Written | "full",
  hands: Hands,
  address: BucketAddress,
  inForce: InForce,
): Promise<readonly string[]> {
  const untried = new Set<string>();
  const Bucket = address.bucket;
  const canary = { Bucket, Key: CANARY_KEY };
  const writer = hands.writer ?? hands.owner;
  const version = written === "full" ? await newestVersion(hands.owner, Bucket) : written.VersionId;
  const versioned = version !== undefined && version !== "null";
  // With the bypass, for the policy shall refuse it and not the object lock alone, which ends.
  const bypass = inForce.locked ? { BypassGovernanceRetention: true } : {};
  const deleteVersion = (hand: S3) => () => hand.deleteObject({ ...canary, VersionId: version, ...bypass });
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
  if (hands.writer === undefined) {
    return [...untried];
  }
  await mustNotTamper(address, "writer", writer, inForce);
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
  const remover = hands.keeper === undefined ? "owner" : "keeper";
  const broughtBack = `the owner can read what the writer wrote, and bring back what the ${remover} removed`;
  if (written === "full") {
    return [...untried, broughtBack];
  }
  await explained(
    address,
    `read "${CANARY_KEY}" as the owner`,
    () => hands.owner.headObject({ ...canary, ...(versioned ? { VersionId: version } : {}) }),
    "The owner could not repair the backups: where objects belong to whoever wrote them (Ceph RGW), the policy must " +
      "name the owner, so give s3.identities.owner.principal or projectId.",
  );
  const marker = await explained(
    address,
    `remove "${CANARY_KEY}" as the ${remover}`,
    () => (hands.keeper ?? hands.owner).deleteObject(canary),
    "Retention could not remove what is out of date: check that these keys belong to the principal in the policy.",
  );
  await explained(address, `bring "${CANARY_KEY}" back as the owner`, async () => {
    if (versioned) {
      await hands.owner.deleteObject({ ...canary, VersionId: marker.VersionId });
      await mustBeThere(writer, canary);
    } else if ((await putUnlessFull(writer, Bucket, CANARY_KEY)) === "full") {
      untried.add(broughtBack);
    }
  });
  return [...untried];
}

/** What the service says of an object that was put. */
interface Written {
  readonly VersionId?: string;
}

async function putUnlessFull(writer: S3, Bucket: string, Key: string): Promise<Written | "full"> {
  try {
    return await putAsProxy(writer, { Bucket, Key, Body: "the proof of the bucket's policy\n" });
  } catch (error) {
    // It says nothing of the policy, and whoever has the writer's keys can bring it about.
    if (isFull(error)) {
      return "full";
    }
    throw error;
  }
}

/** The newest version of the canary, whoever wrote it; a service without versions has none. */
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

/** Where somebody encrypts the canary with a key of his own meanwhile, the answer is 400; it is there all the same. */
async function mustBeThere(hand: S3, canary: { Bucket: string; Key: string }): Promise<void> {
  try {
    await hand.headObject(canary);
  } catch (error) {
    if (answerOf(error).status !== 400) {
      throw error;
    }
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
 * Removes what proofs left of one key: its delete markers, and its versions but the canary that was `written` now. Where
 * a full bucket took none, the versions of the canary stay as they are. The owner may be bound by the policy, or by an
 * object lock: then a version stays, and with it the marker that hides a lock.
 */
async function tidy(
  owner: S3,
  Bucket: string,
  key: string,
  locked: boolean,
  written?: Written | "full",
): Promise<void> {
  const bypass = locked ? { BypassGovernanceRetention: true } : {};
  const remove = ({ Key, VersionId }: { Key?: string; VersionId?: string }): Promise<unknown> =>
    owner.deleteObject({ Bucket, Key, VersionId, ...bypass });
  try {
    // Newest first; the lifecycle removes the rest.
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
    // The outcome of the proof matters, not the cleaning; a real fault of the service showed there already.
  }
}

/** The versions in whose place there is a new canary. */
function superseded<T extends Written>(versions: readonly T[], written: Written | "full"): readonly T[] {
  if (written === "full") {
    return [];
  }
  // A bucket that keeps no versions has one, which goes by "null" or no name at all.
  const { VersionId = versions[0]?.VersionId } = written;
  return versions.filter((version) => version.VersionId !== VersionId);
}
