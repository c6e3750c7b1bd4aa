/**
 * What S3 services do differently: each difference once, with the service that shows it where that is known. "Measured":
 * a test shows it on that service. Code that depends on a difference uses what is exported here. Which service has which
 * function is a table in docs/handbook.md, "S3 services and credentials".
 */
import { answerOf } from "./answers";

/** Unknown calls: 501 `NotImplemented`, or 405 `MethodNotAllowed`, as Ceph RGW 16 for websites (measured). */
export function isUnsupported(error: unknown): boolean {
  const { code, status } = answerOf(error);
  return code === "NotImplemented" || code === "MethodNotAllowed" || status === 501;
}

/**
 * Refusals by a policy: 403 with `AccessDenied`; the answer to a HEAD has no body, and the SDK makes `Forbidden` or `403`
 * of it. Keys that are unknown or mistyped get 403 with other codes.
 */
export function isDenied(error: unknown): boolean {
  const { code, status } = answerOf(error);
  return status === 403 && ["AccessDenied", "Forbidden", "403"].includes(code);
}

/**
 * Full buckets: Ceph RGW 403 `QuotaExceeded` (measured), MinIO 400 `XMinioAdminBucketQuotaExceeded`; 507 where the disks
 * are full.
 */
export function isFull(error: unknown): boolean {
  const { code, status } = answerOf(error);
  return code.endsWith("QuotaExceeded") || status === 507;
}

/** Checksums of the SDK's own choice: Amazon alone knows them all; others refuse the request or ignore them. */
export const CHECKSUMS = {
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
} as const;

/**
 * The checksum of a call that changes a setting: every service knows Content-MD5, and some refuse the call without it.
 * Some look for another checksum when {@link CHECKSUM_HEADER} names MD5, so the client leaves that header out.
 */
export const SETTINGS_CHECKSUM = "MD5";
export const CHECKSUM_HEADER = "x-amz-sdk-checksum-algorithm";

/**
 * The place of a new bucket: the SDK asks for the client's region. A service that names its places otherwise, as Ceph RGW
 * does, refuses that; only for this region does the SDK let the service choose.
 */
export const PLACELESS_REGION = "us-east-1";

/**
 * The quotas of a bucket and its user in bytes, -1 for none: Ceph RGW alone reports them, in the answer to the owner's
 * HEAD of the bucket, whether they are enabled or not (measured on 16). A default for all buckets is not reported.
 */
export const QUOTA_HEADERS = ["x-rgw-quota-bucket-size", "x-rgw-quota-user-size"] as const;

/**
 * The one PublicAccessBlock setting that protects and breaks nothing. Ignoring public ACLs covers every one: the
 * bucket's, an object's, one that comes with an upload or a copy, and old ones. (An ACL that names another account is not
 * public, and stays valid.) On Ceph RGW 16 (measured) the others break backups: `BlockPublicAcls` refuses every upload,
 * also a private one, and no copy; `BlockPublicPolicy` takes any grant to another project for public and so refuses the
 * bucket's own policy; `RestrictPublicBuckets` does nothing, and by the same judgement could lock out the hosts.
 */
export const HARMLESS_BLOCK = "IgnorePublicAcls";

/** The grantee of a grant that names nobody: MinIO, which has no ACLs, answers with such a grant. */
export const NO_GRANTEE = "";

/** What a versioned bucket calls the version of an object that was put without versioning. */
export const NULL_VERSION = "null";

/**
 * The canary after an attacker has encrypted it with a customer key: a HEAD without that key answers 400. The
 * object exists all the same.
 */
export const ENCRYPTED_STATUS = 400;

/** ETags come with or without quotes, by service and call. */
export const plainEtag = (etag: string | undefined): string => (etag ?? "").replaceAll('"', "");

/** Keys in XML that are not encoded, as in a marker of Ceph RGW: the parser turns every line end into one character. */
export const asInXml = (key: string): string => key.replace(/\r\n?/g, "\n");

/**
 * The keys that a listing's `NextKeyMarker` may stand for: with `EncodingType: url` Amazon encodes it, and Ceph RGW does
 * not.
 *
 * @param decode decodes a key of this listing
 */
export const markerReadings = (marker: string, decode: (key: string) => string): readonly string[] => [
  marker,
  decode(marker),
];
