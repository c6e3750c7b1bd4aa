import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import { shown } from "../config";
import { DiskOfFlavor } from "../plan";
import { nameOrId } from "./lookup";

/**
 * Asks the cloud whether these flavors have a disk. One that cannot be looked up is warned of and passes: a host that
 * exists needs it no more, and must not keep a client from being frozen.
 *
 * @throws pulumi.RunError with a line for each that has none; Pulumi prints it without a stack trace.
 */
export async function refuseFlavorsWithoutDisk(
  flavors: readonly Omit<DiskOfFlavor, "name">[],
): Promise<void> {
  const sizes = new Map<string, Promise<number | Error | undefined>>();
  const lines: string[] = [];
  for (const { host, flavor } of flavors) {
    const query = nameOrId("flavorId", flavor);
    const key = JSON.stringify(query);
    const asked = sizes.get(key) ?? openstack.compute.getFlavor(query).then(({ disk }) => disk, toError);
    sizes.set(key, asked);
    const size = await asked;
    const name = shown(typeof flavor === "string" ? flavor : flavor.id);
    if (size instanceof Error) {
      // The provider's own sentence follows those of the engine.
      const reason = size.message.replace(/^.*\* /s, "").trim();
      void pulumi.log.warn(
        `${host}: flavor ${name} could not be looked up (${reason}); a new host cannot be created with it, ` +
          "see `openstack flavor list`",
      );
    }
    if (size !== 0) continue;
    lines.push(
      `${host}: flavor ${name} has no disk to start from; give volume with a size in GiB ` +
        "(a host that exists is not changed by it), or another flavor",
    );
  }
  if (lines.length === 0) return;
  const error = new pulumi.RunError(lines.join("\n"));
  // Where the program has come to its end before the cloud answers, Pulumi prints the trace of any error that has one.
  error.stack = "";
  throw error;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
