/** The connection to an S3 service, and its answers in words that an operator can act on. */
import type { PutObjectCommandOutput, S3 } from "@aws-sdk/client-s3";
import type { S3Credentials } from "../config";

export type { S3Credentials };

/** A bucket and the service that holds it. */
export interface BucketAddress {
  /** URL of the service, or its bare host name with an optional port (then https). */
  readonly endpoint: string;
  /** Region that requests are signed for; where the service has regions, also the bucket's place. */
  readonly region: string;
  /** Name of the bucket. */
  readonly bucket: string;
}

/** What S3 said about a failed call. */
export interface S3Answer {
  /** S3's own code, such as `AccessDenied`, or the operating system's, such as `ECONNREFUSED`. */
  readonly code: string;
  /** HTTP status; absent when no answer came. */
  readonly status?: number;
  readonly message: string;
}

/** Longest wait for a connection, and for one whole answer, in milliseconds. */
const CONNECT_MS = 5_000;
const ANSWER_MS = 30_000;
/** Calls are tried this often when the service is busy or the network fails. */
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
 * A client for one identity. The SDK is loaded here and not above: a dynamic provider is stored as text with
 * everything that it refers to, and a program that only previews need not load the SDK at all.
 */
export async function connect(address: BucketAddress, credentials: S3Credentials): Promise<S3> {
  // The engine would print the SDK's advice about coming Node versions into every update.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const sdk = await import("@aws-sdk/client-s3");
  const client = new sdk.S3({
    endpoint: endpointUrl(address.endpoint),
    region: address.region,
    credentials: { accessKeyId: credentials.accessKeyId, secretAccessKey: credentials.secretAccessKey },
    forcePathStyle: true,
    maxAttempts: ATTEMPTS,
    // Services other than Amazon's refuse or ignore the checksums that the SDK adds of its own accord.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Settings of the operator's shell for Amazon's own endpoints must not leak into this connection.
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
    },
  });
  // Asked for MD5 the SDK sends Content-MD5, which every service knows, and names the algorithm in a header that
  // makes some services look for another one.
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      if (headers["x-amz-sdk-checksum-algorithm"] === "MD5") {
        delete headers["x-amz-sdk-checksum-algorithm"];
      }
      return next(args);
    },
    { step: "build", priority: "low" },
  );
  return client;
}

/**
 * Puts an object by the request that the proxy's rclone sends (test/unit/proxy-rclone.test.ts holds them against each
 * other), so that what a service or a policy refuses the proxy is refused here too: a checksum, a time in the metadata,
 * a body that is not signed, and no ACL.
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

/** Reads the code, status and message out of whatever a call threw. */
export function answerOf(error: unknown): S3Answer {
  const e = (typeof error === "object" && error !== null ? error : {}) as {
    name?: string;
    code?: string;
    message?: string;
    errors?: unknown[];
    $metadata?: { httpStatusCode?: number };
  };
  // Node tries each address of a host and wraps what each of them said.
  if (e.errors?.[0] !== undefined && e.$metadata?.httpStatusCode === undefined) {
    return answerOf(e.errors[0]);
  }
  const status = e.$metadata?.httpStatusCode;
  const code = (status === undefined ? e.code : undefined) ?? e.name ?? "unknown";
  return { code, message: e.message ?? String(error), ...(status === undefined ? {} : { status }) };
}

/** Whether the call got no answer. What is thrown otherwise than by a call has no metadata. */
export function ofNoAnswer(error: unknown): boolean {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return $metadata !== undefined && $metadata.httpStatusCode === undefined;
}

/** Whether the service says that it does not know the call at all. */
export function isUnsupported(error: unknown): boolean {
  const { code, status } = answerOf(error);
  return code === "NotImplemented" || code === "MethodNotAllowed" || status === 501;
}

/** Whether the service knows who asks and refuses: not an expired or mistyped key, which is a 403 too. */
export function isDenied(error: unknown): boolean {
  const { code, status } = answerOf(error);
  return status === 403 && (code === "AccessDenied" || code === "Forbidden" || code === "403");
}

/** Whether the service stores no more: a quota is used up, or its disks are. */
export function isFull(error: unknown): boolean {
  const { code, status } = answerOf(error);
  return code.endsWith("QuotaExceeded") || status === 507;
}

/**
 * Does one step; a failure becomes {@link failure}.
 *
 * @param doing the step in words that continue "cannot …", such as `set the policy`
 * @param remedy what the operator can do, where that does not follow from S3's code
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

/** The error of a failed step: what failed where, S3's code and words, and what to do about it. */
export function failure(address: BucketAddress, doing: string, error: unknown, remedy?: string): Error {
  const answer = answerOf(error);
  const status = answer.status === undefined ? "" : ` (HTTP ${answer.status})`;
  // Some services put a whole page into the message.
  const words = answer.message.replace(/\s+/g, " ").slice(0, 200);
  const parts = [answer.code + status, words].filter(
    (part) => part !== "" && part !== "Error" && part !== "UnknownError",
  );
  const said = [...new Set(parts)].join(": ");
  return new Error(`${where(address)}: cannot ${doing}: ${said}. ${remedy ?? remedyFor(error)}`, {
    cause: error,
  });
}

/** The bucket and its endpoint, as every message names them. */
export function where(address: BucketAddress): string {
  return `S3 bucket "${address.bucket}" at ${endpointUrl(address.endpoint)}`;
}

function remedyFor(error: unknown): string {
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
      return 'The bucket was removed outside of this stack: "pulumi up --refresh" makes a new, empty one.';
    case "InvalidBucketName":
      return "Choose a name of 3 to 63 lower-case letters, digits and hyphens.";
    case "TooManyBuckets":
    case "QuotaExceeded":
      return "Ask the operator of the S3 service for a higher quota.";
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
 * Repeats what a service may put in force with a delay until it succeeds.
 *
 * @param pauses milliseconds between the tries; the last failure is thrown when they are used up
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
