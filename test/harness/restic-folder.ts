/** Repositories that restic makes in a folder, seen as the keeper's guard sees them. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectType, StoredObject } from "../../keeper/objects";

export const RESTIC = join(homedir(), ".cache/secure-backups/artifacts/restic");

/** A restic repository in a folder of its own. */
export class ResticFolder {
  readonly root = mkdtempSync(join(tmpdir(), "restic-folder-"));
  readonly folder = join(this.root, "repository");
  readonly source = join(this.root, "source");
  readonly passwordFile = join(this.root, "password");

  constructor(
    readonly password: string,
    version: 1 | 2,
  ) {
    writeFileSync(this.passwordFile, `${password}\n`);
    mkdirSync(this.source);
    this.restic("init", "--repository-version", `${version}`);
  }

  /** Runs restic; throws unless it ends with 0. */
  restic(...args: string[]): string {
    const base = ["--repo", this.folder, "--password-file", this.passwordFile, "--no-cache"];
    return execFileSync(RESTIC, [...base, ...args], {
      // What is backed up is `.`: a snapshot's tree changes only with what is in it.
      cwd: this.source,
      env: { HOME: this.root },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 60_000,
    });
  }

  /** Writes files, by name, into the folder that is backed up, and backs it up; returns the snapshot's ID. */
  backup(files: Readonly<Record<string, Buffer | string>>, ...args: string[]): string {
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(this.source, name), content);
    }
    const lines = this.restic("backup", "--json", ...args, ".")
      .trim()
      .split("\n");
    return (JSON.parse(lines.at(-1) ?? "") as { snapshot_id: string }).snapshot_id;
  }

  private path(type: ObjectType, id: string): string {
    return join(this.folder, type, type === "data" ? id.slice(0, 2) : "", id);
  }

  /** The objects in the order of the gate's listings. */
  objects(): StoredObject[] {
    const types = ["snapshots", "index", "data", "keys"] as const;
    return types.flatMap((type) => {
      const names = readdirSync(join(this.folder, type), { recursive: true, withFileTypes: true });
      return names
        .filter((entry) => entry.isFile())
        .map(({ name: id }) => {
          const { size, mtimeMs, ino } = statSync(this.path(type, id));
          return { type, id, size, versionId: `${ino}-${mtimeMs}`, arrived: mtimeMs };
        });
    });
  }

  read({ type, id }: Pick<StoredObject, "type" | "id">): Promise<Buffer> {
    return Promise.resolve(readFileSync(this.path(type, id)));
  }

  put(type: ObjectType, id: string, content: Buffer): void {
    const path = this.path(type, id);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, content);
  }

  delete({ type, id }: Pick<StoredObject, "type" | "id">): void {
    rmSync(this.path(type, id));
  }

  /** Removes the folder. */
  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}
