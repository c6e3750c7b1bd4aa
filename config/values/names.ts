import type { Problem } from "./problem";

/** First directories of a restic repository: as a name of a client or repository they could stand for another's data. */
const RESTIC_NAMES: readonly string[] = ["data", "keys", "locks", "snapshots", "index", "config"];

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A name that is safe as host name and as part of an object's name. */
export function nameProblem(name: string): Problem {
  if (!LABEL.test(name)) {
    const suggestion = name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .slice(0, 63)
      .replace(/^-+|-+$/g, "");
    const example = LABEL.test(suggestion) && nameProblem(suggestion) === undefined ? suggestion : "web-1";
    return (
      "is not safe as a host and object name; use 1 to 63 lower-case letters, digits and inner hyphens, " +
      `for example "${example}"`
    );
  }
  if (/^[0-9]+$/.test(name)) {
    return `has digits only and would be taken for an address; put a letter in, for example "n${name}"`;
  }
  if (name === "localhost") return 'means the machine itself; choose another name, for example "web-1"';
  if (RESTIC_NAMES.includes(name)) {
    return `is a name that restic itself uses inside a repository; choose another, for example "${name}-1"`;
  }
  return undefined;
}

export function isHostName(text: string): boolean {
  const labels = text.toLowerCase().split(".");
  return (
    text.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^[0-9]+$/.test(labels.at(-1) ?? "")
  );
}

/** The name of a user on a host. */
export function userProblem(text: string): Problem {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(text)
    ? undefined
    : 'is not a user name; give a login name, for example "debian"';
}
