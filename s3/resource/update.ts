/** Carries out what the engine asks for: creates, updates, reads and removes the bucket. */
import type * as pulumi from "@pulumi/pulumi";
import type { S3 } from "@aws-sdk/client-s3";
import { connect, where } from "../client";
import { adoptOrCreate } from "../create";
import { observe } from "../observe";
import { settleBestPolicy } from "../proof";
import { removeIfEmpty } from "../remove";
import { ACL, aclInWords } from "../settings/acl";
import { settleLifecycle } from "../settings/lifecycle";
import { OBJECT_LOCK, requireObjectLock } from "../settings/object-lock";
import { PUBLIC_ACCESS_BLOCK, WANTED_BLOCK } from "../settings/public-access-block";
import { settle } from "../settings/setting";
import { VERSIONING } from "../settings/versioning";
import { withS3 } from "../with-s3";
import { sameCredentials, sameForms } from "./diff";
import { NOTES } from "./notes";
import { inputsSeen, stateOf, wantedRules, type BucketInputs, type BucketState } from "./state";

/** Prints a line about the bucket during the update. */
type Report = (note: string | undefined) => void;

const reportOn =
  (inputs: BucketInputs): Report =>
  (note) => {
    if (note !== undefined) {
      console.log(`${where(inputs)}: ${note}`);
    }
  };

export async function createBucketResource(
  inputs: BucketInputs,
): Promise<pulumi.dynamic.CreateResult<BucketState>> {
  return await withoutSecrets(inputs, async () => {
    const created = await withS3(inputs, inputs.owner, (owner) =>
      adoptOrCreate(owner, inputs, inputs.owner, inputs.retention !== undefined),
    );
    if (!created) {
      reportOn(inputs)(NOTES.adopted);
    }
    return { id: inputs.bucket, outs: await settleAll(inputs) };
  });
}

export async function updateBucketResource(
  _id: string,
  olds: BucketState,
  news: BucketInputs,
): Promise<pulumi.dynamic.UpdateResult<BucketState>> {
  // As long as the forms are the same, the one that holds is not given up for another.
  const kept = sameForms(news.policies, olds.policies) ? olds.form : undefined;
  return await withoutSecrets(news, async () => ({ outs: await settleAll(news, kept) }));
}

/**
 * Puts all settings of a bucket that exists, and proves the policy.
 *
 * @param kept the form of the policy to begin with. @default the strongest
 */
async function settleAll(inputs: BucketInputs, kept?: string): Promise<BucketState> {
  const owner = await connect(inputs, inputs.owner);
  const writer = sameCredentials(inputs.writer, inputs.owner)
    ? undefined
    : await connect(inputs, inputs.writer);
  const keeper = inputs.keeper && (await connect(inputs, inputs.keeper));
  const report = reportOn(inputs);
  try {
    const inForce = await settleSettings(owner, inputs, report);
    const forms = [...inputs.policies].sort((a, b) => Number(b.name === kept) - Number(a.name === kept));
    const { form, failed, untried } = await settleBestPolicy({ owner, writer, keeper }, inputs, forms, {
      versioning: inForce.versioning,
      rules: inForce.lifecycle === "unsupported" ? inForce.lifecycle : inForce.lifecycle.rules,
      publicAccessBlock: inForce.publicAccessBlock,
      objectLock: inputs.retention ?? "none",
    });
    report(NOTES.form(form.name, failed));
    report(NOTES.untried(untried));
    const seen = await observe(owner, inputs);
    report(NOTES.quota(seen?.quota, inputs.bucket));
    // A state without a form differs from what is wanted, so that the next update proves it.
    const uploads = inForce.lifecycle === "unsupported" ? "kept" : inForce.lifecycle.uploads;
    return stateOf(inputs, untried.length === 0 ? form : undefined, seen, uploads);
  } catch (error) {
    // The engine records the bucket all the same, and repeats the step at the next update.
    const seen = await observe(owner, inputs).catch(() => undefined);
    const message = (error as Error).message;
    throw Object.assign(new Error(message), {
      id: inputs.bucket,
      reasons: [message],
      properties: stateOf(inputs, undefined, seen),
    });
  } finally {
    owner.destroy();
    writer?.destroy();
    keeper?.destroy();
  }
}

/** Puts all settings but the policy, and reports what the service lacks. */
async function settleSettings(owner: S3, inputs: BucketInputs, report: Report) {
  if (inputs.retention !== undefined) {
    await requireObjectLock(owner, inputs);
  }
  // First, because meanwhile others have access by it.
  report(NOTES.acl(aclInWords(await settle(ACL, owner, inputs, undefined))));
  const hasVersions = (await settle(VERSIONING, owner, inputs, inputs.versioned)) !== "unsupported";
  report(inputs.versioned && !hasVersions ? NOTES.noVersioning : undefined);
  const versioning = hasVersions ? (inputs.versioned ? "Enabled" : "Suspended") : "unsupported";
  await settle(OBJECT_LOCK, owner, inputs, inputs.retention);
  const lifecycle = await settleLifecycle(owner, inputs, wantedRules(inputs, versioning));
  for (const note of NOTES.lifecycle(lifecycle)) {
    report(note);
  }
  const blockBefore = await settle(PUBLIC_ACCESS_BLOCK, owner, inputs, WANTED_BLOCK);
  report(NOTES.publicAccessBlock(blockBefore));
  const publicAccessBlock = blockBefore === "unsupported" ? blockBefore : WANTED_BLOCK;
  return { versioning, lifecycle, publicAccessBlock } as const;
}

export async function readBucketResource(
  id: string,
  state?: BucketState,
): Promise<pulumi.dynamic.ReadResult> {
  if (state?.owner === undefined) {
    throw new Error(`cannot import bucket "${id}": declare it in the program, and the update adopts it`);
  }
  return await withoutSecrets(state, async () => {
    const seen = await withS3(state, state.owner, (owner) => observe(owner, state));
    if (seen === undefined) {
      reportOn(state)(NOTES.gone);
      // Without an ID the engine removes the bucket from the state.
      return {};
    }
    const form = state.policies.find(({ name }) => name === state.form);
    const now = stateOf(state, form, seen, state.unfinishedUploads);
    return { id, props: definedOnly(now), inputs: definedOnly(inputsSeen(now, seen)) };
  });
}

/** Without undefined fields: the engine's protocol has no `undefined`, and a refresh would fail. */
function definedOnly<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

export async function deleteBucketResource(_id: string, state: BucketState): Promise<void> {
  await withoutSecrets(state, async () => {
    const removal = await withS3(state, state.owner, (owner) => removeIfEmpty(owner, state));
    reportOn(state)(NOTES.removal(removal));
  });
}

/** The last step before the operator's screen: no key passes, whatever a service puts into a message. */
async function withoutSecrets<T>(identities: BucketInputs, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { id, reasons, properties, message } = error as Error & {
      id?: string;
      reasons?: string[];
      properties?: object;
    };
    const hide = (words: string): string =>
      [identities.owner, identities.writer, identities.keeper].reduce(
        (rest, keys) =>
          keys === undefined || keys.secretAccessKey === ""
            ? rest
            : rest.replaceAll(keys.secretAccessKey, "[secret]"),
        words,
      );
    const clean = new Error(hide(message));
    throw id === undefined ? clean : Object.assign(clean, { id, reasons: reasons?.map(hide), properties });
  }
}
