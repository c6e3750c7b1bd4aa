import { parse } from "yaml";
import type { S3Identity, StackConfig } from "../config";
import { createdByStack } from "./identities";

/** What decides how the OpenStack provider logs in. */
export interface LoginSettings {
  /** `OS_*` of the environment. */
  environment: Record<string, string | undefined>;
  /** `openstack:*` of the configuration. */
  configured: { cloud?: string; applicationCredentialId?: string; applicationCredentialName?: string };
  /** Text of `clouds.yaml`, where there is one. */
  clouds?: string;
}

/** Whether the provider logs in by an application credential, as far as these settings say. */
export function byApplicationCredential({ environment, configured, clouds }: LoginSettings): boolean {
  const given = [
    configured.applicationCredentialId,
    configured.applicationCredentialName,
    environment["OS_APPLICATION_CREDENTIAL_ID"],
    environment["OS_APPLICATION_CREDENTIAL_NAME"],
  ];
  if (given.some((value) => value !== undefined && value !== "")) return true;
  const name = configured.cloud ?? environment["OS_CLOUD"];
  if (name === undefined || clouds === undefined) return false;
  const entry = entryOf(clouds, name);
  const auth = entry?.auth ?? {};
  return entry?.auth_type === "v3applicationcredential" || "application_credential_id" in auth;
}

/** The entry of a cloud; a file that cannot be read is the provider's to complain about. */
function entryOf(clouds: string, name: string): { auth_type?: string; auth?: object } | undefined {
  try {
    const file = parse(clouds) as { clouds?: Record<string, { auth_type?: string; auth?: object }> } | null;
    return file?.clouds?.[name];
  } catch {
    return undefined;
  }
}

/**
 * What to give instead, where the stack shall create S3 credentials and logs in by an application credential: Keystones
 * with the fix for CVE-2026-43001 let one create EC2 credentials in its own project at most, and the provider's error says
 * no more than "403". `undefined` where nothing is to be said.
 */
export function credentialAdvice(
  identities: StackConfig["s3"]["identities"],
  settings: LoginSettings,
): string | undefined {
  const created = Object.entries<S3Identity | undefined>(identities).flatMap(([role, identity]) =>
    identity !== undefined && createdByStack(identity) ? [{ role, projectId: identity.projectId }] : [],
  );
  const [first] = created;
  if (first === undefined || !byApplicationCredential(settings)) return undefined;
  return (
    `s3.identities: the EC2 credentials of ${created.map(({ role }) => role).join(", ")} are created with an application ` +
    "credential. Keystone with the fix for CVE-2026-43001 lets one create them in its own project at most. Where this " +
    "update fails with 403 (Ec2CredentialV3), run it as a user with a password, or create them as one, for instance: " +
    `openstack --os-project-id ${first.projectId} ec2 credentials create; and give, in the place of ` +
    `s3.identities.${first.role}.projectId: accessKeyId, secretAccessKey (pulumi config set --secret --path …) and ` +
    `principal arn:aws:iam::${first.projectId}:root`
  );
}
