/** What one recovery works on, and what has to be known before it starts. */
import type { S3 } from "@aws-sdk/client-s3";
import { repositoryPassword } from "../../plan/keys";
import { explained } from "../../s3/client";
import { QUARANTINE } from "../../s3/history";
import { listVersions, plannableVersions } from "../../s3/versions";
import { type DeployedRepository, type Deployment, repositoriesOf } from "../deployment";
import { moment } from "../printable";
import type { RecoverRequest } from "./arguments";
import { type Aim, type Plan, planRecovery } from "./plan";

const DAY_MS = 24 * 3600_000;

/** The recovery of one repository. */
export interface Recovery {
  /** With the owner's keys. */
  s3: S3;
  deployment: Deployment;
  request: RecoverRequest;
  /** Secret. */
  password: string;
  /** Prints one or more lines for the operator. */
  print: (text: string) => void;
}

/** `CLIENT/REPOSITORY` */
export const nameOf = ({ client, repository }: Pick<RecoverRequest, "client" | "repository">): string =>
  `${client}/${repository}`;

/** The command line of this request with another end. */
export function commandLine({ client, repository, at, stack }: RecoverRequest, end: string): string {
  const options = ["--client", client, "--repository", repository, "--at", moment(at)];
  return `npm run recover -- ${[...options, ...(stack === undefined ? [] : ["--stack", stack])].join(" ")} ${end}`;
}

function configured(deployment: Deployment, request: RecoverRequest): DeployedRepository | undefined {
  return deployment.clients
    .find(({ name }) => name === request.client)
    ?.repositories.find(({ name }) => name === request.repository);
}

/**
 * The password of a repository; that of a removed one is derived.
 *
 * @throws Error where neither the stack nor the bucket has such a repository
 */
export async function passwordOf(s3: S3, deployment: Deployment, request: RecoverRequest): Promise<string> {
  const known = configured(deployment, request);
  if (known !== undefined) return known.password;
  const { client, repository } = request;
  const name = nameOf(request);
  if ((await listVersions(s3, deployment.bucket, `${name}/`, 1)).length === 0) {
    const all = repositoriesOf(deployment.clients).map(nameOf);
    const unknown = deployment.clients.some(({ name }) => name === client) ? "--repository" : "--client";
    throw new Error(
      `${unknown}: the stack has no repository ${name}, and the bucket no objects of a removed one; ` +
        `there are ${all.join(", ")}`,
    );
  }
  return repositoryPassword(deployment.repositoryRootKey, client, repository);
}

/** Why a plan cannot be applied, with the remedy; `undefined`: it can. */
export async function obstacle({
  s3,
  deployment: { bucket },
  request,
}: Recovery): Promise<string | undefined> {
  if (bucket.writer === undefined) {
    return (
      "the stack has one S3 identity, so the policy that denies deletions applies to the bucket's owner too. " +
      "Give s3.identities.writer a project of its own, run pulumi up, and repeat this; or restore to this machine:\n" +
      `  ${commandLine(request, "-- restore ID --target DIRECTORY")}`
    );
  }
  const { Status } = await explained(bucket, "read the versioning of the bucket", () =>
    s3.getBucketVersioning({ Bucket: bucket.bucket }),
  );
  return Status === "Enabled"
    ? undefined
    : "the bucket keeps no versions now, so a change could destroy what it replaces. Set s3.versioning to true, " +
        "run pulumi up --refresh, and repeat this";
}

/** What the operator should know before they trust the plan. */
export function warnings({ deployment, request }: Recovery, now: number): string[] {
  const { client, at } = request;
  const days = deployment.bucket.noncurrentVersionDays;
  const oldest = now - days * DAY_MS;
  return [
    ...(configured(deployment, request) === undefined
      ? [
          `${nameOf(request)} belongs to no client of the stack, so its derived password is used. If it had a password of ` +
            'its own, add the client with that to the configuration, with "frozen: true", and run pulumi up first',
        ]
      : []),
    ...(deployment.clients.some(({ name, frozen }) => name === client && !frozen)
      ? [
          `the client ${client} is not frozen: it can add to the repository during the recovery. ` +
            `Run npm run freeze -- ${client} first`,
        ]
      : []),
    ...(at < oldest
      ? [
          `the bucket keeps old versions for ${days} days: versions that were deleted or overwritten before ` +
            `${moment(oldest)} may have expired`,
        ]
      : []),
  ];
}

/**
 * The aim of a recovery that starts now.
 *
 * @param owner what the S3 service calls the owner; `undefined`: unknown
 */
export function aimOf(request: RecoverRequest, owner: string | undefined): Aim {
  const run = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  return {
    prefix: `${nameOf(request)}/`,
    at: request.at,
    quarantine: `${QUARANTINE}/${run}`,
    ...(owner === undefined ? {} : { owner }),
  };
}

/**
 * The plan, by what the bucket contains now.
 *
 * @throws Error where there was no repository at that time
 */
export async function currentPlan({ s3, deployment: { bucket } }: Recovery, aim: Aim): Promise<Plan> {
  const { prefix, at } = aim;
  const entries = await plannableVersions(s3, bucket, prefix);
  const plan = planRecovery(entries, aim);
  if (plan.existed) return plan;
  const first = entries.findLast(({ key, marker }) => key === `${prefix}config` && !marker)?.modified;
  throw new Error(
    `--at ${moment(at)}: there was no repository ${prefix.slice(0, -1)} at that time, or its versions have expired; ` +
      (first === undefined
        ? "no other time helps: the bucket has no version of its config file"
        : `give a time from ${moment(first)} on`),
  );
}
