import { step } from "../../../operations/transport/run";
import { RootShell } from "./round-trip";

/**
 * Has a repository's timer begin a backup now, by another schedule that lasts until then, and waits for its end.
 *
 * @returns what `restic-backup --status` prints
 * @throws Error where that backup is not whole
 */
export async function timerRun(host: RootShell, repository: string): Promise<string> {
  const timer = `restic-backup@${repository}.timer`;
  const { stdout } = await step(`${repository}: its timer begins a backup`, () =>
    host.sh(
      `set -eu
override=/run/systemd/system/${timer}.d
began=$(date +%s)
mkdir -p "$override"
printf '[Timer]\\nOnCalendar=*:*:0/5\\n' >"$override/demo.conf"
systemctl daemon-reload
systemctl restart ${timer}
trap 'rm -rf "$override"; systemctl daemon-reload; systemctl restart ${timer}' EXIT
last=/var/lib/restic-backup/${repository}/last
until grep -qs '^by=timer$' $last && grep -q '^result=ok$' $last && [ "$(sed -n 's/^began=//p' $last)" -ge "$began" ]; do
  sleep 1
done
restic-backup --status`,
      { timeout: 120 },
    ),
  );
  return stdout;
}
