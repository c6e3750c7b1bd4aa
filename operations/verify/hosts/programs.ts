/** The programs of a host: their versions, and what runs and listens on the proxy. */
import { Deployment } from "../../deployment";
import { Artifact } from "../../../config";
import { LIBRARY } from "../../../hosts";
import { Finding, REBUILD, ProbeAbout, Seen, Undecided } from "../probe";
import { HostFacts, judge, linesOf, seen } from "./facts";
import { parseSums } from "./files";
import { judgeVersion, Program } from "./known-bad";

/** The rclone that serves clients. */
export const RCLONE_PROGRAM = `${LIBRARY}/rclone`;
/** The restic of a client whose distribution's own is not used. */
export const RESTIC_PROGRAM = `${LIBRARY}/restic`;

/**
 * Compares a program that the stack installed with what the configuration names.
 *
 * @param stamp the fact that has the host's own note of it
 */
export function programSeen(
  facts: HostFacts,
  file: string,
  { url, sha256 }: Artifact,
  stamp = "stamp",
): Seen {
  const sum = parseSums(facts("sums")).get(file) ?? "missing";
  const [download = "", installed = ""] = facts(stamp).trim().split(" ");
  // A packed download has another sum than the program in it: the host's own note links the two.
  const packed = /\.(zip|bz2|tar\.gz)$/.test(url);
  return seen(
    [
      ...(download === sha256 ? [] : ["the host's note names another download"]),
      ...(installed === sum && (packed || sum === sha256)
        ? []
        : [`the program is NOT the one that was installed (${sum.slice(0, 12)})`]),
    ],
    `${sum.slice(0, 12)}…, as ${packed ? "installed from the configured download" : "configured"}`,
  );
}

/** Judges a version by what is known of it; throws where that decides nothing. */
export function versionSeen(program: Program, version: string, debianPackage?: string): Seen {
  const { bad, undecided } = judgeVersion(program, version, debianPackage);
  const shown = debianPackage === undefined ? version : `${version}, package ${debianPackage}`;
  if (bad.length > 0) {
    const why = bad.map(({ reference, why, fixed }) => `${reference}: ${why}, fixed in ${fixed}`);
    return { holds: false, happened: `${shown}: ${why.join("; ")}` };
  }
  if (undecided.length > 0) {
    const references = undecided.map(({ reference }) => reference).join(", ");
    throw new Undecided(`${shown} may have ${references}, unless its distribution has mended that`);
  }
  return { holds: true, happened: shown };
}

/** What a probe of a version is about; `suffix` ends its finding's id. */
export function versionAbout(program: Program, suffix: string, where: string): ProbeAbout {
  const remedies: Record<Program, string> = {
    rclone: "configure proxy.rclone with a newer version and its sha256, then run pulumi up",
    openssh: `install the distribution's updates on ${where}; compare the package with its security tracker`,
    restic: "configure restic with a newer version and its sha256, then run pulumi up",
  };
  return {
    ring: 1,
    id: `version.${program}${suffix}`,
    tried: `the version of ${program} on ${where}`,
    expected: "none that is known to be bad",
    remedy: remedies[program],
  };
}

/** Judges the version of OpenSSH. */
export function opensshSeen(facts: HostFacts): Seen {
  const version = /OpenSSH_([0-9.]+p\d+)/.exec(facts("version.openssh"))?.[1];
  if (version === undefined) throw new Error("ssh -V names no version of OpenSSH");
  const debianPackage = facts("package.openssh").trim();
  return versionSeen("openssh", version, debianPackage === "" ? undefined : debianPackage);
}

/** The version in what `PROGRAM version` prints. */
export const programVersion = (text: string, program: Program): string =>
  new RegExp(`^${program} v?(\\S+?)(-DEV)?(\\s|$)`, "m").exec(text)?.[1] ?? text.slice(0, 40);

/** Judges the proxy's programs, and what listens. */
export function judgePrograms({ proxy: { rclone } }: Deployment, facts: HostFacts): Promise<Finding[]> {
  return Promise.all([
    judge(versionAbout("rclone", "", "the proxy"), () =>
      versionSeen("rclone", programVersion(facts("version.rclone"), "rclone")),
    ),
    judge(
      {
        ring: 1,
        id: "files.rclone-program",
        tried: "the SHA-256 of the rclone that serves clients",
        expected: `that of the configured ${rclone.version}`,
        remedy: REBUILD,
      },
      () => programSeen(facts, RCLONE_PROGRAM, rclone),
    ),
    judge(versionAbout("openssh", "", "the proxy"), () => opensshSeen(facts)),
    judge(
      {
        ring: 1,
        id: "version.sshd-running",
        tried: "the sshd that runs",
        expected: "the one that is installed",
        remedy: "restart sshd on the proxy (systemctl restart ssh): an update replaced it while it ran",
      },
      () => {
        const running = linesOf(facts("running_sshd"));
        if (running.length === 0) throw new Error("no process of sshd was found");
        return seen(
          running
            .filter((program) => program.includes("(deleted)"))
            .map((program) => `${program} still runs`),
          running.join(", "),
        );
      },
    ),
    judge(
      {
        ring: 1,
        id: "sockets.listening",
        tried: "what listens on the proxy",
        expected: "sshd on port 22; time, name and address services of the system",
        remedy: "stop and remove the program: the proxy runs sshd and rclone on demand, and nothing else",
      },
      () => {
        const others = unexpectedSockets(facts("sockets"));
        return seen(
          others.map((socket) => `${socket} listens`),
          "nothing else",
        );
      },
    ),
  ]);
}

/** Listening sockets (of `ss -H -lntup`) of anything but sshd on port 22 and the system's own small services. */
export function unexpectedSockets(text: string): string[] {
  return linesOf(text).flatMap((line) => {
    const [protocol = "", , , , local = ""] = line.split(/\s+/);
    const [, address = "", port = ""] = /^(.*):(\d+|\*)$/.exec(local) ?? [];
    const programs = [...line.matchAll(/\("([^"]+)"/g)].map((match) => match[1] as string);
    const program = programs[0] ?? "an unknown program";
    const loopback = /^(127\.|\[::1\])/.test(address);
    const expected =
      (protocol === "tcp" &&
        port === "22" &&
        programs.length > 0 &&
        programs.every((name) => /^(sshd|systemd)$/.test(name))) ||
      (protocol === "udp" && (port === "68" || port === "546")) ||
      (port === "53" && loopback && program === "systemd-resolve") ||
      (protocol === "udp" && port === "323" && loopback && program === "chronyd");
    return expected ? [] : [`${program} on ${protocol} ${local}`];
  });
}
