import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/** What a script left behind. */
export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs a script of POSIX sh as root on a view of this machine that is its own: what it writes to /etc, /var, /root,
 * /srv and /home goes to memory, /usr/local and /run are empty, and all of it is gone when the script ends. No machine starts,
 * which takes a tenth of a second. `$FILES` is a folder with the given files.
 */
export function inPrivateRoot(script: string, files: Record<string, string> = {}): Ended {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "private-root-"));
  try {
    for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), content);
    fs.writeFileSync(path.join(folder, "script"), script);
    const view = `
mount -t tmpfs tmpfs /mnt
mkdir /mnt/files
mount --bind "$1" /mnt/files
for dir in etc var root srv home; do
  mkdir -p "/mnt/$dir/upper" "/mnt/$dir/work"
  mount -t overlay overlay -o "lowerdir=/$dir,upperdir=/mnt/$dir/upper,workdir=/mnt/$dir/work" "/$dir"
done
for dir in /usr/local /run; do mount -t tmpfs -o mode=0755 tmpfs "$dir"; done
mkdir /usr/local/bin /usr/local/lib
FILES=/mnt/files exec sh -eu /mnt/files/script`;
    const { status, stdout, stderr } = spawnSync(
      "unshare",
      ["--mount", "--propagation", "private", "sh", "-euc", view, "sh", folder],
      {
        env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" },
        timeout: 120_000,
        encoding: "utf8",
      },
    );
    return { status, stdout, stderr };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
