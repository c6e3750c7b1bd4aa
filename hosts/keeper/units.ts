/** The keeper's units. Each process gets what its part needs, and systemd keeps the rest from it. */
import { LIBRARY } from "../names";
import { KERNEL_PROTECTED, SERVICE_CALLS } from "../units";

/** The watcher's user, the same at every run: the status that it leaves stays its own, and a dynamic user's nobody reads. */
export const WATCHER = "keeper-watch";

/** The folder of the status on the keeper itself, which everybody there may read. */
export const STATUS_PAGES = "/run/keeper-status";

/** The folder of the gate's sockets. */
export const SOCKETS = "/run/keeper-gate";

/** Hours for which one worker may run. */
export const WORKER_HOURS = 6;

/** Hours after which a round starts no more workers. */
export const ROUND_HOURS = 6;

const WRITTEN = "# Written by secure-backups; a change here is undone by the next update.";

/** No code is made of strings: the program does so nowhere. */
const NODE = `${LIBRARY}/node --disallow-code-generation-from-strings`;
const PROGRAM = `${LIBRARY}/keeper.js`;

/** What every process of the keeper is kept from. V8 compiles code at run time, so MemoryDenyWriteExecute cannot be. */
const confined = (user = "DynamicUser=yes", umask = "0077") => `Environment=HOME=/tmp TMPDIR=/tmp
${user}
UMask=${umask}
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
PrivateUsers=yes
${KERNEL_PROTECTED}
ProtectProc=invisible
ProcSubset=pid
KeyringMode=private
LockPersonality=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
${SERVICE_CALLS}
MemorySwapMax=0`;

/** What those are kept from, too, that reach nothing but one socket: a network, and every file but the system's programs. */
const ALONE = `PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
TemporaryFileSystem=/etc:ro /run:ro /var:ro
InaccessiblePaths=-/boot -/media -/mnt -/opt -/srv`;

/** The gate: it has the keeper's S3 keys and the network, and no password. */
export function renderGateUnit(): string {
  return `${WRITTEN}

[Unit]
Description=The keeper's gate to the bucket
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=exec
ExecStart=${NODE} --use-system-ca ${PROGRAM} gate --settings /etc/keeper/keeper.json --sockets ${SOCKETS}
LoadCredential=s3.json:/etc/keeper/s3.json
RuntimeDirectory=keeper-gate
# Other users pass no folder of the sockets: systemd hands each worker the one socket that is its own.
RuntimeDirectoryMode=0700
Restart=on-failure
RestartSec=10s
TimeoutStopSec=1min
InaccessiblePaths=/etc/keeper/passwords
${confined()}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
MemoryMax=1G
TasksMax=64

[Install]
WantedBy=multi-user.target
`;
}

/** A worker: it has one repository's password and that repository's socket, and nothing else. */
export function renderWorkerUnit(): string {
  return `${WRITTEN}

[Unit]
Description=The keeper's work on the repository %I
After=keeper-gate.service

[Service]
Type=oneshot
ExecStart=${NODE} ${PROGRAM} worker --socket /run/keeper-socket --restic ${LIBRARY}/restic
LoadCredential=password:/etc/keeper/passwords/%I
TimeoutStartSec=${WORKER_HOURS}h
TimeoutStopSec=1min
Nice=10
# The address of a socket has 107 bytes at most, and two names may have 63 each.
BindPaths=${SOCKETS}/%I/socket:/run/keeper-socket
${confined()}
${ALONE}
MemoryMax=1G
TasksMax=64
`;
}

/** Asks the gate which repositories are due, and leaves their names in a file. */
export function renderDueUnit(): string {
  return `${WRITTEN}

[Unit]
Description=The keeper's question which repositories are due
After=keeper-gate.service

[Service]
Type=oneshot
ExecStart=${NODE} ${PROGRAM} due --sockets ${SOCKETS}
StandardOutput=truncate:/run/keeper-due
TimeoutStartSec=6min
BindPaths=${SOCKETS}/.round
${confined()}
${ALONE}
MemoryMax=512M
TasksMax=32
`;
}

/** A round: starts a worker for each repository that is due. */
export function renderRoundUnit(): string {
  return `${WRITTEN}

[Unit]
Description=The keeper's round
Wants=keeper-gate.service
After=keeper-gate.service

[Service]
Type=oneshot
ExecStart=${LIBRARY}/keeper-round
TimeoutStartSec=${ROUND_HOURS + WORKER_HOURS + 1}h
`;
}

/** The timer of rounds. One that was missed is made up for. */
export function renderRoundTimer(): string {
  return `${WRITTEN}

[Unit]
Description=Starts the keeper's rounds

[Timer]
OnCalendar=hourly
RandomizedDelaySec=15min
Persistent=yes

[Install]
WantedBy=timers.target
`;
}

/**
 * The watcher: it has the keeper's S3 keys, the ways of alarms and the network, and no password. The configured command
 * runs as it and may be anywhere on the host, so no more is hidden from it than from other users.
 */
export function renderWatchUnit(): string {
  return `${WRITTEN}

[Unit]
Description=The keeper's look at all backups
Wants=network-online.target
After=network-online.target time-sync.target
# Operators start it, too, as often as they like.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=${NODE} --use-system-ca ${PROGRAM} watch --settings /etc/keeper/keeper.json --page ${STATUS_PAGES}
LoadCredential=s3.json:/etc/keeper/s3.json
LoadCredential=alarms.json:/etc/keeper/alarms.json
RuntimeDirectory=keeper-status
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes
# It ends before its next start.
TimeoutStartSec=14min
TimeoutStopSec=10s
InaccessiblePaths=/etc/keeper/passwords
${confined(`User=${WATCHER}`, "0022")}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
MemoryMax=1G
TasksMax=64
`;
}

/** The watcher's timer: it starts when it can, for a round that was missed is of no use. */
export function renderWatchTimer(): string {
  return `${WRITTEN}

[Unit]
Description=Starts the keeper's looks at all backups

[Timer]
OnCalendar=*:0/15
RandomizedDelaySec=2min
AccuracySec=1s

[Install]
WantedBy=timers.target
`;
}
