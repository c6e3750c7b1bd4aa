import { CACHE } from "../../scripts/dev/cloud";
import * as fs from "node:fs";
import * as path from "node:path";
import { Artifact } from "../../config";
import { HostInstall } from "../../hosts";
import { BootedHost } from "../../scripts/dev/booted-host";
import { cloudFacts } from "../../scripts/dev/local-stack";

/** What an install script ends with when all of it arrived and was done. */
export const INSTALLED = 80;

/** A program as hosts of the local cloud download it. */
export function artifact(name: "rclone" | "restic" | "node"): Artifact {
  const text = fs.readFileSync(path.join(CACHE, `artifacts/${name}.json`), "utf8");
  return { ...(JSON.parse(text) as Omit<Artifact, "url">), url: `${cloudFacts().artifactsUrl}${name}` };
}

/** Runs an install on a host: its exit status and all that it said. */
export async function putInForce(
  host: BootedHost,
  install: HostInstall,
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await host.ssh.sh(install.script, { accept: "any" });
  return { code, text: stdout + stderr };
}
