/** The identities: that they are different, and that their keys give access to S3 only. */
import { type S3Credentials } from "../../../config";
import type { S3 } from "@aws-sdk/client-s3";
import { explained } from "../../../s3/client";
import type { OpenStackSession } from "../openstack/session";
import type { Finding } from "../probe";
import { open, ring2, type BucketProbe, type HostIdentity } from "./target";
import { tokenFor } from "./keystone-token";

/** The service's own name for an identity. */
async function nameOf(s3: S3): Promise<string> {
  const id = (await s3.listBuckets({})).Owner?.ID;
  if (id === undefined || id === "") throw new Error("the service does not report the identity");
  return id;
}

/** Whether owner, writer and keeper are different identities for the service. */
export async function identities(target: BucketProbe): Promise<Finding> {
  const about = {
    id: "s3.identities",
    tried: "each identity reads its name at the service",
    expected: "owner, writer and keeper are different identities",
    remedy: "give each of s3.identities an OpenStack project (or credentials of a user) of its own",
  };
  if (target.open.writer !== undefined) {
    return await open(about, target.open.writer, "the proxy holds the owner's own keys");
  }
  return await ring2(about, async () => {
    const clients = {
      owner: target.owner,
      writer: target.writer,
      ...(target.keeper && { keeper: target.keeper }),
    };
    const names = await Promise.all(
      Object.entries(clients).map(async ([role, s3]) => [role, await nameOf(s3)] as const),
    );
    const same = names.filter(([, name], at) => names.findIndex(([, other]) => other === name) !== at);
    return same.length === 0
      ? { holds: true, happened: `${String(names.length)} different identities` }
      : { holds: false, happened: `${same.map(([role]) => role).join(", ")} is the same as another` };
  });
}

/** With a token the Swift API gives access to the same objects, and lets their creator set a time for their deletion. */
export function keystoneTokens(target: BucketProbe, session: Promise<OpenStackSession>): Promise<Finding>[] {
  const { owner, writer = owner, keeper } = target.bucket;
  const held: [HostIdentity["role"], S3 | undefined, S3Credentials | undefined][] = [
    ["writer", target.writer, writer],
    ["keeper", target.keeper, keeper],
  ];
  return held.flatMap(([role, s3, keys]) => {
    if (s3 === undefined || keys === undefined) return [];
    const about = {
      id: `s3.${role}-token`,
      tried: `verify asks Keystone for a token with the ${role}'s S3 keys (/v3/ec2tokens, /v3/s3tokens)`,
      expected: "refused: with a token the gateway's Swift API lets versions expire",
      remedy:
        "update Keystone (CVE-2025-65073), or disable the gateway's Swift API, or use object lock; until then an attacker " +
        "on the proxy can destroy what the proxy wrote",
    };
    return [
      ring2(about, async () => {
        // Keys that do not work get no token either.
        await explained(target.address, `read the name of the ${role}`, () => nameOf(s3));
        const given = await tokenFor((await session).endpoint("identity"), keys);
        return given === undefined
          ? { holds: true, happened: "refused" }
          : { holds: false, happened: `${given} gave a token (it is revoked)` };
      }),
    ];
  });
}
