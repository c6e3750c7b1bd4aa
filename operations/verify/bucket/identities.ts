/** The identities: that they are different ones, and that their keys open nothing but S3. */
import { type S3Credentials } from "../../../config";
import type { S3 } from "@aws-sdk/client-s3";
import { explained } from "../../../s3/client";
import type { OpenStackSession } from "../openstack/session";
import type { Finding } from "../probe";
import { open, ring2, type Bench, type Hand } from "./bench";
import { tokenFor } from "./keystone-token";

/** The service's own name for whoever asks. */
async function nameOf(s3: S3): Promise<string> {
  const id = (await s3.listBuckets({})).Owner?.ID;
  if (id === undefined || id === "") throw new Error("the service does not say who asks");
  return id;
}

/** Whether owner, writer and keeper are different identities for the service. */
export async function identities(bench: Bench): Promise<Finding> {
  const about = {
    id: "s3.identities",
    tried: "each identity asks the service who it is",
    expected: "owner, writer and keeper are different identities",
    remedy: "give each of s3.identities an OpenStack project (or credentials of a user) of its own",
  };
  if (bench.open.writer !== undefined) {
    return await open(about, bench.open.writer, "the proxy holds the owner's own keys");
  }
  return await ring2(about, async () => {
    const hands = { owner: bench.owner, writer: bench.writer, ...(bench.keeper && { keeper: bench.keeper }) };
    const names = await Promise.all(
      Object.entries(hands).map(async ([role, s3]) => [role, await nameOf(s3)] as const),
    );
    const same = names.filter(([, name], at) => names.findIndex(([, other]) => other === name) !== at);
    return same.length === 0
      ? { holds: true, happened: `${String(names.length)} different identities` }
      : { holds: false, happened: `${same.map(([role]) => role).join(", ")} is one of the others` };
  });
}

/** A token opens the same objects by the Swift API, where their creator sets a time at which their versions go. */
export function keystoneTokens(bench: Bench, session: Promise<OpenStackSession>): Promise<Finding>[] {
  const { owner, writer = owner, keeper } = bench.bucket;
  const held: [Hand["role"], S3 | undefined, S3Credentials | undefined][] = [
    ["writer", bench.writer, writer],
    ["keeper", bench.keeper, keeper],
  ];
  return held.flatMap(([role, s3, keys]) => {
    if (s3 === undefined || keys === undefined) return [];
    const about = {
      id: `s3.${role}-token`,
      tried: `the ${role}'s S3 keys ask Keystone for a token (/v3/ec2tokens, /v3/s3tokens)`,
      expected: "none is given: by the gateway's Swift API a token lets versions expire",
      remedy:
        "update Keystone (CVE-2025-65073), or switch the gateway's Swift API off, or use object lock; until then " +
        "whoever takes the proxy can destroy what it wrote",
    };
    return [
      ring2(about, async () => {
        // Keys that are good for nothing get no token either.
        await explained(bench.address, `ask who the ${role} is`, () => nameOf(s3));
        const given = await tokenFor((await session).endpoint("identity"), keys);
        return given === undefined
          ? { holds: true, happened: "none is given" }
          : { holds: false, happened: `${given} gave a token (it is revoked)` };
      }),
    ];
  });
}
