import type { Problem } from "./problem";

/** A version of three numbers. */
export function versionProblem(text: string): Problem {
  const number = /^v?([0-9]+\.[0-9]+\.[0-9]+)$/.exec(text)?.[1];
  if (number === text) return undefined;
  return number === undefined
    ? 'is not a released version; write three numbers with dots, for example "1.76.0"'
    : `has a letter before the number; write "${number}"`;
}

/** A function that checks whether a version is not older than the `first`; `why` is what older ones do. */
function atLeast(first: readonly [number, number, number], why: string): (text: string) => Problem {
  return (text) => {
    const problem = versionProblem(text);
    if (problem !== undefined) return problem;
    const numbers = text.split(".").map(Number);
    const difference = first.map((part, i) => (numbers[i] ?? 0) - part).find((part) => part !== 0) ?? 0;
    const least = first.join(".");
    return difference >= 0
      ? undefined
      : `is older than ${least}, and such versions ${why}; take ${least} or newer`;
  };
}

/** A version of rclone that may serve clients. */
export const rcloneVersionProblem = atLeast(
  [1, 75, 1],
  "let a client read and delete beyond its own repository",
);

/** A version of Node.js that can run the keeper's program. */
export const nodeVersionProblem = atLeast([24, 0, 0], "cannot run the keeper's program");

/** A version of restic that can reach the keeper's gate. */
export const keeperResticProblem = atLeast([0, 17, 0], "do not speak to a unix socket");

/** A function that checks whether a string is the address of a program's file, raw or packed as one of `packed`. */
export function downloadProblem(packed: string): (text: string) => Problem {
  return (text) => {
    if (
      !/^https?:\/\/[A-Za-z0-9]/.test(text) ||
      !/^[\x21-\x7e]+$/.test(text) ||
      /["'\\`<>{}|^]/.test(text) ||
      !URL.canParse(text)
    ) {
      return 'is not a download address; give a URL with http or https, for example "https://example.com/program"';
    }
    const url = new URL(text);
    if (url.username !== "" || url.password !== "")
      return "has credentials, which would stand in the host's files; use an address without";
    const suffix = /(?:\.tar)?\.(?:zip|bz2|gz|xz|zst|tar|tgz|7z|deb|rpm)$/.exec(url.pathname)?.[0];
    return suffix === undefined || suffix === packed
      ? undefined
      : `is a ${suffix} file, which the host cannot unpack; give a raw binary or an official ${packed} file`;
  };
}

/** A function that checks whether a string is a SHA-256. `sums` is where that of an official file is published. */
export function sha256Problem(sums: string): (text: string) => Problem {
  return (text) =>
    /^[0-9a-f]{64}$/.test(text)
      ? undefined
      : "is not a SHA-256 of 64 lower-case hexadecimal digits; " +
        `take the one of the file at url, for an official release its line in ${sums}`;
}
