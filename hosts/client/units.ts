import { createHash } from "node:crypto";
import { KERNEL_PROTECTED, SERVICE_CALLS } from "../units";

/** What the paths of all units of a client begin with. */
export const UNITS = "/etc/systemd/system/restic-backup@";

/** The text by which a unit is known to be the stack's. */
export const UNITS_SIGNATURE = "Written by secure-backups;";

/** What runs and shared connections need until the host restarts: sockets, locks, the newest records. */
export const RUN = { dir: "/run/restic-backup", owner: "root:root", mode: "0700" };

/** The folder of the records of runs, one a repository. */
export const RECORDS = "/var/lib/restic-backup";

const UNIT = { owner: "root:root", mode: "0644", signature: UNITS_SIGNATURE };

/** The unit of a scheduled backup; its instance is the repository. */
export const SERVICE = { path: `${UNITS}.service`, ...UNIT };

/** The timer of a repository. */
export function timerSpec(repository: string) {
  return { path: `${UNITS}${repository}.timer`, ...UNIT };
}

/**
 * Seconds that a repository's backup waits after its timer: each repository has its own place in the window, so that a
 * fleet does not come at once, and the same place each time, so that its hour is known.
 */
export function waitSeconds(client: string, repository: string, windowSeconds: number): number {
  if (windowSeconds === 0) return 0;
  const hash = createHash("sha256").update(`${client}/${repository}`, "utf8").digest();
  return hash.readUInt32BE(0) % windowSeconds;
}

/**
 * The service of a scheduled backup. It reads every file and writes nothing but restic's own folders; commands of the
 * configuration run in units of their own, without these limits.
 */
export function renderBackupService(): string {
  return `# ${UNITS_SIGNATURE} a change here is undone by the next update.

[Unit]
Description=Backup of the repository %i
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=oneshot
ExecStart=/usr/local/bin/restic-backup --scheduled %i
ExecStopPost=/usr/local/bin/restic-backup --ended %i
# A first backup may take days; ssh ends a dead connection, and each command of the configuration has its own limit.
TimeoutStartSec=infinity
TimeoutStopSec=2min

# The host's own work goes first.
Nice=10
CPUWeight=20
IOWeight=20
IOSchedulingClass=best-effort
IOSchedulingPriority=7

# It reads all and writes its own folders alone.
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
NoNewPrivileges=yes
ProtectSystem=strict
StateDirectory=restic-backup
StateDirectoryMode=0700
CacheDirectory=restic-backup
CacheDirectoryMode=0700
RuntimeDirectory=restic-backup
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
ReadWritePaths=/tmp /var/tmp
UMask=0077
PrivateDevices=yes
${KERNEL_PROTECTED}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
${SERVICE_CALLS}
`;
}

/** Seconds in words, as "1 h 5 min" or "40 s". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${String(seconds)} s`;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return [hours > 0 ? `${String(hours)} h` : "", minutes > 0 ? `${String(minutes)} min` : ""]
    .filter((part) => part !== "")
    .join(" ");
}

/** The timer of one repository; `schedule` has been checked. A run that was missed is made up for. */
export function renderBackupTimer(repository: string, schedule: string): string {
  return `# ${UNITS_SIGNATURE} a change here is undone by the next update.

[Unit]
Description=Backup of the repository ${repository}, on its schedule

[Timer]
OnCalendar=${schedule}
Persistent=yes

[Install]
WantedBy=timers.target
`;
}
