/** Lines that units of different hosts share. */

/** Keeps a service from the kernel's settings and the host's clock and name. */
export const KERNEL_PROTECTED = `ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes`;

/** The system calls of a service that administers nothing; others fail. */
export const SERVICE_CALLS = `SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM`;
