/** The connection to an S3 service, and its errors in words that an operator can act on. */
import type { PutObjectCommandOutput, S3 } from "@aws-sdk/client-s3";
import type { S3Credentials } from "../config";
import { answerOf, ofNoAnswer } from "./answers";
import { CHECKSUM_HEADER, CHECKSUMS, isFull, SETTINGS_CHECKSUM } from "./services";

export type { S3Credentials };

/** A bucket and the service that holds it. */
export interface BucketAddress {
  /** URL of the service, or its bare host name with an optional port (then https). */
  readonly endpoint: string;
  /** Region that requests are signed for, and the place of a new bucket where the service has regions. */
  readonly region: string;
  /** Name of the bucket. */
  readonly bucket: string;
}

/** Timeouts of a connection and of one whole answer, in milliseconds. */
const CONNECT_MS = 5_000;
const ANSWER_MS = 30_000;
/** Attempts at a call while the service is busy or the network fails. */
const ATTEMPTS = 4;

/**
 * The endpoint as a URL without a trailing slash; a bare host means https.
 *
 * @throws Error when it is neither a host nor an http(s) URL, or holds credentials, a path or a query.
 */
export function endpointUrl(endpoint: string): string {
  const text = endpoint.includes("://") ? endpoint : `https://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username + url.password + url.search + url.hash !== "" ||
    url.pathname !== "/"
  ) {
    throw new Error("the S3 endpoint must be a host name or an http(s) URL without path or credentials");
  }
  return `${url.protocol}//${url.host}`;
}

/**
 * A client for one identity. The SDK is loaded here and not above: a dynamic provider is stored as source code with
 * everything that it refers to, and a program that only previews need not load the SDK at all.
 *
 * @param answerMs timeout of one whole answer, in milliseconds. @default 30 s
 */
export async function connect(
  address: BucketAddress,
  credentials: S3Credentials,
  answerMs = ANSWER_MS,
): Promise<S3> {
  // The engine would print the SDK's advice about future Node versions in every update.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const sdk = await import("@aws-sdk/client-s3");
  const client = new sdk.S3({
    endpoint: endpointUrl(address.endpoint),
    region: address.region,
    credentials: { accessKeyId: credentials.accessKeyId, secretAccessKey: credentials.secretAccessKey },
    forcePathStyle: true,
    maxAttempts: ATTEMPTS,
    ...CHECKSUMS,
    // The operator's shell may have settings for Amazon's own endpoints.
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: answerMs,
      throwOnRequestTimeout: true,
    },
  });
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      if (headers[CHECKSUM_HEADER] === SETTINGS_CHECKSUM) {
        Reflect.deleteProperty(headers, CHECKSUM_HEADER);
      }
      return next(args);
    },
    { step: "build", priority: "low" },
  );
  return client;
}

/**
 * Puts an object by the request that the proxy's rclone sends (test/unit/proxy-rclone.test.ts compares them), so that a
 * service or policy that refuses the proxy refuses this too: a checksum, a time in the metadata, an unsigned body, no ACL.
 */
export async function putAsProxy(
  writer: S3,
  object: { readonly Bucket: string; readonly Key: string; readonly Body: string },
): Promise<PutObjectCommandOutput> {
  const { PutObjectCommand } = await import("@aws-sdk/client-s3");
  const { createHash } = await import("node:crypto");
  const put = new PutObjectCommand({
    ...object,
    ContentType: "application/octet-stream",
    ContentMD5: createHash("md5").update(object.Body).digest("base64"),
    Metadata: { mtime: (Date.now() / 1000).toFixed(9) },
  });
  put.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers["x-amz-content-sha256"] =
        "UNSIGNED-PAYLOAD";
      return next(args);
    },
    { step: "build", priority: "low" },
  );
  return await writer.send(put);
}

/**
 * Does one step; an error becomes a {@link failure}.
 *
 * @param doing the step in words that continue "cannot …", such as `set the policy`
 * @param remedy what the operator can do; default: what follows from S3's code
 */
export async function explained<T>(
  address: BucketAddress,
  doing: string,
  step: () => Promise<T>,
  remedy?: string,
): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw failure(address, doing, error, remedy);
  }
}

/** The error of a failed step: what failed where, S3's code and message, and the remedy. */
export function failure(address: BucketAddress, doing: string, error: unknown, remedy?: string): Error {
  const answer = answerOf(error);
  const status = answer.status === undefined ? "" : ` (HTTP ${answer.status})`;
  // Some services put a whole page into the message.
  const words = answer.message.replace(/\s+/g, " ").slice(0, 200);
  const parts = [answer.code + status, words].filter(
    (part) => part !== "" && part !== "Error" && part !== "UnknownError",
  );
  const reason = [...new Set(parts)].join(": ");
  return new Error(`${where(address)}: cannot ${doing}: ${reason}. ${remedy ?? remedyFor(error)}`, {
    cause: error,
  });
}

/** The bucket and its endpoint, as every message names them. */
export function where(address: BucketAddress): string {
  return `S3 bucket "${address.bucket}" at ${endpointUrl(address.endpoint)}`;
}

const HIGHER_QUOTA = "Ask the operator of the S3 service for a higher quota.";

function remedyFor(error: unknown): string {
  if (isFull(error)) return HIGHER_QUOTA;
  switch (answerOf(error).code) {
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
    case "InvalidToken":
      return "Check the access key and secret of this identity; keys of a deleted user or project stop working.";
    case "RequestTimeTooSkewed":
      return "Set the clock of this machine.";
    case "AccessDenied":
    case "Forbidden":
    case "403":
      return "Check that these are the keys of the bucket's owner, and that no policy set by hand binds the owner.";
    case "NoSuchBucket":
    case "NotFound":
      return 'The bucket was removed outside of this stack: "pulumi up --refresh" creates a new, empty one.';
    case "InvalidBucketName":
      return "Choose a name of 3 to 63 lower-case letters, digits and hyphens.";
    case "TooManyBuckets":
      return HIGHER_QUOTA;
    case "MalformedPolicy":
    case "InvalidArgument":
      return "The service does not understand this policy; it must know every action and principal in it.";
    case "PermanentRedirect":
    case "AuthorizationHeaderMalformed":
    case "InvalidLocationConstraint":
      return "Check the region: it must be the one that the endpoint serves.";
    case "NotImplemented":
      return "This S3 service lacks the function, so it cannot hold protected backups.";
    default:
      return ofNoAnswer(error)
        ? "Check the endpoint, and that it can be reached from the machine that runs pulumi."
        : "The step is safe to repeat: run the update again.";
  }
}

/**
 * Repeats an attempt until it succeeds, because a service may put a change in force with a delay.
 *
 * @param pauses milliseconds between the attempts
 * @throws the last attempt's error
 */
export async function patiently<T>(pauses: readonly number[], attempt: () => Promise<T>): Promise<T> {
  for (const pause of pauses) {
    try {
      return await attempt();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return await attempt();
}
